"""Convert a trained network to a proven set of artefacts: network → ONNX graph → parity gate → files.

Networks come from `export.training.checkpoint` or, trained elsewhere, from a reader here: `state_dict` reads one kind
of source. A reader of another kind stands beside it and gives `convert.export_bundle` a network likewise.
"""
