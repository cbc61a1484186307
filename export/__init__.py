"""The PyTorch stage of Efemera: prices, windows, network, training, ONNX export and its proof. Never deployed."""
