"""Verdicts in words, and the dynamics of a game."""
