"""Positive controls do what they say, never touch the reference, and are seen by the metrics that are meant to."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import adversaria as adv
import adversaria.evaluation.sensitivity as table_of
from adversaria.errors import UserError
from adversaria.evaluation import controls
from adversaria.evaluation.choice import features_for
from adversaria.evaluation.controls import (
    CONTROLS,
    Pool,
    blur,
    copy,
    drop,
    duplicate,
    faults,
    gather,
    noise,
    pool_of,
)
from adversaria.evaluation.features import Features, pixels
from adversaria.evaluation.sensitivity import _cell, sensitivity
from adversaria.evaluation.sets import prepare
from adversaria.metrics.estimate import Estimate, Null
from adversaria.metrics.spectrum import high_frequency_ratio


@pytest.fixture(scope="module")
def digits():
    return adv.load("digits")


@pytest.fixture(scope="module")
def pool(digits):
    return pool_of(digits, digits.members("test")[0])


def rows(x):
    return {row.numpy().tobytes() for row in x}


def test_pool_holds_real_examples_outside_of_the_reference(digits, pool):
    reference = rows(gather(digits, digits.members("test")[0]))
    everything = rows(gather(digits, np.arange(len(digits))))
    assert rows(pool.x) <= everything and rows(pool.train) <= everything
    assert not rows(pool.x) & reference and not rows(pool.train) & reference
    assert not rows(pool.x) & rows(pool.train)
    assert np.isin(pool.train_places, digits.members("train")[0]).all()
    assert torch.equal(gather(digits, pool.train_places), pool.train)
    held = digits.size("valid")
    assert rows(pool.take(held)) == rows(gather(digits, digits.members("valid")[0]))  # held-out ones first
    assert pool.image and len(pool.x) == len(pool.classes) == held + digits.size("train") - len(pool.train)


def test_pool_knows_its_classes(digits, pool):
    everything = gather(digits, np.arange(len(digits)))
    labelled = dict(zip((r.numpy().tobytes() for r in everything), digits.labels, strict=True))
    assert [labelled[r.numpy().tobytes()] for r in pool.x] == pool.classes.tolist()


def test_pool_of_unlabelled_data_has_clusters(digits):
    found = pool_of(replace(digits, labels=None), digits.members("test")[0])
    assert set(found.classes) == set(range(10))


def test_pool_is_no_larger_than_asked(digits):
    found = pool_of(digits, digits.members("test")[0], most=30)
    assert len(found.x) == 30 == len(found.train)


@pytest.mark.parametrize(("share", "gone"), [(0.01, 1), (0.1, 1), (0.3, 3), (0.5, 5)])
def test_dropped_classes_are_gone_and_the_largest_go_first(pool, share, gone):
    x = drop(pool, 10_000, share)
    of = dict(zip((r.numpy().tobytes() for r in pool.x), pool.classes, strict=True))
    left = {of[r.numpy().tobytes()] for r in x}
    kinds, counts = np.unique(pool.classes, return_counts=True)
    assert left == set(kinds[np.argsort(-counts, kind="stable")][gone:])
    assert len(x) == np.isin(pool.classes, list(left)).sum()  # and nothing else is
    assert len(drop(pool, 50, share)) == 50


def test_copies_are_exact_training_examples(pool):
    x = copy(pool, 200, 0.05)
    copied = [i for i, row in enumerate(x) if row.numpy().tobytes() in rows(pool.train)]
    assert copied == list(range(10)) and len(rows(x[:10])) == 10
    assert torch.equal(x[10:], pool.take(200)[10:])
    assert not rows(pool.x) & rows(pool.train)  # the pool itself is as it was


def test_duplicates_are_of_others_in_the_set(pool):
    x = duplicate(pool, 200, 0.1)
    assert len(rows(x)) == 180 and rows(x) <= rows(pool.take(200)) and len(x) == 200
    assert len(rows(duplicate(pool, 200, 0.9))) == 100
    assert len(rows(pool.take(200))) == 200


def test_blur_is_a_gaussian_of_its_width():
    x = torch.zeros(1, 2, 21, 21)
    x[0, 0, 10, 10], x[0, 1] = 1, 0.5
    found = blur(Pool(x, np.zeros(1), x, np.zeros(0), True), 1, 1.5)
    at = torch.arange(21.0) - 10
    spot = found[0, 0]
    assert spot.sum() == pytest.approx(1, abs=1e-5)
    assert (spot.sum(0) * at**2).sum() == pytest.approx(1.5**2, rel=0.05)
    assert (spot.sum(1) * at**2).sum() == pytest.approx(1.5**2, rel=0.05)
    assert torch.allclose(found[0, 1], torch.full((21, 21), 0.5))  # a grey image stays one


def test_blur_takes_high_frequencies_and_more_of_it_more(pool):
    power = [high_frequency_ratio(real=pool.take(300), generated=blur(pool, 300, s)).value for s in (0.3, 0.5, 1, 2)]
    assert sorted(power, reverse=True) == power and power[0] < 1 and power[-1] < 0.1


@pytest.mark.parametrize("sds", [0.05, 0.3])
def test_noise_has_its_level(sds):
    x = 3 * torch.randn(4000, 2)
    made = Pool(x, np.zeros(4000), x, np.zeros(0), False)
    added = noise(made, 4000, sds) - x
    assert added.std() == pytest.approx(sds * float(x.std()), rel=0.05)
    assert abs(np.corrcoef(added.flatten(), x.flatten())[0, 1]) < 0.05
    spoilt = noise(replace(made, image=True), 4000, sds)
    assert spoilt.abs().max() <= 1 and torch.equal(spoilt, (x + added).clamp(-1, 1))


def test_controls_repeat_and_leave_generators_and_pool_alone(digits, pool):
    state, before = torch.get_rng_state(), pool.x.clone()
    for control in CONTROLS.values():
        first = control.spoil(pool, 100, control.strength)
        torch.manual_seed(5)
        assert torch.equal(first, control.spoil(pool, 100, control.strength)) and len(first) == 100
        assert not torch.equal(first, pool.take(100))
    torch.set_rng_state(state)
    again = pool_of(digits, digits.members("test")[0])
    assert torch.equal(again.x, before) and torch.equal(pool.x, before) and torch.equal(state, torch.get_rng_state())


def test_pixels_rank_the_controls_and_blind_features_do_not(digits):
    assert faults(pixels(digits.spec), digits) == []
    blind = Features("noise", "ab", 3, lambda x: torch.randn(len(x), 3, generator=torch.Generator().manual_seed(0)))
    found = faults(blind, digits)
    assert [f.split()[0] for f in found] == ["drop", "blur", "noise"] and "unspoilt" in found[0]


@pytest.mark.parametrize(
    ("values", "spoilt"),
    [([1, 2, 3], False), ([1, 1, 3], False), ([2, 1, 3], True), ([1, 3, 2], True), ([0.1, 0.2, 0.29], True),
     ([0.1, 0.2, 0.31], False)],
)  # fmt: skip
def test_features_rank_where_distances_grow_and_the_last_is_beyond_the_error(digits, monkeypatch, values, spoilt):
    told = iter([(0.0, 0.1), *((v, 0.1) for v in [*values, 1, 2, 3, 1, 2, 3])])  # unspoilt, drop, blur, noise
    monkeypatch.setattr(controls, "frechet_distance", lambda **_: number(*next(told)))
    found = faults(pixels(digits.spec), digits)
    assert [f.split()[0] for f in found] == ["drop"] * spoilt


def test_points_are_not_blurred():
    data = adv.load("ring8")
    told = sensitivity(data, pixels(data.spec), ["frechet"], n=200)
    assert set(told["controls"]) == {"drop", "copy", "noise", "duplicate"}
    assert faults(pixels(data.spec), data) == []


# the table


@pytest.fixture(scope="module")
def table(digits):
    state = torch.get_rng_state()
    names = ["frechet", "sliced", "manifold", "vendi", "bins", "classes", "detail", "birthday", "copies",
             "nearest-neighbour", "classifier-test"]  # fmt: skip
    told = sensitivity(digits, features_for(digits), names)
    assert torch.equal(state, torch.get_rng_state())
    return told


def seen(table, control):
    return {row["metric"] for row in table["rows"] if row["cells"][control] and row["cells"][control]["seen"]}


def test_unspoilt_data_raise_no_alarm(table):
    assert len(table["rows"]) >= 15
    assert len(seen(table, "real")) <= 1, seen(table, "real")


@pytest.mark.parametrize(
    ("control", "by"),
    [
        ("drop", {"coverage", "classes"}),
        ("copy", {"near-copies"}),
        ("blur", {"detail", "frechet", "sliced", "coverage", "precision", "classifier-test"}),
        ("noise", {"coverage"}),
        ("duplicate", {"birthday", "nearest-neighbour"}),
    ],
)
def test_each_fault_is_seen_by_what_is_meant_to_see_it(table, control, by):
    assert by <= seen(table, control), seen(table, control)


def test_faults_are_told_apart(table):
    assert not {"near-copies", "authenticity", "copying"} & (seen(table, "drop") | seen(table, "duplicate"))
    assert not {"coverage", "detail", "frechet", "classes", "birthday"} & seen(table, "copy")
    assert "detail" not in seen(table, "drop")


def test_the_table_is_whole_and_plain(table):
    json.dumps(table, allow_nan=False)
    assert table["controls"]["drop"] == "a tenth of the classes left out" and table["n"] == 358 == table["n_real"]
    assert table["against"] == "test and valid" and table["features"]["name"] == "trained classifier"
    for row in table["rows"]:
        assert set(row["cells"]) == {"real", *CONTROLS} and row["name"]
        for cell in filter(None, row["cells"].values()):
            assert cell["by"] in ("p", "excess") and isinstance(cell["seen"], bool)
            assert (cell["p"] is None) == (cell["by"] == "excess") == (cell["excess"] is not None)


def test_all_columns_are_of_one_size(digits, monkeypatch):
    """Nulls are of one size: where a control leaves fewer, all are fewer."""
    sizes = []
    monkeypatch.setattr(table_of, "prepare", lambda *a, **kw: sizes.append(len(a[1])) or prepare(*a, **kw))
    few = digits.splits | {"train": digits.splits["train"][:60], "test": digits.splits["test"]}
    small = replace(digits, splits={**few, "valid": digits.splits["valid"][:40]})
    sensitivity(small, pixels(small.spec), ["sliced"])
    assert len(sizes) == 6 and len(set(sizes)) == 1


@pytest.mark.parametrize("kind", ["binary", "sequence"])
def test_what_cannot_be_spoilt_is_refused(digits, kind):
    data = replace(digits, spec=replace(digits.spec, kind=kind))
    with pytest.raises(UserError, match="images and points"):
        sensitivity(data, pixels(digits.spec))


def test_unknown_metrics_are_refused_before_anything_is_measured(digits):
    with pytest.raises(UserError, match="unknown metric 'frechett'"):
        sensitivity(digits, None, ["frechett"])


def number(value, error=0.1, **changes):
    return Estimate("x", value, error, 9, **changes)


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        (None, None),
        (number(1.0), None),  # no null: nothing to judge by
        (number(1.0, p=0.009), {"p": 0.009, "seen": True}),
        (number(1.0, p=0.01), {"p": 0.01, "seen": False}),
        (number(4.1, null=Null(1.0, 1.0, 9)), {"excess": pytest.approx(3.1), "seen": True}),
        (number(-2.1, null=Null(1.0, 1.0, 9)), {"excess": pytest.approx(-3.1), "seen": True}),
        (number(3.9, null=Null(1.0, 1.0, 9)), {"excess": pytest.approx(2.9), "seen": False}),
        (number(1.0, null=Null(1.5, 0.0, 9)), {"excess": 0.0, "seen": True}),  # beyond its interval
        (number(1.4, null=Null(1.5, 0.0, 9)), {"excess": 0.0, "seen": False}),
        (number(float("inf"), float("nan"), limits=(9.0, float("inf")), null=Null(50.0, 20.0, 1)),
         {"value": "inf", "excess": 0.0, "seen": False}),
        (number(10.0, float("nan"), limits=(8.0, 12.0), null=Null(1000.0, 700.0, 1)),
         {"excess": pytest.approx(np.log(0.01) / 0.7), "seen": True}),
    ],
)  # fmt: skip
def test_cells(estimate, expected):
    cell = _cell(estimate)
    if expected is None:
        assert cell is None
    else:
        assert {key: cell[key] for key in expected} == expected
