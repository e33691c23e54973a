"""The share of wrong classes, with its exact interval."""

import numpy as np
import pytest
import torch
from scipy import stats

from adversaria.errors import UserError
from adversaria.metrics import classification_error, difference


def told(wrong, n, classes=4):
    labels = torch.arange(n) % classes
    said = labels.clone()
    said[:wrong] = (said[:wrong] + 1) % classes
    return classification_error(logits=torch.eye(classes)[said], labels=labels)


@pytest.mark.parametrize(("wrong", "n"), [(0, 10), (3, 10), (10, 10), (93, 10_000)])
def test_the_interval_is_clopper_and_pearson_s(wrong, n):
    found = told(wrong, n)
    exact = stats.binomtest(wrong, n).proportion_ci(0.95, "exact")
    assert found.value == pytest.approx(wrong / n)
    assert found.interval == pytest.approx((exact.low, exact.high))
    assert found.error == pytest.approx(np.sqrt(wrong / n * (1 - wrong / n) / n))


def test_the_interval_covers_the_rate_at_its_level():
    """Over all counts of 40, weighted by their probability at a rate of 0.07: at least 95%."""
    rate, n = 0.07, 40
    inside = [low <= rate <= high for low, high in (told(k, n).interval for k in range(n + 1))]
    assert stats.binom.pmf(np.arange(n + 1), n, rate) @ inside >= 0.95


def test_errors_are_counted_by_the_true_class():
    logits = torch.tensor([[2.0, 1.0, 0.0]] * 6)
    found = classification_error(logits=logits, labels=torch.tensor([0, 1, 1, 2, 0, 0]))
    assert found.details == {"errors": 3, "errors_by_class": [0, 2, 1]}


def test_two_classifiers_on_the_same_examples_are_paired():
    a, b = told(30, 200), told(25, 200)  # the second's errors are among the first's
    found = difference(a, b)
    assert found.value == pytest.approx(5 / 200) and found.protocol["paired"] == "on the reference"
    assert found.error == pytest.approx(np.sqrt(5 / 200 * (1 - 5 / 200) / 200), rel=0.03)


@pytest.mark.parametrize(
    ("logits", "labels", "said"),
    [
        (torch.zeros(0, 3), torch.zeros(0, dtype=torch.long), "at least one row"),
        (torch.zeros(3, 3), torch.zeros(2, dtype=torch.long), "3 rows of logits and 2 labels"),
        (torch.zeros(2, 3), torch.tensor([0, 3]), "one logit for each class"),
        (torch.zeros(2, 3), torch.tensor([-1, 0]), "reach from -1"),
        (torch.full((2, 3), torch.nan), torch.tensor([1, 0]), "2 of 2 rows"),
    ],
)
def test_bad_input_is_named_in_one_line(logits, labels, said):
    with pytest.raises(UserError, match=said) as caught:
        classification_error(logits=logits, labels=labels)
    assert "\n" not in str(caught.value)
