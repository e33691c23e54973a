"""Mode coverage: closed forms of what a perfect sampler gives, and of what is missing."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from adversaria.data import draw, modes
from adversaria.errors import UserError
from adversaria.metrics.modes import QUALITY, class_coverage, expected_modes, mode_coverage

pytestmark = pytest.mark.usefixtures("float64")


def of(name, n=2500, seed=3):
    points, labels = draw(name, n, seed)
    known = modes(name)
    return torch.from_numpy(points).double(), labels, {"centres": torch.from_numpy(known.centres), "sd": known.sd}


def spread(classes, each):
    return torch.arange(classes).repeat(each)


def test_high_quality_of_a_perfect_sampler_is_not_one():
    assert abs(QUALITY - 0.988891) < 5e-7
    assert 1 - math.exp(-8) == pytest.approx(0.999665, abs=5e-7)
    for name in ("ring8", "grid25"):
        x, _, known = of(name, 20_000)
        found = mode_coverage(generated=x, **known)
        quality = found["high quality"]
        assert abs(quality.excess) < 3
        assert quality.null.mean == pytest.approx(1 - math.exp(-4.5))
        assert quality.interval[0] < QUALITY < quality.interval[1]
        assert quality.protocol["radius_sd"] == pytest.approx(3)
        assert found["modes"].value == found["modes in force"].value == len(known["centres"])
        assert abs(found["KL"].excess) < 4
    few = mode_coverage(generated=x[:20], **known)["modes"]
    assert (few.null.mean, few.null.sd) == expected_modes(20, np.full(25, QUALITY / 25))


def test_the_radius_in_d_dimensions_holds_the_same_mass():
    centres = 100 * torch.eye(700)[:3]
    x = centres[torch.arange(3000) % 3] + torch.from_numpy(np.random.default_rng(0).standard_normal((3000, 700)))
    found = mode_coverage(generated=x, centres=centres, sd=1.0)["high quality"]
    assert abs(found.excess) < 4
    assert found.protocol["radius_sd"] == pytest.approx(math.sqrt(stats.chi2.ppf(QUALITY, 700)), abs=1e-6)
    assert mode_coverage(generated=x, centres=centres, sd=10 / 26.5)["high quality"].value == 0


@pytest.mark.parametrize(
    ("kept", "k", "want", "jsd"),
    [(6, 8, 0.287682, 0.095603), (20, 25, 0.223144, 0.074882), (150, 1000, 1.89712, 0.4705),
     (999, 1000, 0.0010005, 0.000346699)],
)  # fmt: skip
def test_divergences_of_uniform_modes_are_those_of_the_reference(kept, k, want, jsd):
    found = class_coverage(labels=spread(kept, 3), classes=k)
    assert found["KL"].value == pytest.approx(math.log(k / kept), abs=1e-12)
    assert found["KL"].value == pytest.approx(want, abs=6e-7)
    assert found["JSD"].value == pytest.approx(jsd, abs=6e-7)
    assert found["modes"].value == kept
    assert found["modes"].details["missing"] == list(range(kept, k))


def test_a_ring_without_two_modes_is_said_to_lack_them():
    x, labels, known = of("ring8")
    few = x[(labels != 2) & (labels != 5)]
    found = mode_coverage(generated=few, **known)
    assert found["modes"].details["missing"] == found["modes in force"].details["missing"] == [2, 5]
    assert found["KL"].value == pytest.approx(math.log(8 / 6), abs=0.01)
    assert found["KL"].excess > 50
    one = torch.cat([few, x[labels == 2][:3]])
    found = mode_coverage(generated=one, **known)
    assert found["modes"].details["missing"] == [5]
    assert found["modes in force"].details["missing"] == [2, 5]
    assert found["modes in force"].protocol["least"] == math.ceil(len(one) / 80)


def test_samples_far_from_their_mode_do_not_count_for_it():
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0]])
    x = torch.tensor([[0.0, 0.0], [0.0, 2.99], [10.0, 3.01], [7.0, 0.5]])
    found = mode_coverage(generated=x, centres=centres, sd=1.0)
    assert found["high quality"].value == 0.5
    assert found["modes"].value == 1
    assert found["KL"].value == 0


def test_the_number_of_modes_that_a_perfect_sampler_hits_is_exact():
    even = np.full(1000, 1e-3)
    for n, want in ((2500, 918.0), (5000, 993.3), (10_000, 999.95)):
        assert expected_modes(n, even)[0] == pytest.approx(want, abs=0.05)
    assert 1000 - expected_modes(26_000, even)[0] == pytest.approx(5e-9, rel=0.05)
    rng = np.random.default_rng(0)
    even, uneven = np.full(50, 0.0196), np.arange(1, 21) / 210
    for weights, n, least in ((even, 200, 1), (even, 200, 3), (uneven, 60, 1)):
        whole = np.append(weights, max(1 - weights.sum(), 0))
        hits = (rng.multinomial(n, whole, size=20_000)[:, : len(weights)] >= least).sum(1)
        mean, sd = expected_modes(n, weights, least)
        assert abs(hits.mean() - mean) < 4 * sd / math.sqrt(20_000)
        assert hits.std() == pytest.approx(sd, rel=0.03)
    every = expected_modes(2, np.array([0.5, 0.5]))  # one or two modes, evenly
    assert every == (pytest.approx(1.5), pytest.approx(0.5))


def test_the_floor_of_stacked_digits_is_that_of_the_reference():
    labels = torch.from_numpy(np.random.default_rng(1).integers(1000, size=26_000))
    found = class_coverage(labels=labels, classes=1000)["KL"]
    assert found.null.mean == pytest.approx(0.0194, abs=0.0001)
    assert found.null.sd == pytest.approx(0.0009, abs=0.0001)
    assert abs(found.excess) < 4
    assert found.details["most"] == pytest.approx(6.907755, abs=1e-6)
    assert "0.019" in found.bias


def test_errors_of_the_divergence_are_those_of_fresh_samples():
    shares = np.random.default_rng(0).dirichlet(np.ones(30))
    rng = np.random.default_rng(1)
    for law in (shares, np.full(30, 1 / 30)):
        found = [class_coverage(labels=torch.from_numpy(rng.choice(30, 1500, p=law)), classes=30)
                 for _ in range(150)]  # fmt: skip
        for key in ("KL", "JSD"):
            ratio = np.mean([e[key].error for e in found]) / np.std([e[key].value for e in found])
            assert 0.8 < ratio < (1.2 if law is shares else 1.7)


def test_weights_are_what_the_divergences_are_from():
    w = torch.tensor([0.5, 0.25, 0.25])
    found = class_coverage(labels=torch.tensor([0, 0, 1, 2]), classes=3, weights=w)
    assert found["KL"].value == found["JSD"].value == 0
    assert found["modes"].null.mean == pytest.approx(1 - 0.5**4 + 2 * (1 - 0.75**4))
    with pytest.raises(UserError, match="weight 0 occur"):
        class_coverage(labels=torch.tensor([0, 1]), classes=2, weights=torch.tensor([1.0, 0.0]))
    absent = class_coverage(labels=torch.tensor([0, 0]), classes=2, weights=torch.tensor([1.0, 0.0]))
    assert absent["KL"].value == 0


def test_misread_samples_are_not_taken_for_modes():
    rng = np.random.default_rng(2)
    n, a = 26_000, 0.98
    confusion = torch.full((10, 10), (1 - a) / 9)
    confusion.fill_diagonal_(a)
    true = rng.integers(10, size=(n, 3))
    true[:, 0] = rng.integers(7, size=n)  # 700 modes
    wrong = rng.random((n, 3)) > a
    told = np.where(wrong, (true + rng.integers(1, 10, size=(n, 3))) % 10, true)
    found = class_coverage(labels=torch.from_numpy(told @ [100, 10, 1]), classes=1000, confusion=confusion, channels=3)
    found_modes = found["modes"]
    assert found_modes.value > 780
    assert abs(found_modes.details["modes_beyond_misreading"] - 700) < 15
    assert found_modes.details["misread_share"] == pytest.approx(1 - a**3)
    assert found_modes.details["misread"] == pytest.approx(n * (1 - a**3))
    perfect = class_coverage(labels=spread(1000, 26), classes=1000, confusion=confusion, channels=3)["modes"]
    assert perfect.details["modes_that_misreading_explains"] == 0


def test_nulls_are_those_of_a_perfect_sampler_seen_through_the_classifier():
    confusion = torch.tensor([[8.0, 2.0], [0.0, 10.0]])
    found = class_coverage(labels=spread(4, 25), classes=4, confusion=confusion, channels=2)
    q = np.array([0.4, 0.6])
    seen = np.outer(q, q).flatten()
    bias = 3 / 200
    assert found["KL"].null.mean == pytest.approx(stats.entropy(seen, np.full(4, 0.25)) + bias, abs=0.006)
    blank = class_coverage(labels=spread(4, 25), classes=4, confusion=torch.eye(2), channels=2)
    assert blank["modes"].details["misread"] == 0
    lopsided = torch.tensor([[0.5, 0.5], [0.0, 1.0]])  # the first digit is the more significant
    told = class_coverage(labels=torch.tensor([1] * 50), classes=4, confusion=lopsided, channels=2)["modes"]
    assert told.details["misread_share"] == pytest.approx(0.5)


def test_the_same_call_gives_the_same_numbers():
    x, _, known = of("ring8", 500)
    assert mode_coverage(generated=x, **known) == mode_coverage(generated=x, **known)
    single = mode_coverage(generated=x.float(), **known)
    assert single["high quality"].value == mode_coverage(generated=x, **known)["high quality"].value
    for estimate in single.values():
        assert type(estimate).from_dict(estimate.to_dict()).value == estimate.value


def test_what_cannot_be_counted_is_refused():
    x, _, known = of("ring8", 50)
    for options, message in (
        ({"sd": 0.0}, "sd 0"), ({"quantile": 1.0}, "quantile 1"), ({"centres": known["centres"][:1]}, "1 centres"),
        ({"generated": x * math.nan}, "not finite"), ({"centres": torch.ones(3, 5)}, "different numbers"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=message):
            mode_coverage(**({"generated": x} | known | options))
    labels = torch.tensor([0, 1, 2])
    for options, message in (
        ({"labels": labels.double()}, "whole numbers"), ({"labels": labels[:0]}, "whole numbers"),
        ({"classes": 2}, "from 0 to 2"), ({"classes": 1}, "classes is 1"),
        ({"weights": torch.ones(3)}, "weights have shape"), ({"confusion": torch.eye(3)}, "make no 4 classes"),
        ({"confusion": torch.eye(2), "channels": 3}, "make no 4 classes"),
        ({"confusion": torch.tensor([[1.0, 0.0], [0.0, 0.0]]), "channels": 2}, "row without counts"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=message):
            class_coverage(**({"labels": labels, "classes": 4} | options))
