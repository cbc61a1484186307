"""Training, top to bottom: configuration, windows, network, losses, the loop."""
