"""torch-fidelity's functions on features give the same numbers.

Intended differences: our Fréchet distance also removes the bias (theirs is our `raw`), our kernel distance is the
unbiased statistic of all examples (theirs a mean over subsets of one size; one subset of all of them is compared), our
classifier score removes its bias (`raw` is theirs in one split).
"""

import numpy as np
import pytest
import torch

from adversaria.metrics import classifier_score, frechet_distance, kernel_distance, precision, recall

NEEDS = "torch-fidelity needs torchvision, which can't be imported beside the CPU build of torch"


@pytest.fixture
def features():
    rng = np.random.default_rng(3)
    mix = rng.standard_normal((12, 12))
    x, y = rng.standard_normal((400, 12)) @ mix, 1.2 * rng.standard_normal((400, 12)) @ mix + 0.3
    return torch.from_numpy(x), torch.from_numpy(y)


def test_frechet_is_theirs_before_the_correction(features):
    fid = pytest.importorskip("torch_fidelity.metric_fid", reason=NEEDS, exc_type=ImportError)
    x, y = features
    theirs = fid.fid_statistics_to_metric(fid.fid_features_to_statistics(x), fid.fid_features_to_statistics(y), False)
    ours = frechet_distance(real=x, generated=y).details["raw"]
    assert ours == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)


def test_kernel_distance_is_their_unbiased_estimate_of_one_subset(features):
    kid = pytest.importorskip("torch_fidelity.metric_kid", reason=NEEDS, exc_type=ImportError)
    x, y = features
    k = lambda a, b: ((a @ b.T) / a.shape[1] + 1).numpy() ** 3  # noqa: E731
    theirs = kid.mmd2(k(x, x), k(x, y), k(y, y), mmd_est="unbiased")
    assert kernel_distance(real=x, generated=y).value == pytest.approx(theirs, rel=1e-6)


def test_precision_and_recall_are_theirs(features):
    prc = pytest.importorskip("torch_fidelity.metric_prc", reason=NEEDS, exc_type=ImportError)
    x, y = features
    theirs = prc.calculate_precision_recall_full(y, x, 3, 10_000)
    ours = precision(real=x, generated=y).value, recall(real=x, generated=y).value
    assert ours == pytest.approx([float(v) for v in theirs], abs=1e-6)


def test_classifier_score_is_theirs_before_the_correction(features):
    isc = pytest.importorskip("torch_fidelity.metric_isc", reason=NEEDS, exc_type=ImportError)
    logits = features[0] / 3
    theirs = isc.isc_features_to_metric(logits, splits=1)["inception_score_mean"]
    assert classifier_score(logits=logits).details["raw"] == pytest.approx(theirs, rel=1e-6)
