"""What runs on Lambda: onnxruntime, NumPy and the handler. Imports nothing of `export`, and never torch."""

__version__ = "0.1.0"  # pyproject.toml's; a test keeps the two equal
