"""Objectives as small functions on logits and log-probabilities."""
