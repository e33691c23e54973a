"""Latent variable models with a learned posterior."""
