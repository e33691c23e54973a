"""Measured numbers with their uncertainty and protocol: pure functions on feature tensors (n, d).

>>> import torch
>>> x, y = torch.zeros(500, 1), torch.ones(500, 1)
>>> frechet_distance(real=x, generated=y).details["raw"]
1.0
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adversaria.metrics.annealing import Annealing as Annealing
    from adversaria.metrics.annealing import annealed_importance as annealed_importance
    from adversaria.metrics.annealing import bdmc_gap as bdmc_gap
    from adversaria.metrics.annealing import reverse_annealing as reverse_annealing
    from adversaria.metrics.balls import coverage as coverage
    from adversaria.metrics.balls import density as density
    from adversaria.metrics.balls import manifold as manifold
    from adversaria.metrics.balls import precision as precision
    from adversaria.metrics.balls import precision_recall_curve as precision_recall_curve
    from adversaria.metrics.balls import recall as recall
    from adversaria.metrics.bins import bins_test as bins_test
    from adversaria.metrics.bins import fit_bins as fit_bins
    from adversaria.metrics.c2st import classifier_test as classifier_test
    from adversaria.metrics.class_score import classifier_score as classifier_score
    from adversaria.metrics.classification import classification_error as classification_error
    from adversaria.metrics.copying import authenticity as authenticity
    from adversaria.metrics.copying import closest_pairs as closest_pairs
    from adversaria.metrics.copying import copying_power as copying_power
    from adversaria.metrics.copying import data_copying as data_copying
    from adversaria.metrics.copying import neighbour_ratio as neighbour_ratio
    from adversaria.metrics.decoders import annealed_likelihood as annealed_likelihood
    from adversaria.metrics.decoders import gaussian_observation as gaussian_observation
    from adversaria.metrics.decoders import tune_sigma as tune_sigma
    from adversaria.metrics.estimate import Estimate as Estimate
    from adversaria.metrics.estimate import Null as Null
    from adversaria.metrics.estimate import comparable as comparable
    from adversaria.metrics.estimate import difference as difference
    from adversaria.metrics.estimate import mean as mean
    from adversaria.metrics.floors import closed_forms as closed_forms
    from adversaria.metrics.frechet import frechet_distance as frechet_distance
    from adversaria.metrics.frechet import moments as moments
    from adversaria.metrics.frechet import raw_frechet as raw_frechet
    from adversaria.metrics.kernel import kernel_distance as kernel_distance
    from adversaria.metrics.kinds import compare_likelihoods as compare_likelihoods
    from adversaria.metrics.likelihood import importance_weighted as importance_weighted
    from adversaria.metrics.likelihood import negative_log_likelihood as negative_log_likelihood
    from adversaria.metrics.likelihood import over_labels as over_labels
    from adversaria.metrics.modes import class_coverage as class_coverage
    from adversaria.metrics.modes import mode_coverage as mode_coverage
    from adversaria.metrics.nearest_test import nearest_neighbour_test as nearest_neighbour_test
    from adversaria.metrics.neighbours import Passes as Passes
    from adversaria.metrics.neural import neural_distance as neural_distance
    from adversaria.metrics.paired import sign_flip as sign_flip
    from adversaria.metrics.parzen import parzen_log_likelihood as parzen_log_likelihood
    from adversaria.metrics.paths import path_length as path_length
    from adversaria.metrics.spectrum import high_frequency_ratio as high_frequency_ratio
    from adversaria.metrics.support import birthday as birthday
    from adversaria.metrics.support import confirmed_support as confirmed_support
    from adversaria.metrics.support import support_curve as support_curve
    from adversaria.metrics.surgery import active_units as active_units
    from adversaria.metrics.surgery import codebook_use as codebook_use
    from adversaria.metrics.surgery import elbo_surgery as elbo_surgery
    from adversaria.metrics.transport import sliced_wasserstein as sliced_wasserstein
    from adversaria.metrics.transport import wasserstein as wasserstein
    from adversaria.metrics.transport import wasserstein_1d as wasserstein_1d
    from adversaria.metrics.two_sample import energy_test as energy_test
    from adversaria.metrics.two_sample import holm as holm
    from adversaria.metrics.two_sample import mmd_test as mmd_test
    from adversaria.metrics.vendi import vendi_score as vendi_score

_NAMES = {
    "annealing": "Annealing annealed_importance bdmc_gap reverse_annealing",
    "bins": "bins_test fit_bins",
    "c2st": "classifier_test",
    "class_score": "classifier_score",
    "classification": "classification_error",
    "copying": "authenticity closest_pairs copying_power data_copying neighbour_ratio",
    "decoders": "annealed_likelihood gaussian_observation tune_sigma",
    "estimate": "Estimate Null comparable difference mean",
    "floors": "closed_forms",
    "frechet": "frechet_distance moments raw_frechet",
    "kernel": "kernel_distance",
    "kinds": "compare_likelihoods",
    "likelihood": "importance_weighted negative_log_likelihood over_labels",
    "balls": "coverage density manifold precision precision_recall_curve recall",
    "modes": "class_coverage mode_coverage",
    "nearest_test": "nearest_neighbour_test",
    "neighbours": "Passes",
    "neural": "neural_distance",
    "paired": "sign_flip",
    "parzen": "parzen_log_likelihood",
    "paths": "path_length",
    "spectrum": "high_frequency_ratio",
    "support": "birthday confirmed_support support_curve",
    "surgery": "active_units codebook_use elbo_surgery",
    "two_sample": "energy_test holm mmd_test",
    "vendi": "vendi_score",
    "transport": "sliced_wasserstein wasserstein wasserstein_1d",
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: SciPy's statistics and scikit-learn cost a second."""
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
