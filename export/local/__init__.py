"""Serving and batch runs on this machine, by the deployed code."""
