"""Publish an exported set to an archive whose files never change."""
