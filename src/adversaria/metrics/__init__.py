"""Measured numbers with their uncertainty and protocol: pure functions on feature tensors (n, d).

>>> import torch
>>> x, y = torch.randn(500, 8), torch.randn(500, 8) + 1
>>> abs(frechet_distance(real=x, generated=y).value - 8) < 3
True
"""

from adversaria.metrics.annealing import Annealing, annealed_importance, bdmc_gap, reverse_annealing
from adversaria.metrics.bins import bins_test, fit_bins
from adversaria.metrics.c2st import classifier_test
from adversaria.metrics.classifier_score import classifier_score
from adversaria.metrics.copying import authenticity, closest_pairs, copying_power, data_copying, neighbour_ratio
from adversaria.metrics.decoders import annealed_likelihood, gaussian_observation, tune_sigma
from adversaria.metrics.estimate import Estimate, Null, comparable, difference, mean
from adversaria.metrics.frechet import frechet_distance, moments, raw_frechet
from adversaria.metrics.kernel import kernel_distance
from adversaria.metrics.kinds import compare_likelihoods
from adversaria.metrics.likelihood import importance_weighted, negative_log_likelihood
from adversaria.metrics.manifold import coverage, density, manifold, precision, precision_recall_curve, recall
from adversaria.metrics.modes import class_coverage, mode_coverage
from adversaria.metrics.nearest_test import nearest_neighbour_test
from adversaria.metrics.neighbours import Passes
from adversaria.metrics.paired import sign_flip
from adversaria.metrics.parzen import parzen_log_likelihood
from adversaria.metrics.path_length import path_length
from adversaria.metrics.spectrum import high_frequency_ratio
from adversaria.metrics.support import birthday, confirmed_support, support_curve
from adversaria.metrics.surgery import active_units, codebook_use, elbo_surgery
from adversaria.metrics.two_sample import energy_test, holm, mmd_test
from adversaria.metrics.vendi import vendi_score
from adversaria.metrics.wasserstein import sliced_wasserstein, wasserstein, wasserstein_1d

__all__ = [
    "Annealing", "Estimate", "Null", "Passes", "active_units", "annealed_importance", "annealed_likelihood",
    "authenticity", "bdmc_gap", "bins_test", "birthday", "class_coverage", "classifier_score", "classifier_test",
    "closest_pairs", "codebook_use", "comparable", "compare_likelihoods", "confirmed_support", "copying_power",
    "coverage", "data_copying", "density", "difference", "elbo_surgery", "energy_test", "fit_bins",
    "frechet_distance", "gaussian_observation", "high_frequency_ratio", "holm", "importance_weighted",
    "kernel_distance", "manifold", "mean", "mmd_test", "mode_coverage", "moments", "nearest_neighbour_test",
    "negative_log_likelihood", "neighbour_ratio", "parzen_log_likelihood", "path_length", "precision",
    "precision_recall_curve", "raw_frechet", "recall", "reverse_annealing", "sign_flip", "sliced_wasserstein",
    "support_curve", "tune_sigma", "vendi_score", "wasserstein", "wasserstein_1d",
]  # fmt: skip
