"""Divergences and transport between laws that are known, against closed forms and independent implementations."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from adversaria.distributions import (
    by_quantiles,
    jensen_shannon,
    kl,
    line,
    optimal_plan,
    rectangle,
    sinkhorn,
    total_variation,
)
from adversaria.distributions.energies import energy
from adversaria.errors import UserError
from adversaria.game import Adam
from adversaria.metrics import neural_distance
from adversaria.nn.mlp import MLPReader
from adversaria.objectives.divergences import FDivergence
from adversaria.objectives.losses import Minimax

N = torch.distributions.Normal


def masses(k):
    return st.lists(st.floats(0.01, 1.0), min_size=k, max_size=k).map(lambda w: torch.tensor(w).double())


def laws(k):
    return masses(k).map(lambda w: w / w.sum())


@settings(deadline=None, max_examples=30)
@given(laws(5), laws(5))
def test_of_discrete_laws_they_are_what_f_divergences_and_scipy_say(p, q):
    log_p, log_q = p.log(), q.log()
    np.testing.assert_allclose(float(kl(log_p, log_q)), stats.entropy(p, q), atol=1e-14)
    for name, found in (("kl", kl(log_p, log_q)), ("jensen-shannon", 2 * jensen_shannon(log_p, log_q)),
                        ("total-variation", total_variation(log_p, log_q))):  # fmt: skip
        assert float(found) == pytest.approx(float(FDivergence(name).between(p, q)), abs=1e-12)


def test_states_without_mass_count_as_they_must():
    p, q = torch.tensor([0.5, 0.5, 0.0]).log(), torch.tensor([0.0, 0.5, 0.5]).log()
    assert kl(p, q) == math.inf
    assert float(jensen_shannon(p, q)) == pytest.approx(math.log(2) / 2)
    assert float(total_variation(p, q)) == pytest.approx(0.5)
    apart = torch.tensor([1.0, 0.0]).log(), torch.tensor([0.0, 1.0]).log()
    assert float(jensen_shannon(*apart)) == pytest.approx(math.log(2))


@pytest.mark.parametrize(("m", "s", "n", "t"), [(0.0, 1.0, 1.0, 2.0), (-1.0, 0.3, 1.5, 0.5), (0.0, 2.0, 0.0, 0.1)])
def test_of_normals_on_a_grid_they_are_the_closed_forms(m, s, n, t):
    grid = line(-30.0, 30.0, 400)
    log_p, log_q = (N(torch.tensor(a).double(), b).log_prob(grid.points[:, 0]) for a, b in ((m, s), (n, t)))
    closed = {name: FDivergence(name).between_normals(m, s, n, t) for name in ("kl", "reverse-kl", "total-variation")}
    assert float(kl(log_p, log_q, grid.weights)) == pytest.approx(closed["kl"], abs=1e-10)
    assert float(kl(log_q, log_p, grid.weights)) == pytest.approx(closed["reverse-kl"], abs=1e-10)
    assert float(total_variation(log_p, log_q, grid.weights)) == pytest.approx(closed["total-variation"], abs=1e-4)

    def half(x, a, b):
        return a.pdf(x) * (a.logpdf(x) - np.logaddexp(a.logpdf(x), b.logpdf(x)) + math.log(2)) / 2

    p, q = stats.norm(m, s), stats.norm(n, t)
    jsd = sum(integrate.quad(half, -12, 12, (a, b), points=[m, n], limit=500)[0] for a, b in ((p, q), (q, p)))
    assert float(jensen_shannon(log_p, log_q, grid.weights)) == pytest.approx(jsd, abs=1e-8)


def test_a_grid_is_exact_for_polynomials_and_meets_breaks():
    grid = line(-1.0, 2.0, 1)
    for power in range(32):
        exact = (2.0 ** (power + 1) - (-1.0) ** (power + 1)) / (power + 1)
        assert float(grid.integral(lambda x, k=power: x[:, 0] ** k)) == pytest.approx(exact, rel=1e-12)
    step = line(0.0, 1.0, 3, breaks=(0.3, 0.7))
    assert float(step.integral(lambda x: ((x[:, 0] > 0.3) & (x[:, 0] < 0.7)).double())) == pytest.approx(0.4, abs=1e-14)
    square = rectangle((0.0, 1.0), (0.0, 2.0), panels=2)
    assert float(square.integral(lambda x: x[:, 0] * x[:, 1].exp())) == pytest.approx((math.e**2 - 1) / 2, rel=1e-12)
    with pytest.raises(UserError, match="low < high"):
        line(1.0, 0.0)
    with pytest.raises(UserError, match="low < high"):
        line(0.0, 1.0, breaks=(2.0,))


@settings(deadline=None, max_examples=20)
@given(laws(6), laws(6), st.integers(0, 10_000))
def test_a_plan_is_feasible_and_its_cost_is_the_dual_s(p, q, seed):
    cost = torch.rand(6, 6, generator=torch.Generator().manual_seed(seed)).double()
    found = optimal_plan(p, q, cost)
    np.testing.assert_allclose(found.plan.sum(1), p, atol=1e-9)
    np.testing.assert_allclose(found.plan.sum(0), q, atol=1e-9)
    assert found.plan.min() >= 0
    assert found.cost == pytest.approx(float((found.plan * cost).sum()), abs=1e-9)
    assert found.cost == pytest.approx(float(p @ found.f + q @ found.g), abs=1e-9)
    assert float((found.f[:, None] + found.g - cost).max()) <= 1e-9


@settings(deadline=None, max_examples=20)
@given(laws(7), laws(7))
def test_on_a_line_a_plan_costs_what_scipy_says(p, q):
    k = torch.arange(7.0).double()
    assert optimal_plan(p, q, (k[:, None] - k).abs()).cost == pytest.approx(
        stats.wasserstein_distance(k, k, p, q), abs=1e-9
    )


def test_masses_next_to_nothing_are_moved_too():
    rng = np.random.default_rng(0)
    k = torch.arange(12.0).double()
    for floor in (1e-12, 0.0):
        for _ in range(30):
            p, q = (torch.from_numpy(np.maximum(rng.dirichlet(np.full(12, 0.1)), floor)) for _ in range(2))
            found = optimal_plan(p / p.sum(), q / q.sum(), (k[:, None] - k).abs())
            assert found.cost == pytest.approx(stats.wasserstein_distance(k, k, p, q), abs=1e-8)


def test_equal_masses_are_an_assignment():
    cost = torch.rand(20, 20, generator=torch.Generator().manual_seed(0)).double()
    rows, columns = optimize.linear_sum_assignment(cost.numpy())
    even = torch.full((20,), 1 / 20, dtype=torch.float64)
    assert optimal_plan(even, even, cost).cost == pytest.approx(float(cost[rows, columns].mean()), abs=1e-9)


@pytest.mark.parametrize(("m", "s", "n", "t"), [(0.0, 1.0, 1.0, 2.0), (-1.0, 0.3, 1.5, 0.5)])
def test_by_quantiles_normals_are_the_closed_form(m, s, n, t):
    two = by_quantiles(N(torch.tensor(m).double(), s).icdf, N(torch.tensor(n).double(), t).icdf, 2)
    assert two == pytest.approx(math.hypot(m - n, s - t), rel=1e-9)
    one = by_quantiles(N(torch.tensor(m).double(), s).icdf, N(torch.tensor(n).double(), t).icdf)
    gap = lambda x: abs(stats.norm(m, s).cdf(x) - stats.norm(n, t).cdf(x))  # noqa: E731
    assert one == pytest.approx(integrate.quad(gap, -20, 20, limit=500)[0], rel=1e-6)


def test_sinkhorn_comes_to_the_cheapest_plan_from_above():
    p, q = torch.tensor([3.0, 2, 1, 4]).double(), torch.tensor([1.0, 2, 4, 3]).double()
    k = torch.arange(4.0).double()
    cost = (k[:, None] - k).abs()
    costs = [sinkhorn(p, q, cost, epsilon) for epsilon in (2.0, 0.5, 0.1)]
    assert costs[0].cost > costs[1].cost > costs[2].cost >= 5 - 1e-6
    assert costs[2].cost == pytest.approx(5, abs=0.01)
    for found in costs:
        np.testing.assert_allclose(found.plan.sum(1), p, atol=1e-7)
        np.testing.assert_allclose(found.plan.sum(0), q, atol=1e-7)


@pytest.mark.parametrize(
    ("p", "q", "shape", "said"),
    [
        ([1.0, 1.0], [1.0], (2, 1), "sum to"),
        ([2.0, -1.0], [1.0], (2, 1), "0 or more"),
        ([0.0, 0.0], [0.0], (2, 1), "not all 0"),
    ],
)
def test_masses_that_cannot_be_moved_are_refused(p, q, shape, said):
    for move in (optimal_plan, lambda *a: sinkhorn(*a, epsilon=1.0)):
        with pytest.raises(UserError, match=said):
            move(torch.tensor(p), torch.tensor(q), torch.zeros(shape))
    with pytest.raises(UserError, match="epsilon"):
        sinkhorn(torch.ones(1), torch.ones(1), torch.zeros(1, 1), 0.0)


# ------------------------------------------------------------------------------------------------------ by a critic


def shifted(mean, sd=1.0):
    return lambda n: mean + sd * torch.randn(n, 1)


def test_a_critic_of_bounded_slope_finds_a_shift_whichever_its_first_sign():
    for seed in (0, 1, 2):
        torch.manual_seed(seed)
        found = neural_distance(MLPReader(1, 1, 16, 1), shifted(0.0), shifted(2.0), slope=50.0, rounds=150,
                                adam=Adam(lr=1e-2), seed=seed)  # fmt: skip
        assert found.value == pytest.approx(2.0, abs=0.15)


def test_a_discriminator_finds_the_divergence_that_quadrature_has():
    grid = line(-12.0, 14.0, 200)
    log_p, log_q = (N(torch.tensor(m).double(), 1.0).log_prob(grid.points[:, 0]) for m in (0.0, 2.0))
    found = neural_distance(MLPReader(1, 1, 16, 1), shifted(0.0), shifted(2.0), loss=Minimax(), rounds=300,
                            adam=Adam(lr=1e-2))  # fmt: skip
    exact = float(jensen_shannon(log_p, log_q, grid.weights))
    assert found.details["jsd"] == pytest.approx(exact, abs=0.02)
    assert found.value == pytest.approx(2 * found.details["jsd"] - 2 * math.log(2), abs=1e-6)


def test_weights_stay_in_the_box_and_the_seed_decides():
    critic = MLPReader(1, 1, 8, 1)
    start = {key: value.clone() for key, value in critic.state_dict().items()}
    x, y = torch.randn(100, 1), torch.randn(100, 1) + 1
    before = torch.get_rng_state()
    one = neural_distance(critic, x, y, clip=0.05, rounds=20, batch=16)
    assert max(float(p.detach().abs().max()) for p in critic.parameters()) <= 0.05 + 1e-7
    assert torch.equal(before, torch.get_rng_state())
    critic.load_state_dict(start)
    two = neural_distance(critic, x, y, clip=0.05, rounds=20, batch=16)
    assert one.value == two.value and one.n == 100
    with pytest.raises(UserError, match="rounds"):
        neural_distance(critic, x, y, rounds=0)


def test_the_four_energies_are_where_they_should_be_low():
    grid = rectangle((-9.0, 9.0), (-9.0, 9.0), panels=12)
    for i, low in ((1, (2.0, 0.0)), (2, (0.0, 0.0)), (3, (1.0, -2.0)), (4, (3.0, -4.0))):
        U = energy(i, grid.points)
        assert U.isfinite().all() and 0 < float((grid.weights * (-U).exp()).sum()) < math.inf
        assert (
            float(energy(i, torch.tensor([low]).double())) < 0.1 < float(energy(i, torch.tensor([[0.0, 6.0]]).double()))
        )
    with pytest.raises(UserError, match="energy 5"):
        energy(5, grid.points)
