"""The core: the proven set of artefacts, the onnxruntime session that serves it, and its equations in NumPy."""
