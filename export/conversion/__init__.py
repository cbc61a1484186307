"""From trained weights to a proven set of artefacts: checkpoint, ONNX graph, parity gate, files."""
