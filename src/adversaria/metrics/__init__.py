"""Measured numbers with their uncertainty and protocol."""

from adversaria.metrics.estimate import Estimate, mean
from adversaria.metrics.sliced import sliced_wasserstein

__all__ = ["Estimate", "mean", "sliced_wasserstein"]
