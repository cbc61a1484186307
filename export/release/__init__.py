"""Publishing an exported set to an archive that never changes."""
