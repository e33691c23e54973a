"""Invertible networks, with exact likelihoods."""
