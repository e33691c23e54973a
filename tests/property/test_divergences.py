"""f-divergences: conjugates against suprema, bounds against quadrature, games against the divergence's own gradient."""

import itertools
import math
from typing import get_args

import numpy as np
import pytest
import torch
from scipy import integrate, optimize, stats

from adversaria.errors import UserError
from adversaria.objectives.divergences import CEILING, ROWS, Divergence, FDivergence
from adversaria.objectives.losses import Minimax, NonSaturating

pytestmark = pytest.mark.usefixtures("float64")
NAMES = get_args(Divergence)
every = pytest.mark.parametrize("name", NAMES)
U = torch.tensor([1e-3, 0.05, 0.4, 0.999, 1.0, 1.3, 2.0, 7.0, 200.0], dtype=torch.float64)
V = torch.linspace(-15, 15, 61, dtype=torch.float64)
NORMALS = [(0.0, 1.0, 0.7, 1.3), (0.5, 0.8, -0.4, 0.8), (1.0, 0.8, 1.0, 1.5)]

INTEGRANDS = {  # each from its definition, in the log-densities a of P and b of Q
    "kl": lambda a, b: np.exp(a) * (a - b),
    "reverse-kl": lambda a, b: np.exp(b) * (b - a),
    "jensen-shannon": lambda a, b: (
        np.exp(a) * (math.log(2) + a - np.logaddexp(a, b)) + np.exp(b) * (math.log(2) + b - np.logaddexp(a, b))
    ),
    "gan": lambda a, b: np.exp(a) * (a - np.logaddexp(a, b)) + np.exp(b) * (b - np.logaddexp(a, b)),
    "pearson": lambda a, b: (np.exp(a) - np.exp(b)) ** 2 / np.exp(b),
    "squared-hellinger": lambda a, b: (np.exp(a / 2) - np.exp(b / 2)) ** 2,
    "total-variation": lambda a, b: abs(np.exp(a) - np.exp(b)) / 2,
}
TABLE = {  # g_f, f* and f'(1) as printed in Tables 2 and 6
    "kl": (lambda v: v, lambda t: t.sub(1).exp(), 1.0),
    "reverse-kl": (lambda v: -torch.exp(-v), lambda t: -1 - (-t).log(), -1.0),
    "jensen-shannon": (lambda v: math.log(2) - (1 + (-v).exp()).log(), lambda t: -(2 - t.exp()).log(), 0.0),
    "gan": (lambda v: -(1 + (-v).exp()).log(), lambda t: -(1 - t.exp()).log(), -math.log(2)),
    "pearson": (lambda v: v, lambda t: t**2 / 4 + t, 0.0),
    "squared-hellinger": (lambda v: 1 - (-v).exp(), lambda t: t / (1 - t), 0.0),
    "total-variation": (lambda v: v.tanh() / 2, lambda t: t, 0.0),
}


def quadrature(integrand, normals):
    """int integrand(x) dx over 10 standard deviations, cut where normal densities cross: a kink lies on an end."""
    m, s, n, t = normals
    a, b = 1 / (2 * t**2) - 1 / (2 * s**2), m / s**2 - n / t**2
    c = n**2 / (2 * t**2) - m**2 / (2 * s**2) + math.log(t / s)
    crossings = np.roots([a, b, c] if a else [b, c]).real
    low, high = min(m - 10 * s, n - 10 * t), max(m + 10 * s, n + 10 * t)
    ends = np.unique([*np.linspace(low, high, 33), *crossings])
    return sum(integrate.fixed_quad(integrand, *piece, n=40)[0] for piece in itertools.pairwise(ends))


def log_densities(x, normals):
    m, s, n, t = normals
    return stats.norm.logpdf(x, m, s), stats.norm.logpdf(x, n, t)


def exact(name, normals):
    return quadrature(lambda x: INTEGRANDS[name](*log_densities(x, normals)), normals)


def bound(name, normals, shift=0.0):
    """E_P g_f(v) - E_Q f*(g_f(v)) at v* + shift."""
    game = FDivergence(name)

    def integrand(x):
        log_p, log_q = log_densities(x, normals)
        v = game.best(torch.from_numpy(log_p - log_q)) + shift
        return np.exp(log_p) * game.row.activation(v).numpy() - np.exp(log_q) * game.row.composed(v).numpy()

    return quadrature(integrand, normals)


@every
def test_activation_conjugate_and_threshold_are_the_papers(name):
    g, conjugate, threshold = TABLE[name]
    row = ROWS[name]
    torch.testing.assert_close(row.activation(V), g(V), rtol=1e-9, atol=1e-12)
    t = row.activation(torch.linspace(-5, 5, 41))
    torch.testing.assert_close(row.conjugate(t), conjugate(t), rtol=1e-9, atol=1e-12)
    assert FDivergence(name).threshold == pytest.approx(threshold, abs=1e-15)


@every
def test_the_conjugate_is_the_supremum_over_u(name):
    row = ROWS[name]

    def gap(log_u, t):
        u = torch.tensor(math.exp(log_u))
        return -(u * t - row.f(u)).item()

    for t in row.activation(torch.linspace(-3, 3, 13)).tolist():
        if name == "pearson" and t < -2:  # where the supremum over u >= 0 sits at its end, below the table's value
            assert row.conjugate(torch.tensor(t)).item() >= -1
            continue
        starts = np.linspace(-14, 9, 93)
        near = min(starts, key=lambda s, t=t: gap(s, t))
        best = optimize.minimize_scalar(gap, bounds=(near - 0.5, near + 0.5), args=(t,), method="bounded",
                                        options={"xatol": 1e-12})  # fmt: skip
        at_zero = row.f(torch.tensor(0.0)).item()
        assert row.conjugate(torch.tensor(t)).item() == pytest.approx(max(-best.fun, -at_zero), abs=1e-8, rel=1e-8)


@every
def test_pearsons_parabola_is_the_supremum_over_all_numbers_and_no_other_needs_them(name):
    row = ROWS["pearson"]
    u = torch.linspace(-20, 20, 400_001)
    for t in (-6.0, -2.5, 0.0, 3.0):
        assert row.conjugate(torch.tensor(t)).item() == pytest.approx((u * t - row.f(u)).max().item(), abs=1e-7)
    if name != "pearson":
        assert (ROWS[name].activation(V) >= ROWS[name].slope(torch.tensor(0.0))).all()


@every
def test_fenchel_and_young_agree_at_the_slope(name):
    row = ROWS[name]
    t = row.slope(U)
    torch.testing.assert_close(row.f(U) + row.conjugate(t), U * t, rtol=1e-10, atol=1e-10)
    for u, other in itertools.product(U, row.activation(torch.linspace(-3, 3, 13))):
        assert row.f(u) + row.conjugate(other) >= u * other - 1e-12 * (1 + u)


@every
def test_the_slope_is_the_derivative_and_vanishing_at_one_is_f(name):
    u = U[U != 1].clone().requires_grad_()
    torch.testing.assert_close(torch.autograd.grad(ROWS[name].f(u).sum(), u)[0], ROWS[name].slope(u.detach()))
    assert ROWS[name].f(torch.tensor(1.0)).item() == pytest.approx(-2 * math.log(2) if name == "gan" else 0, abs=1e-15)


@every
def test_recession_is_the_limit_of_f_over_u(name):
    for u in (1e8, 1e12):
        found = ROWS[name].f(torch.tensor(u)).item() / u
        if math.isinf(ROWS[name].recession):
            assert found > 15
        else:
            assert found == pytest.approx(ROWS[name].recession, abs=1e-3)


@every
def test_the_activation_is_increasing_and_onto_the_conjugates_domain(name):
    row, (low, high) = ROWS[name], ROWS[name].domain
    t = row.activation(torch.linspace(-15, 15, 3001))
    assert (t.diff() > 0).all() and (t > low).all() and (t < high).all()
    t = row.activation(torch.tensor([-1e8, 1e8]))
    for reached, end in zip(t.tolist(), (low, high), strict=True):
        assert reached == pytest.approx(end, abs=1e-8) if math.isfinite(end) else abs(reached) >= 30


@every
def test_the_composed_term_is_the_conjugate_of_the_activation(name):
    v = torch.linspace(-12, 12, 97)
    torch.testing.assert_close(
        ROWS[name].composed(v), ROWS[name].conjugate(ROWS[name].activation(v)), rtol=1e-4, atol=1e-9
    )


@every
@pytest.mark.parametrize("normals", NORMALS, ids=str)
def test_the_bound_at_the_best_output_is_the_divergence_of_two_normals(name, normals):
    assert bound(name, normals) == pytest.approx(exact(name, normals), rel=1e-8, abs=1e-10)


@every
def test_any_other_output_gives_less(name):
    highest = exact(name, NORMALS[0])
    for shift in (-0.6, -0.1, 0.1, 0.6):
        if name != "total-variation":  # whose best output is infinitely far
            assert bound(name, NORMALS[0], shift) < highest - 1e-4
    game, p, q = FDivergence(name), torch.tensor([0.1, 0.2, 0.7]), torch.tensor([0.3, 0.3, 0.4])
    for _ in range(200):
        v = 3 * torch.randn(3)
        found = (p * game.row.activation(v)).sum() - (q * game.row.composed(v)).sum()
        assert found < game.between(p, q)


@every
@pytest.mark.parametrize("normals", NORMALS, ids=str)
def test_closed_forms_equal_quadrature(name, normals):
    closed = FDivergence(name).between_normals(*normals)
    if name in ("jensen-shannon", "gan"):
        assert closed is None
    else:
        assert closed == pytest.approx(exact(name, normals), rel=1e-9)


def test_closed_forms_at_their_edges():
    assert FDivergence("pearson").between_normals(0.0, 2.0, 0.0, 1.0) == math.inf
    variation = FDivergence("total-variation")
    assert variation.between_normals(0.3, 1.2, 0.3, 1.2) == 0
    nearly = variation.between_normals(0.0, 1.0, 0.5, 1.0 + 1e-7)
    assert nearly == pytest.approx(variation.between_normals(0.0, 1.0, 0.5, 1.0), abs=1e-6)
    with pytest.raises(UserError, match="must be above 0"):
        variation.between_normals(0.0, 0.0, 0.0, 1.0)


@every
def test_the_divergence_of_states_is_the_sum_and_knows_what_lies_outside(name):
    game = FDivergence(name)
    p, q = torch.tensor([0.1, 0.2, 0.7]), torch.tensor([0.3, 0.3, 0.4])
    assert game.between(p, q).item() == pytest.approx(
        INTEGRANDS[name](p.log().numpy(), q.log().numpy()).sum(), rel=1e-12
    )
    apart = game.between(torch.tensor([0.4, 0.6, 0.0, 0.0]), torch.tensor([0.0, 0.0, 0.5, 0.5])).item()
    limits = {"jensen-shannon": 2 * math.log(2), "gan": 0.0, "squared-hellinger": 2.0, "total-variation": 1.0}
    assert apart == pytest.approx(limits.get(name, math.inf), abs=1e-15)
    same = game.between(torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.5, 0.5, 0.0])).item()
    assert same == pytest.approx(-math.log(4) if name == "gan" else 0.0, abs=1e-15)


@every
def test_at_the_best_discriminator_the_generator_descends_the_divergence(name):
    game, p = FDivergence(name), torch.tensor([0.1, 0.2, 0.4, 0.3])
    theta = torch.tensor([0.3, 0.1, -0.4, 0.2], requires_grad=True)
    q = theta.softmax(0)
    v = game.best((p / q).log()).detach()
    played = (q * torch.stack([game.generator(v[i : i + 1])[name] for i in range(4)])).sum()
    moves = torch.autograd.grad(played, theta, retain_graph=True)[0]
    torch.testing.assert_close(moves, torch.autograd.grad(game.between(p, q), theta)[0])


@every
@pytest.mark.parametrize("alternative", [False, True])
def test_players_bound_and_mirror_fit_together(name, alternative):
    game, real, fake = FDivergence(name, alternative), torch.randn(6), torch.randn(5)
    row, terms = game.row, game.discriminator(real, fake)
    torch.testing.assert_close(game.bound(real, fake), -(terms["real"] + terms["fake"]))
    both = game.generator(fake)[name] + game.mirror(real)["mirror"]
    if alternative:  # the discriminator's game with sides exchanged
        torch.testing.assert_close(both, sum(game.discriminator(fake, real).values()))
        torch.testing.assert_close(game.generator(fake)[name], -row.activation(fake).mean())
    else:  # zero-sum
        torch.testing.assert_close(both, game.bound(real, fake))
        torch.testing.assert_close(game.generator(fake)[name], -row.composed(fake).mean())
    assert not game.paired


def test_the_gans_divergence_is_the_logistic_game():
    real, fake = torch.randn(6), torch.randn(6)
    for mine, other in ((FDivergence("gan"), Minimax()), (FDivergence("gan", alternative=True), NonSaturating())):
        torch.testing.assert_close(mine.discriminator(real, fake), other.discriminator(real, fake))
        torch.testing.assert_close(list(mine.generator(fake).values()), list(other.generator(fake).values()))
        torch.testing.assert_close(mine.mirror(real), other.mirror(real))


@every
@pytest.mark.parametrize("alternative", [False, True])
def test_gradients_equal_finite_differences_even_past_the_ceiling(name, alternative):
    game = FDivergence(name, alternative)
    x = torch.tensor([-1.3, 0.4, 2.0], requires_grad=True)
    sides = (lambda v: game.discriminator(v, v)["real"], lambda v: game.discriminator(v, v)["fake"],
             lambda v: game.generator(v)[name], lambda v: game.mirror(v)["mirror"])  # fmt: skip
    for side in sides:
        assert torch.autograd.gradcheck(side, x)
        for v in (-23.0, -CEILING - 0.01, CEILING + 0.01, 23.0):
            x0 = torch.tensor([v], requires_grad=True)
            slope = torch.autograd.grad(side(x0), x0)[0].item()
            h = 1e-5
            differences = (side(x0.detach() + h) - side(x0.detach() - h)).item() / (2 * h)
            assert slope == pytest.approx(differences, rel=1e-5, abs=1e-7)


@every
@pytest.mark.parametrize("v", [-1e4, -100.0, 100.0, 1e4])
def test_float32_outputs_of_a_hundred_and_more_have_finite_terms_and_gradients(name, v):
    for alternative in (False, True):
        game = FDivergence(name, alternative)
        x = torch.tensor([v], dtype=torch.float32, requires_grad=True)
        for terms in (game.discriminator(x, x), game.generator(x), game.mirror(x)):
            for term in terms.values():
                (slope,) = torch.autograd.grad(term, x)
                assert torch.isfinite(term) and torch.isfinite(slope).all() and term.dtype == torch.float32
    x = torch.tensor([v], dtype=torch.float64)
    for wide, narrow in zip(
        game.discriminator(x, x).values(), game.discriminator(x.float(), x.float()).values(), strict=True
    ):
        torch.testing.assert_close(narrow.double(), wide, rtol=1e-4, atol=1e-30)


@pytest.mark.parametrize("name", ["kl", "reverse-kl", "squared-hellinger"])
def test_past_the_ceiling_the_bound_stays_a_bound_and_is_still_reached(name):
    row = ROWS[name]
    v = torch.tensor([-60.0, -30.0, -21.0, 21.0, 30.0, 60.0])
    for u in torch.tensor([1e-12, 1e-6, 1.0, 1e6, 1e12]):
        assert (u * row.activation(v) - row.composed(v) <= row.f(u) * (1 + 1e-12) + 1e-9).all()
    for r in (-45.0, -25.0, 25.0, 45.0):
        u = torch.tensor(r).exp()
        reached = u * row.activation(row.best(torch.tensor(r))) - row.composed(row.best(torch.tensor(r)))
        torch.testing.assert_close(reached, row.f(u), rtol=1e-10, atol=1e-10)


@every
def test_the_best_outputs_activation_is_the_slope_at_the_ratio(name):
    r = torch.tensor([-4.0, -1.0, -0.01, 0.01, 1.0, 4.0])
    torch.testing.assert_close(ROWS[name].activation(FDivergence(name).best(r)), ROWS[name].slope(r.exp()))


def test_half_precision_is_widened_first():
    x, y = torch.randn(9).bfloat16(), torch.randn(7).bfloat16()
    for name in NAMES:
        assert FDivergence(name).bound(x, y).dtype == torch.float32
        assert FDivergence(name).bound(x, y) == FDivergence(name).bound(x.float(), y.float())


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(UserError, match="unknown f-divergence 'reverse-lk'; did you mean 'reverse-kl'"):
        FDivergence("reverse-lk")
    assert set(ROWS) == set(NAMES)
