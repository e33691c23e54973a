"""Measured numbers with their uncertainty and protocol."""

from adversaria.metrics.estimate import Estimate, Null, comparable, difference, mean
from adversaria.metrics.wasserstein import sliced_wasserstein

__all__ = ["Estimate", "Null", "comparable", "difference", "mean", "sliced_wasserstein"]
