"""What runs on Lambda: onnxruntime, NumPy and the handler. Imports nothing of `export`, and never torch."""
