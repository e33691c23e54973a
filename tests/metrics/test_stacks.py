"""What a classifier says that stacks of digits show, and what it gets wrong."""

import math

import pytest
import torch

from adversaria.data import load
from adversaria.errors import UserError
from adversaria.evaluation.stacks import stack_classifier, stack_coverage
from adversaria.metrics import Estimate
from adversaria.metrics.modes import class_coverage


@pytest.fixture(scope="module")
def data():
    return load("stacked-digits")


@pytest.fixture(scope="module")
def classifier(data):
    return stack_classifier(data)


@pytest.fixture(scope="module")
def held(data, classifier):
    batch = data.examples(5_000, "test", seed=0)
    return batch, classifier.label_stacks(batch.x)


def test_held_out_digits_are_told_rightly(classifier):
    accuracy = classifier.accuracy
    assert accuracy.value > 0.98
    assert accuracy.n == 358
    assert accuracy.details["stack_accuracy"] == pytest.approx(accuracy.value**3)
    assert int(classifier.confusion.diagonal().sum()) == accuracy.details["right"]
    assert torch.equal(classifier.confusion.sum(1), _counts(load("digits"), "valid") + _counts(load("digits"), "test"))
    assert accuracy.interval[0] < accuracy.value < accuracy.interval[1]


def _counts(base, split):
    return torch.from_numpy(base.labels[base.splits[split]]).bincount(minlength=10)


def test_stacks_are_told_by_their_channels(classifier, held):
    batch, told = held
    right = float((told == batch.labels).double().mean())
    assert right == pytest.approx(classifier.accuracy.details["stack_accuracy"], abs=0.04)
    for channel, place in enumerate((100, 10, 1)):
        digit = load("digits").examples(1, "train")
        x = batch.x[:1].clone()
        before = int(classifier.label_stacks(x)) // place % 10
        x[:, channel] = digit.x[:, 0]
        after = classifier.label_stacks(x)
        assert int(after) - int(told[0]) == (int(digit.labels) - before) * place


def test_real_stacks_cover_the_modes_as_their_labels_do(classifier, held):
    batch, told = held
    found = stack_coverage(images=batch.x, classifier=classifier)
    true = class_coverage(labels=batch.labels, classes=1000)
    assert abs(found["modes"].value - true["modes"].value) < 25
    assert abs(found["modes"].value - found["modes"].null.mean) < 25
    assert found["modes"].details["modes_that_misreading_explains"] < 25
    # 179 digits are not evenly spread over the ten, so the divergence is above the floor for the true labels too.
    assert found["KL"].value == pytest.approx(true["KL"].value, abs=0.03)
    assert found["KL"].value < 0.2
    assert found["KL"].protocol["data"] == "digits"
    assert torch.equal(told, classifier.label_stacks(batch.x))


def test_training_stacks_are_at_the_floor(classifier, data):
    x = data.examples(8_000, "train", seed=1).x
    found = class_coverage(labels=classifier.label_stacks(x), classes=1000, weights=classifier.law)
    assert abs(found["KL"].excess) < 5
    assert abs(found["modes"].excess) < 4


def test_a_generator_without_red_sevens_is_found_out(classifier, held):
    batch, _ = held
    kept = batch.labels // 100 != 7
    found = stack_coverage(images=batch.x[kept], classifier=classifier)
    assert found["modes"].details["modes_beyond_misreading"] <= 900
    lacking = sum(700 <= mode < 800 for mode in found["modes"].details["missing"])
    assert lacking > 60
    assert found["KL"].excess > 10
    assert found["KL"].value > stack_coverage(images=batch.x, classifier=classifier)["KL"].value + 0.05


def test_the_same_seed_gives_the_same_network(held, data):
    base = load("digits", size=4)  # small, so that it is quick
    state = torch.get_rng_state()
    a, b = stack_classifier(base), stack_classifier(load("digits", size=4, stacked=True))
    assert torch.equal(state, torch.get_rng_state())
    assert a.accuracy == b.accuracy
    assert all(torch.equal(p, q) for p, q in zip(a.network.parameters(), b.network.parameters(), strict=True))
    assert isinstance(a.accuracy, Estimate)
    assert a.shape == (3, 4, 4)


def test_what_is_no_stack_is_refused(classifier):
    for x, message in ((torch.zeros(2, 1, 8, 8), "expected"), (torch.full((2, 3, 8, 8), math.nan), "2 of 2 images")):
        with pytest.raises(UserError, match=message):
            classifier.label_stacks(x)
    for source in ("ring8", "oracle-tokens"):
        with pytest.raises(UserError, match="labelled grey images"):
            stack_classifier(load(source))
    assert classifier.label_stacks(torch.zeros(0, 3, 8, 8)).shape == (0,)
