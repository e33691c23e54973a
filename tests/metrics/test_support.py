import math

import numpy as np
import pytest
import torch

from adversaria.errors import UserError
from adversaria.metrics.neighbours import Passes
from adversaria.metrics.support import (
    birthday,
    closest,
    collision_probability,
    confirmed_support,
    even_draws,
    support_curve,
)


@pytest.mark.parametrize(("s", "p"), [(22, 0.475695), (23, 0.507297), (50, 0.970374)])
def test_golden_birthdays(s, p):
    assert collision_probability(s, 365) == pytest.approx(p, abs=5e-7)
    assert collision_probability(s, 365) == pytest.approx(1 - math.prod(1 - i / 365 for i in range(s)), abs=1e-12)


def test_golden_sizes():
    assert [even_draws(n) for n in (365, 10_000, 160_000, 1_000_000)] == [23, 119, 472, 1178]
    assert 0.3914 <= collision_probability(100, 10_000) <= 0.3935
    assert collision_probability(366, 365) == 1 and collision_probability(1, 365) == 0


@pytest.mark.parametrize(("s", "low"), [(400, 26.6e3), (1000, 167e3)])
def test_no_collision_gives_a_lower_bound(s, low):
    made = birthday(generated=torch.arange(s)[:, None].double(), threshold=0.5)
    assert made.value == math.inf and made.interval[1] == math.inf
    assert made.interval[0] == pytest.approx(s * (s - 1) / 2 / 2.9957, rel=1e-4) == pytest.approx(low, rel=5e-3)


def test_pairs_are_counted():
    made = birthday(generated=torch.tensor([[0.0], [0.0], [0.0], [5.0], [5.5], [9.0]]), threshold=0.5)
    assert made.details["colliding"] == 4 and made.value == 15 / 4
    assert made.interval[0] >= 1
    assert birthday(generated=torch.zeros(50, 3), threshold=0.0).value == 1


LAWS = {
    "uniform": np.ones(2000),
    "zipf": 1 / np.arange(1, 2001),
    "an atom of 1% on 1e5": np.r_[np.full(100_000, 0.99e-5), 0.01],
    "geometric": 0.98 ** np.arange(500),
}


@pytest.mark.parametrize("name", LAWS)
def test_interval_holds_for_uniform_and_uneven_laws(name):
    law, generator, hits = LAWS[name] / LAWS[name].sum(), np.random.default_rng(1), []
    true = 1 / (law**2).sum()
    for _ in range(100):
        draws = torch.from_numpy(generator.choice(len(law), 300, p=law)).double()[:, None]
        low, high = birthday(generated=draws, threshold=0.0).interval
        hits.append(low <= true <= high)
    assert np.mean(hits) >= 0.88


def test_pairs_of_a_uniform_law_are_not_held_to_be_dependent():
    generator = torch.Generator().manual_seed(0)
    draws = torch.randint(0, 500, (1000, 1), generator=generator).double()
    assert birthday(generated=draws, threshold=0.0).details["dispersion"] < 1.5
    assert birthday(generated=draws.square() // 500, threshold=0.0).details["dispersion"] > 2


def test_threshold_is_the_quantile_of_real_neighbours():
    real, y = torch.randn(200, 4), torch.randn(150, 4)
    made = birthday(generated=y, real=real, quantile=0.1)
    d = torch.cdist(real.double(), real.double(), compute_mode="donot_use_mm_for_euclid_dist")
    d.fill_diagonal_(torch.inf)
    assert made.details["threshold"] == pytest.approx(d.amin(1).sort().values[19].item(), rel=1e-12)
    assert made.details["real_colliding"] >= 10
    assert made.null.mean == pytest.approx(200 * 199 / 2 / made.details["real_colliding"])
    assert made.null.mean == birthday(generated=real, threshold=made.details["threshold"]).value
    assert birthday(generated=y, real=real, quantile=0.1, passes=Passes()) == made


def test_a_collapsed_model_has_a_small_support():
    real = torch.randn(400, 8)
    atoms = torch.randn(10, 8)[torch.arange(400) % 10]
    collapsed = birthday(generated=atoms + 1e-3 * torch.randn(400, 8), real=real)
    good = birthday(generated=torch.randn(400, 8), real=real)
    assert collapsed.interval[0] < 10.3 and 9 < collapsed.value < 11
    assert good.interval[0] > 100 * collapsed.interval[1]


def test_curve_falls_with_the_threshold():
    y = torch.rand(100, 2).double()
    curve = support_curve(generated=y, thresholds=[0.0, 0.02, 0.1, 2.0])
    sizes = [row[1] for row in curve]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] == math.inf and sizes[-1] == 1
    assert curve[2][1] == birthday(generated=y, threshold=0.1).value
    assert all(low <= size <= high for _, size, low, high in curve)


def test_closest_pairs_come_once_and_in_order():
    y = torch.randn(60, 3)
    y[41] = y[7]
    y[20] = y[9] + 1e-5
    pairs = closest(generated=y, count=30)
    assert (pairs.first[0], pairs.second[0]) == (7, 41) and (pairs.first[1], pairs.second[1]) == (9, 20)
    assert len({frozenset(p) for p in zip(pairs.first, pairs.second, strict=True)}) == 30
    d = torch.cdist(y.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist")
    want = d[tuple(torch.triu_indices(60, 60, 1))].sort().values[:30]
    assert pairs.distance == pytest.approx(want.numpy(), rel=1e-9)


def test_bad_input_is_refused():
    with pytest.raises(UserError, match="give one of them"):
        birthday(generated=torch.randn(10, 2))
    with pytest.raises(UserError, match="threshold -1"):
        birthday(generated=torch.randn(10, 2), threshold=-1)
    with pytest.raises(UserError, match="quantile 2"):
        birthday(generated=torch.randn(10, 2), real=torch.randn(10, 2), quantile=2)
    with pytest.raises(UserError, match="generated has 1 rows"):
        birthday(generated=torch.randn(1, 2), threshold=1)


def test_what_a_person_confirms_gives_the_pairs_over_the_duplicates():
    found = confirmed_support(duplicates=3, samples=400)
    assert found.value == pytest.approx(400 * 399 / 2 / 3)
    low, high = found.limits
    assert (low, high) == pytest.approx(
        (79_800 / 8.767273, 79_800 / 0.618672), rel=1e-5
    )  # Garwood: 3 has 0.619 to 8.77
    none = confirmed_support(duplicates=0, samples=400)
    assert none.value == math.inf and none.limits[0] == pytest.approx(79_800 / 2.995732, rel=1e-5)
    assert confirmed_support(duplicates=20, samples=400).limits[0] == 0.0  # all confirmed: there may be more
    for bad in (
        {"duplicates": 21, "samples": 400},
        {"duplicates": -1, "samples": 400},
        {"duplicates": 0, "samples": 1},
    ):
        with pytest.raises(UserError, match="duplicates among"):
            confirmed_support(**bad)
