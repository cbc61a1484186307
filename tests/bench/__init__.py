"""Every figure that docs/numbers.md quotes, measured against a floor or a peer in the same run: `make bench`."""
