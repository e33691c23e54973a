import math

import numpy as np
import pytest
import torch
from scipy import stats

from adversaria.errors import UserError
from adversaria.metrics.copying import (
    authenticity,
    closest_pairs,
    copying_power,
    data_copying,
    detectable_copies,
    neighbour_ratio,
)
from adversaria.metrics.neighbours import Passes


def drawn(*sizes, d=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(n, d, generator=generator) for n in sizes)


@pytest.mark.parametrize(("n", "z"), [(200, -17.298), (1000, -38.720), (5000, -86.598)])
def test_golden_exact_copies(n, z):
    train, test = drawn(n, n, d=2)
    made = data_copying(train=train, test=test, generated=train, cells=1)
    assert made.value == 0 and made.p < 1e-60
    assert made.details["z"] == pytest.approx(z, abs=6e-4)
    assert made.details["z"] == pytest.approx(-(n * n / 2 - 0.5) / math.sqrt(n * n * (2 * n + 1) / 12), abs=1e-9)
    assert made.details["c_t"] == pytest.approx(made.details["z"], abs=1e-9)
    low, high = made.interval
    assert low == 0 and 0 < high < 4 / n
    assert authenticity(train=train, generated=train).value == 0


def test_auc_and_score_are_mann_whitneys():
    train, test, y = drawn(150, 120, 80)
    made = data_copying(train=train, test=test, generated=1.1 * y)
    distances = [torch.cdist(s.double(), train.double()).amin(1).numpy() for s in (1.1 * y, test)]
    u = stats.mannwhitneyu(*distances, method="asymptotic")
    assert made.value == pytest.approx(u.statistic / (120 * 80), rel=1e-12)
    assert made.p == pytest.approx(u.pvalue, rel=1e-9)
    assert made.null.mean == 0.5 and made.null.sd == pytest.approx(math.sqrt(201 / (12 * 120 * 80)))


def test_copies_underfit_and_good_models_are_told_apart():
    train, test, good = drawn(400, 400, 400)
    copy, far = train + 0.05 * torch.randn(400, 6), 2 * good
    found = [data_copying(train=train, test=test, generated=y) for y in (copy, good, far)]
    assert found[0].interval[1] < 0.1 and found[2].interval[0] > 0.8
    assert found[1].interval[0] < 0.5 < found[1].interval[1] and found[1].p > 0.01
    assert found[0].details["c_t"] < -3 < found[1].details["c_t"] < 3 < found[2].details["c_t"]
    assert found[1].details["cells_used"] == 3


def test_delong_error_is_the_spread_given_the_training_set():
    (train,) = drawn(100, d=3)
    made = []
    for i in range(150):
        test, y = drawn(60, 90, d=3, seed=i + 1)
        made.append(data_copying(train=train, test=test, generated=1.2 * y, cells=1, passes=Passes(1)))
    value = np.array([e.value for e in made])
    assert np.mean([e.error for e in made]) == pytest.approx(value.std(), rel=0.2)
    assert np.mean([e.interval[0] <= value.mean() <= e.interval[1] for e in made]) >= 0.9


def test_data_copying_keeps_its_level():
    p = []
    for i in range(250):
        train, test, y = drawn(50, 40, 60, d=2, seed=i)
        p.append(data_copying(train=train, test=test, generated=y, cells=1).p)
    assert 0.01 <= np.mean(np.array(p) <= 0.05) <= 0.09


def test_a_cell_with_few_generated_examples_is_left_out():
    train = torch.cat([torch.randn(100, 2), torch.randn(100, 2) + 50])
    test = torch.cat([torch.randn(100, 2), torch.randn(100, 2) + 50])
    only = data_copying(train=train, test=test, generated=torch.randn(100, 2), cells=2)
    assert only.details["cells_used"] == 1 and abs(only.details["c_t"]) < 4


def test_authenticity_by_its_definition_and_its_null():
    train, test, y = drawn(120, 200, 90)
    d = torch.cdist(torch.cat([y, test]).double(), train.double())
    own = torch.cdist(train.double(), train.double())
    own.fill_diagonal_(torch.inf)
    yes = (d.amin(1) > own.amin(1)[d.argmin(1)]).double()
    made = authenticity(train=train, generated=y, test=test)
    assert made.value == pytest.approx(float(yes[:90].mean()))
    assert made.null.mean == pytest.approx(float(yes[90:].mean()))
    assert made.interval[0] < made.value < made.interval[1] and abs(made.excess) < 4
    assert authenticity(train=train, generated=y).null is None


def test_ratio_share_has_an_exact_null():
    p, counts = [], []
    n, m = 99, 150
    for i in range(150):
        train, test, y = drawn(60, n, m, d=3, seed=i)
        made = neighbour_ratio(train=train, test=test, generated=y, quantile=0.05)
        p.append(made.p)
        counts.append(made.value)
    assert made.null.mean == pytest.approx(0.05)
    assert abs(np.mean(counts) - 0.05) < 4 * np.std(counts) / 150**0.5
    assert np.std(counts) == pytest.approx(made.null.sd, rel=0.25)
    assert np.mean(np.array(p) <= 0.05) <= 0.09


def test_ratio_by_its_definition():
    train, test, y = drawn(30, 150, 120)
    d = [torch.cdist(s.double(), train.double()).sort().values for s in (test, y)]
    held, made = (s[:, 0] / s[:, 1:10].mean(1) for s in d)
    found = neighbour_ratio(train=train, test=test, generated=y, k=10, quantile=0.1)
    assert found.details["cut"] == pytest.approx(held.sort().values[14].item(), rel=1e-6)
    assert found.value == pytest.approx((made <= found.details["cut"] * (1 + 1e-9)).double().mean().item())


def test_ratio_finds_copies_with_the_power_promised():
    share = detectable_copies(generated=300, test=300)
    assert copying_power(share, generated=300, test=300) == pytest.approx(0.8, abs=0.01)
    found = []
    for i in range(80):
        train, test, y = drawn(200, 300, 300, d=4, seed=i)
        copies = torch.rand(300) < share
        y[copies] = train[torch.randint(0, 200, (int(copies.sum()),))]
        found.append(neighbour_ratio(train=train, test=test, generated=y).p <= 0.05)
    assert np.mean(found) == pytest.approx(0.8, abs=0.16)


def test_power_grows_with_the_share_and_is_the_level_at_none():
    powers = [copying_power(s, generated=1000, test=1000) for s in (0.0, 0.01, 0.02, 0.05, 0.2)]
    assert powers == sorted(powers) and powers[0] <= 0.05 and powers[-1] > 0.999
    # 1000 against 1000, cut at the 1% quantile: 5% of copies can't hide
    assert powers[3] > 0.99


def test_duplicates_between_training_and_held_out_data_raise_no_alarm():
    p = []
    for i in range(60):
        generator = torch.Generator().manual_seed(i)
        train = torch.randn(200, 3, generator=generator)
        new = lambda n: torch.randn(n, 3, generator=generator)  # noqa: B023, E731
        test, y = new(200), new(200)
        for s in (test, y):  # a tenth of new examples are in the training set anyway
            at = torch.rand(200, generator=generator) < 0.1
            s[at] = train[torch.randint(0, 200, (int(at.sum()),), generator=generator)]
        p.append(neighbour_ratio(train=train, test=test, generated=y).p)
    assert np.mean(np.array(p) <= 0.05) <= 0.1


def test_ratio_names_the_copies():
    train, test, y = drawn(200, 200, 100)
    y[[7, 50]] = train[[3, 4]]
    made = neighbour_ratio(train=train, test=test, generated=y)
    assert set(made.details["smallest_rows"][:2]) == {7, 50} and made.details["smallest"][:2] == [0.0, 0.0]
    pairs = closest_pairs(train=train, generated=y, count=5)
    assert list(zip(pairs.first[:2], pairs.second[:2], strict=True)) == [(7, 3), (50, 4)]
    assert len(pairs) == 5 and pairs.distance[0] == 0 and (np.diff(pairs.distance) >= 0).all()


def test_constant_sets_and_bad_input_answer():
    same = torch.ones(30, 2)
    made = data_copying(train=same, test=same, generated=same)
    assert made.value == 0.5 and made.p == 1 and made.error == 0
    assert neighbour_ratio(train=same, test=same, generated=same).p > 0.3
    assert authenticity(train=same, generated=same, test=same).value == 0
    with pytest.raises(UserError, match="test has 1 rows"):
        data_copying(train=same, test=same[:1], generated=same)
    with pytest.raises(UserError, match="quantile 0"):
        neighbour_ratio(train=same, test=same, generated=same, quantile=0)
    x = torch.randn(40, 2)
    assert data_copying(train=x, test=x + 1, generated=x - 1, seed=5) == data_copying(
        train=x, test=x + 1, generated=x - 1, seed=5
    )
