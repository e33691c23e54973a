"""The classifier score: golden values, bias, error, order and what it refuses."""

import math
import warnings

import numpy as np
import pytest
import torch

from adversaria.errors import UserError
from adversaria.metrics.class_score import classifier_score

pytestmark = pytest.mark.usefixtures("float64")


def draws(n, classes):
    return torch.eye(classes)[torch.randint(classes, (n,))]


def soft(n, classes=5, sharp=2.0):
    return (sharp * torch.randn(n, classes) + torch.linspace(0, 1, classes)).softmax(1)


def test_golden_values():
    assert classifier_score(probabilities=torch.full((50, 4), 0.25)).details["raw"] == pytest.approx(1, abs=1e-9)
    assert classifier_score(probabilities=torch.full((50, 4), 0.25)).error == pytest.approx(0, abs=1e-9)
    assert classifier_score(probabilities=torch.eye(10).repeat(20, 1)).details["raw"] == pytest.approx(10, abs=1e-9)
    unsure = torch.full((10, 10), 0.1 / 9).fill_diagonal_(0.9).repeat(3, 1)
    found = classifier_score(probabilities=unsure).details["raw"]
    assert found == pytest.approx(5.799546, abs=1e-6)
    assert found == pytest.approx(10 * math.exp(0.9 * math.log(0.9) + 0.1 * math.log(0.1 / 9)), rel=1e-9)


@pytest.mark.parametrize(("classes", "n", "expected"), [(10, 500, 9.9115), (1000, 5000, 901.1), (1000, 500, 365.8)])
def test_raw_score_is_too_small_by_the_known_amount_and_corrected_less_so(classes, n, expected):
    found = [classifier_score(probabilities=draws(n, classes)) for _ in range(4 if classes > 10 else 200)]
    raw = np.array([e.details["raw"] for e in found])
    assert raw.mean() == pytest.approx(expected, abs=4 * raw.std() / len(raw) ** 0.5 + 1e-4 * expected)
    corrected = np.mean([e.value for e in found])
    assert abs(corrected - classes) < 0.75 * abs(raw.mean() - classes)
    if n >= 5 * classes:
        assert corrected == pytest.approx(classes, rel=0.006)
    assert ("warn" in found[0].bias) == (n < 5 * classes)


def test_error_and_correction_hold_in_simulation():
    truth = classifier_score(probabilities=soft(2_000_000)).value
    found = [classifier_score(probabilities=soft(100)) for _ in range(1000)]
    value, error = np.array([e.value for e in found]), np.array([e.error for e in found])
    raw = np.mean([e.details["raw"] for e in found])
    assert value.mean() == pytest.approx(truth, abs=4 * value.std() / 1000**0.5)
    assert abs(raw - truth) > 3 * value.std() / 1000**0.5
    assert np.sqrt(np.mean(error**2)) == pytest.approx(value.std(), rel=0.1)
    assert 0.90 <= np.mean(np.abs(value - truth) < 1.96 * error) <= 0.98


def test_error_stays_where_every_class_is_used_alike():
    found = [classifier_score(probabilities=draws(400, 10)) for _ in range(500)]
    value, error = np.array([e.value for e in found]), np.array([e.error for e in found])
    assert 0.95 < np.sqrt(np.mean(error**2)) / value.std() < 1.35


def test_order_and_logits_and_precision_change_nothing():
    logits = 3 * torch.randn(200, 6)
    here = classifier_score(logits=logits)
    for other in (
        classifier_score(probabilities=logits.softmax(1)),
        classifier_score(logits=logits + 5),
        classifier_score(logits=logits[logits.argmax(1).argsort()]),
    ):
        assert other.value == pytest.approx(here.value, rel=1e-9)
        assert other.error == pytest.approx(here.error, rel=1e-9)
    single = classifier_score(probabilities=logits.float().softmax(1))
    assert single.value == pytest.approx(here.value, rel=1e-5)
    assert not here.lower_is_better
    said, relative = here.details, here.error / here.value
    corrected = said["mutual_information"] - said["bias_of_information"] - relative**2 / 2
    assert math.log(here.value) == pytest.approx(corrected, rel=1e-9)
    assert classifier_score(logits=logits, name="classifier score (net@1a2b)").name == "classifier score (net@1a2b)"


def test_agrees_with_torchmetrics_on_one_split():
    inception = pytest.importorskip("torchmetrics.image.inception", reason="torchmetrics isn't installed")
    logits = torch.randn(300, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its memory, and of the standard deviation of one split
        metric = inception.InceptionScore(feature=torch.nn.Flatten(), splits=1)
        metric.features = [logits]
        expected = float(metric.compute()[0])
    assert classifier_score(logits=logits).details["raw"] == pytest.approx(expected, rel=1e-6)


def test_what_means_nothing_is_refused():
    with pytest.raises(UserError, match="1 class"):
        classifier_score(probabilities=torch.ones(5, 1))
    with pytest.raises(UserError, match="3 of 3 rows don't sum to 1"):
        classifier_score(probabilities=torch.full((3, 4), 0.3))
    with pytest.raises(UserError, match=r"a probability is -0\.5"):
        classifier_score(probabilities=torch.tensor([[1.5, -0.5], [0.5, 0.5]]))
    with pytest.raises(UserError, match="not finite"):
        classifier_score(logits=torch.tensor([[1.0, math.nan], [0.5, 0.5]]))
    with pytest.raises(UserError, match="1 rows; at least 2"):
        classifier_score(logits=torch.ones(1, 3))
    with pytest.raises(UserError, match="one of them"):
        classifier_score()
    with pytest.raises(UserError, match="one of them"):
        classifier_score(logits=torch.ones(2, 3), probabilities=torch.ones(2, 3) / 3)
