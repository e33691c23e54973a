"""Wasserstein distances: closed forms, scipy and POT, error and influence against simulation."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from adversaria.errors import UserError
from adversaria.metrics import difference
from adversaria.metrics.transport import sliced_wasserstein, wasserstein, wasserstein_1d

pytestmark = pytest.mark.usefixtures("float64")


def repeated(values, counts):
    return torch.tensor(values).repeat_interleave(torch.tensor(counts))


def test_golden_values_on_a_line():
    x, y = repeated([0.0, 1.0, 2.0], [2, 5, 3]), repeated([0.0, 1.0, 2.0], [5, 3, 2])
    assert wasserstein_1d(real=x, generated=y).value == pytest.approx(0.4, abs=1e-9)
    assert wasserstein_1d(real=x, generated=y, p=2).value ** 2 == pytest.approx(0.4, abs=1e-9)
    z = torch.randn(500)
    for p in (1, 2, 3):
        assert wasserstein_1d(real=z, generated=z + 3, p=p).value == pytest.approx(3, abs=1e-9)
    assert wasserstein_1d(real=z, generated=3 * z, p=2).value == pytest.approx(2 * float(z.square().mean()) ** 0.5)
    n = 40_000
    grid = torch.special.ndtri((torch.arange(n) + 0.5) / n)
    assert wasserstein_1d(real=grid, generated=3 * grid).value == pytest.approx(0.797885 * 2, rel=1e-4)


@pytest.mark.parametrize(("n", "m"), [(40, 40), (30, 70), (64, 48), (10, 1000)])
def test_agrees_with_scipy_for_any_sizes(n, m):
    x, y = torch.randn(n), torch.randn(m).exp()
    expected = stats.wasserstein_distance(x.numpy(), y.numpy())
    assert wasserstein_1d(real=x, generated=y).value == pytest.approx(expected, rel=1e-9)
    assert wasserstein_1d(real=y, generated=x).value == pytest.approx(expected, rel=1e-9)


def test_agrees_with_pot():
    ot = pytest.importorskip("ot", reason="POT isn't installed")
    x, y = torch.randn(30), torch.randn(45) * 2
    expected = float(ot.wasserstein_1d(x.numpy(), y.numpy(), p=2)) ** 0.5
    assert wasserstein_1d(real=x, generated=y, p=2).value == pytest.approx(expected, rel=1e-6)
    a, b = torch.randn(60, 3), torch.randn(60, 3) + 1
    cost = ot.dist(a.numpy(), b.numpy(), metric="euclidean")
    exact = float(ot.emd2([], [], cost))
    assert wasserstein(real=a, generated=b, repeats=1).value == pytest.approx(exact, rel=1e-6)
    from adversaria.metrics.transport import _directions

    u = _directions(3, 50, 0).numpy()
    for p in (1, 2):
        plain = float(ot.sliced_wasserstein_distance(a.numpy(), b.numpy()[:40], projections=u, p=p))
        found = sliced_wasserstein(real=a, generated=b[:40], p=p, directions=50)
        assert found.details["plain"] == pytest.approx(plain, rel=1e-6)
        assert found.value == pytest.approx(plain * 3**0.5, rel=1e-6)


@pytest.mark.parametrize(("d", "share"), [(2, 0.636620), (3, 0.5), (2048, 0.0176331)])
def test_sliced_distance_of_two_points_is_the_mean_of_a_coordinate(d, share):
    v = torch.zeros(1, d)
    v[0, 0] = 2.0
    found = sliced_wasserstein(real=torch.zeros(8, d), generated=v.repeat(8, 1), directions=4096 if d < 10 else 2048)
    assert found.details["plain"] == pytest.approx(2 * share, abs=4 * found.details["direction_error"] / d**0.5)
    assert found.details["plain"] == pytest.approx(2 * share, rel=0.03)
    assert found.error == 0


def test_sliced_distance_of_order_2_counts_a_shift_by_its_length():
    """Whole orthonormal frames sum u.v squared to |v|^2, so nothing is left to chance."""
    x, v = torch.randn(50, 16), torch.randn(16)
    found = sliced_wasserstein(real=x, generated=x + v, p=2, directions=32)
    assert found.value == pytest.approx(float(v.norm()), rel=1e-9)
    assert found.details["plain"] ** 2 == pytest.approx(float(v.square().sum()) / 16, rel=1e-9)
    n = 20_000
    wide = sliced_wasserstein(real=torch.randn(n, 2), generated=3 * torch.randn(n, 2), p=2, directions=16)
    assert wide.details["plain"] == pytest.approx(2, abs=4 * wide.error / 2**0.5 + 0.01)


def test_two_samples_of_one_normal_law_lie_apart_by_the_known_floor():
    found = [wasserstein_1d(real=torch.randn(1000), generated=torch.randn(1000)).value for _ in range(100)]
    assert np.mean(found) == pytest.approx(0.059, abs=4 * np.std(found) / 10)


def test_direction_error_is_the_spread_over_directions():
    v = torch.zeros(1, 50)
    v[0, 0] = 3.0
    sets = {"real": torch.zeros(4, 50), "generated": v.repeat(4, 1)}
    found = [sliced_wasserstein(**sets, directions=10, seed=seed) for seed in range(300)]
    spread = np.std([e.value for e in found])
    assert np.mean([e.details["direction_error"] for e in found]) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("m", [300, 120])
def test_interval_on_a_line_holds_where_the_laws_differ(p, m):
    n, repeats = 300, 200
    truth = 1.0  # N(0, 1) against N(1, 1)
    found = [wasserstein_1d(real=torch.randn(n), generated=torch.randn(m) + 1, p=p) for _ in range(repeats)]
    value, error = np.array([e.details["corrected"] for e in found]), np.array([e.error for e in found])
    inside = np.mean(np.abs(value - truth) < 1.96 * error)
    assert 0.90 <= inside <= 0.985, inside
    assert np.sqrt(np.mean(error**2)) == pytest.approx(value.std(), rel=0.2)


def test_sliced_error_and_correction_hold_where_the_laws_differ():
    d, n, m, repeats = 8, 400, 300, 100

    def pair(n, m):
        return {"real": torch.randn(n, d).relu(), "generated": (1.2 * torch.randn(m, d) + 0.3).relu()}

    truth = sliced_wasserstein(**pair(60_000, 60_000), directions=32).value
    found = [sliced_wasserstein(**pair(n, m), directions=32) for _ in range(repeats)]
    value, error = np.array([e.value for e in found]), np.array([e.error for e in found])
    corrected = np.array([e.details["corrected"] for e in found])
    assert np.sqrt(np.mean(error**2)) == pytest.approx(value.std(), rel=0.25)
    assert abs(corrected.mean() - truth) < 0.5 * abs(value.mean() - truth)
    assert 0.88 <= np.mean(np.abs(corrected - truth) < 1.96 * error) <= 1


@pytest.mark.parametrize("p", [1, 2])
def test_influence_says_what_an_example_adds(p):
    x, y = torch.randn(300, 3), torch.randn(200, 3) * 1.5 + 0.5
    whole = sliced_wasserstein(real=x, generated=y, p=p, directions=30)
    assert whole.on_reference.var(ddof=1) / 300 == pytest.approx(whole.details["error_real"] ** 2, rel=1e-9)
    moves = []
    for i in range(0, 300, 6):
        rest = sliced_wasserstein(real=torch.cat([x[:i], x[i + 1 :]]), generated=y, p=p, directions=30)
        moves.append((whole.value - rest.value) * 299)
    assert np.corrcoef(moves, whole.on_reference[::6])[0, 1] > 0.98
    assert np.std(moves) == pytest.approx(whole.on_reference[::6].std(), rel=0.15)


def test_the_reference_pairs_two_models():
    x = torch.randn(400, 4)
    a, b = (sliced_wasserstein(real=x, generated=torch.randn(400, 4) + 0.7) for _ in range(2))
    assert difference(a, b).error < 0.85 * math.hypot(a.error, b.error)


def test_order_seed_and_precision():
    x, y = torch.randn(90, 5), torch.randn(70, 5) + 1
    here = sliced_wasserstein(real=x, generated=y)
    assert sliced_wasserstein(real=x, generated=y) == here
    mixed = sliced_wasserstein(real=x[torch.randperm(90)], generated=y.flip(0))
    assert mixed.value == pytest.approx(here.value, rel=1e-9)
    assert mixed.error == pytest.approx(here.error, rel=1e-9)
    assert sliced_wasserstein(real=x, generated=y, seed=1).value != here.value
    single = sliced_wasserstein(real=x.float(), generated=y.float())
    assert single.value == pytest.approx(here.value, rel=1e-4)
    before = torch.get_rng_state()
    wasserstein(real=x, generated=y, repeats=2)
    assert torch.equal(before, torch.get_rng_state())


def test_exact_distance_of_small_sets():
    x, y = torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    found = wasserstein(real=x, generated=y, repeats=1)
    assert found.value == pytest.approx(1, abs=1e-9)
    assert math.isnan(found.error)
    line = torch.rand(100, 1)
    for theta in (0.5, 2.0):  # two parallel lines
        shifted = torch.cat([torch.full((100, 1), theta), line], 1)
        flat = torch.cat([torch.zeros(100, 1), line], 1)
        assert wasserstein(real=flat, generated=shifted, repeats=1).value == pytest.approx(theta, abs=1e-9)
    a, b = torch.randn(80, 1), torch.randn(80, 1)
    for p in (1, 2):
        assert wasserstein(real=a, generated=b, p=p, repeats=1).value == pytest.approx(
            wasserstein_1d(real=a[:, 0], generated=b[:, 0], p=p).value, rel=1e-9
        )


def test_exact_distance_repeats_on_rows_that_no_other_repeat_has():
    x, y = torch.randn(300, 2), torch.randn(200, 2)
    found = wasserstein(real=x, generated=y, most=50, repeats=3)
    assert (found.protocol["size"], found.n) == (50, 150)
    assert wasserstein(real=x, generated=y, repeats=4).protocol["size"] == 50
    assert found == wasserstein(real=x, generated=y, most=50, repeats=3)
    assert found.details["lowest"] < found.value < found.details["highest"]
    # Were rows shared, identical sets cut alike would be at distance 0; and each is drawn anew.
    assert wasserstein(real=x, generated=x, most=50, repeats=3).value > 0.1
    many = [wasserstein(real=torch.randn(100, 2), generated=torch.randn(100, 2), repeats=5) for _ in range(60)]
    values, errors = np.array([e.value for e in many]), np.array([e.error for e in many])
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(values.std(), rel=0.3)


def test_distance_of_samples_in_many_dimensions_stays_large():
    """W_1 of two samples of N(0, I/d), 500 each at d = 1000, is about 1.345."""
    x, y = torch.randn(500, 1000) / 1000**0.5, torch.randn(500, 1000) / 1000**0.5
    assert wasserstein(real=x, generated=y, repeats=1).value == pytest.approx(1.345, abs=0.02)


def test_identical_and_constant_sets():
    x = torch.randn(40, 3)
    for p in (1, 2):
        same = sliced_wasserstein(real=x, generated=x, p=p)
        assert (same.value, same.error) == (0.0, 0.0)
    one = sliced_wasserstein(real=torch.ones(10, 3), generated=torch.ones(20, 3), p=2)
    assert (one.value, one.error) == (0.0, 0.0)


def test_what_means_nothing_is_refused():
    x = torch.randn(40, 3)
    with pytest.raises(UserError, match="not finite"):
        sliced_wasserstein(real=x, generated=x.log())
    with pytest.raises(UserError, match="p is"):
        sliced_wasserstein(real=x, generated=x, p=0.5)
    with pytest.raises(UserError, match="directions is 0"):
        sliced_wasserstein(real=x, generated=x, directions=0)
    with pytest.raises(UserError, match="expected \\(n,\\)"):
        wasserstein_1d(real=x, generated=x)
    with pytest.raises(UserError, match="at least 10"):
        wasserstein(real=x, generated=x[:9])
    with pytest.raises(UserError, match="different numbers"):
        wasserstein(real=x, generated=x[:, :2])
