"""Peers that the figures are compared with, written as a fair engineer would."""
