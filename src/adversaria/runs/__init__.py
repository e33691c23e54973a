"""Runs: training as a folder on disk."""
