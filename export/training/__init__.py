"""Train the network: config → windows → network (with its scaling) → train → checkpoint."""
