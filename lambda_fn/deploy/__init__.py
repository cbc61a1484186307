"""The two hooks of a deployment: before traffic reaches a new version, and after."""
