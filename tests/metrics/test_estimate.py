"""Estimates: written and read back whole, compared only where measured alike, differences paired by their influence."""

import json
import math

import numpy as np
import pytest
import torch

from adversaria.errors import UserError
from adversaria.metrics.checks import checked, facts
from adversaria.metrics.estimate import Estimate, Null, comparable, difference, mean

PROTOCOL = {"data": "digits", "features": "pca", "features_hash": "ab", "seed": 0, "n_real": 180}


def a(value=1.0, error=0.1, **changes):
    return Estimate(**({"name": "d", "value": value, "error": error, "n": 10, "protocol": PROTOCOL} | changes))


WRITTEN = [
    a(),
    a(math.inf, math.nan, limits=(3.0, math.inf), lower_is_better=False, unit="examples"),
    a(-math.inf, 0.0, lower_is_better=None, bias="none"),
    a(math.nan, math.nan, limits=(math.nan, 1.0)),
    a(0.0, 0.0, p=0.0, null=Null(0.0, 0.0, 0, "exact"), details={"counts": [1, 2], "missing": [], "rate": 0.5}, n=0),
    a(null=Null(1.5, 0.5, 20)),
]


def same(x, y):
    return x == y or (isinstance(x, float) and isinstance(y, float) and math.isnan(x) and math.isnan(y))


@pytest.mark.parametrize("estimate", WRITTEN)
def test_what_is_written_is_read_back(estimate):
    found = Estimate.from_dict(json.loads(json.dumps(estimate.to_dict())))
    for key in Estimate.__dataclass_fields__:
        expected, got = getattr(estimate, key), getattr(found, key)
        if key == "limits" and expected is not None:
            assert isinstance(got, tuple) and all(map(same, expected, got))
        else:
            assert same(expected, got), key
    assert found.fingerprint == estimate.fingerprint
    assert all(map(same, found.interval, estimate.interval)) and same(found.excess, estimate.excess)


def test_nulls_of_strict_json_are_numbers_again():
    told = {"name": "d", "value": None, "error": None, "n": 3, "limits": ["-inf", None], "metric": "frechet"}
    found = Estimate.from_dict(told)
    assert math.isnan(found.value) and math.isnan(found.error)
    assert found.limits[0] == -math.inf and math.isnan(found.limits[1])
    assert found.lower_is_better is None and found.null is None and found.p is None
    assert Estimate.from_dict(told | {"value": "inf"}).value == math.inf


def test_what_is_not_known_is_not_written():
    assert set(a().to_dict()) == {"name", "value", "error", "n", "protocol", "lower_is_better", "fingerprint"}
    assert a(on_reference=np.zeros(3)).to_dict() == a().to_dict()
    assert {"p", "n"} <= set(a(p=0.0, n=0).to_dict())  # zero is known


def test_fingerprints_are_of_name_and_protocol():
    reordered = dict(reversed(PROTOCOL.items()))
    assert a().fingerprint == a(7.0, 0.2, n=3, bias="b", p=0.1, protocol=reordered).fingerprint
    others = [a(name="e"), a().under(seed=1), a().under(more=1), a(protocol={})]
    assert len({e.fingerprint for e in [a(), *others]}) == 5
    assert len(a().fingerprint) == 12


def test_intervals_and_excess():
    low, high = a(2.0, 0.5).interval
    assert (high - 2, 2 - low) == (pytest.approx(0.97998, abs=1e-5), pytest.approx(0.97998, abs=1e-5))
    assert a(limits=(0.0, 9.0)).interval == (0.0, 9.0)
    assert a(limits=(0.0, 0.0)).interval == (0.0, 0.0)
    assert a(3.0, null=Null(1.0, 0.5, 9)).excess == 4
    assert math.isnan(a(3.0, null=Null(1.0, 0.0, 9)).excess) and math.isnan(a().excess)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (a(name="e"), "'d' and 'e'"),
        (a(unit="nats"), "nats"),
        (a().under(seed=1), "seed 0 against 1"),
        (a().under(features_hash="cd"), "features_hash ab against cd"),
        (a().under(extra=3), "extra unsaid against 3"),
        (a(protocol={k: v for k, v in PROTOCOL.items() if k != "data"}), "data digits against unsaid"),
    ],
)
def test_numbers_measured_differently_are_not_compared(other, named):
    comparable(a(), a(5.0, 1.0))
    for compare in (comparable, difference):
        with pytest.raises(UserError) as told:
            compare(a(), other)
        assert named in str(told.value) and "\n" not in str(told.value)
    if "against" in named:
        assert str(told.value).count("against") == 1  # only what differs


def test_differences_add_variances_where_nothing_is_shared():
    found = difference(a(3.0, 0.3, n=7), a(1.0, 0.4))
    assert (found.value, found.error, found.n) == (2.0, pytest.approx(0.5), 7)
    assert found.protocol["paired"] == "no"
    unlike = difference(a(on_reference=np.zeros(4)), a(on_reference=np.zeros(5)))
    assert unlike.protocol["paired"] == "no"


def test_a_number_less_itself_is_zero_without_error():
    x = mean("m", torch.randn(50), "", {})
    assert difference(x, x).error == pytest.approx(0, abs=1e-8)
    assert difference(x, x).protocol["paired"] == "on the reference"


def test_paired_error_is_the_spread_of_the_difference():
    torch.manual_seed(1)
    errors, values, unpaired = [], [], []
    for _ in range(400):
        shared = torch.randn(60)
        x, y = shared + 0.3 * torch.randn(60), 2 * shared + 0.3 * torch.randn(60)
        p, q = mean("m", x, "", {}), mean("m", y, "", {})
        found = difference(p, q)
        errors.append(found.error)
        values.append(found.value)
        unpaired.append(math.hypot(p.error, q.error))
    spread = np.std(values)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(spread, rel=4 / math.sqrt(2 * 400))
    assert np.mean(unpaired) > 1.8 * spread  # pairing is what makes it so


def test_means_have_the_error_of_a_mean_and_count_what_is_not_finite():
    found = mean("m", torch.tensor([1.0, 2.0, 6.0]), "nats", {"k": 1}, lower_is_better=False)
    assert (found.value, found.error, found.n) == (3.0, pytest.approx(math.sqrt(7 / 3)), 3)
    assert found.details == {} and found.lower_is_better is False and found.unit == "nats"
    assert found.on_reference.tolist() == [-2.0, -1.0, 3.0]
    broken = mean("m", torch.tensor([1.0, math.inf, math.nan]), "", {})
    assert broken.details == {"not_finite": 2} and not math.isfinite(broken.value)
    with pytest.raises(ValueError, match="at least 2"):
        mean("m", torch.ones(1), "", {})


def test_half_precision_is_summed_in_double():
    x = torch.full((100_000,), 1.0, dtype=torch.float32)
    x[0] = 1e8
    assert mean("m", x, "", {}).value == pytest.approx((99_999 + 1e8) / 1e5, rel=1e-12)


def test_words_name_value_null_and_protocol():
    said = str(a(3.0, 0.5, p=0.04, null=Null(1.0, 0.1, 20), bias="upward", unit="nats"))
    for part in ("d 3 +- 0.5 nats", "n = 10", "p = 0.04", "null 1 +- 0.1", "upward", "features hash ab"):
        assert part in said
    assert "in [0, inf]" in str(a(5.0, math.nan, limits=(0.0, math.inf)))


@pytest.mark.parametrize(
    ("sets", "named"),
    [
        ({"x": torch.zeros(3)}, "x has shape"),
        ({"x": torch.zeros(3, 2, dtype=torch.long)}, "dtype"),
        ({"x": torch.zeros(1, 2)}, "x has 1 rows"),
        ({"x": torch.tensor([[0.0], [math.nan]])}, "1 of 2 rows of x"),
        ({"x": torch.zeros(3, 2), "y": torch.zeros(3, 1)}, "different numbers of features"),
        ({"x": torch.zeros(3, 0)}, "different numbers of features"),
    ],
)
def test_sets_are_refused_by_name(sets, named):
    with pytest.raises(UserError, match=named):
        checked(**sets)


def test_facts_tell_sizes_width_and_precision():
    assert facts(real=torch.zeros(3, 2), generated=torch.zeros(5, 2)) == {
        "n_real": 3, "n_generated": 5, "d": 2, "dtype": "float32"
    }  # fmt: skip


def test_an_array_is_told_to_become_a_tensor():
    with pytest.raises(UserError, match="real is a ndarray; give a torch tensor"):
        checked(real=np.zeros((3, 2)))  # type: ignore[arg-type]


def test_a_null_without_spread_gives_no_excess():
    known = Estimate("modes", 7.0, 0.1, 100, null=Null(8.0, 1.6e-143, 0))
    assert math.isnan(known.excess)
    assert Estimate("modes", 7.0, 0.1, 100, null=Null(8.0, 0.5, 0)).excess == -2.0
