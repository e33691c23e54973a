"""Fields, eigenvalues, path angles and duality gaps of games known by hand; every recipe is left as it was."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from diagnose_helpers import Number, bilinear, dirac, two_numbers
from torch import nn
from torch.nn import functional as F

from adversaria import catalogue
from adversaria.data import Batch, load
from adversaria.diagnose.critics import gradient_probe, held_out_gap
from adversaria.diagnose.duality import duality_gap
from adversaria.diagnose.dynamics import arnoldi, jacobian_eigenvalues, rotation_index, vector_field
from adversaria.diagnose.path import path_angle
from adversaria.errors import UserError
from adversaria.game import SGD, Game, Player, Stage, alternating, play, simultaneous

B = Batch(torch.zeros(4, 1))
NAMES = sorted(catalogue.entries())
SOURCES = {"image": "digits", "points": "ring8", "sequence": "oracle-tokens"}


def made(name, **overrides):
    recipe = catalogue.make(name, "smoke", **overrides)
    data = recipe.arrange(load(SOURCES[recipe.KINDS[0]]))
    torch.manual_seed(0)
    return recipe, data, recipe.build(data.spec)


# ------------------------------------------------------------------------------------------------ field, eigenvalues


def test_the_field_is_each_players_gradient_of_its_own_loss(float64):
    assert vector_field(bilinear(2.0, 3.0), B).tolist() == [3.0, -2.0]


def test_a_parameter_of_two_players_has_the_sum_of_their_gradients(float64):
    a = Number(1.0)
    players = (
        Player("up", (a,), lambda _: {"value": -3 * a.value}, SGD(), shares=("down",)),
        Player("down", (a,), lambda _: {"value": a.value.square()}, SGD()),
    )
    game = Game(*players, networks={"a": a}, sample=lambda n: torch.zeros(n, 1))
    assert vector_field(game, B).tolist() == [-3 + 2]


def test_bilinear_eigenvalues_are_plus_and_minus_i(float64):
    found = jacobian_eigenvalues(bilinear(), B)
    np.testing.assert_allclose(found.leading, [1j, -1j], atol=1e-9)
    assert found.rotation == pytest.approx(1, abs=1e-9) and found.attracting is None
    assert len(jacobian_eigenvalues(bilinear(), B, k=1).leading) == 2, "a conjugate pair is not cut"


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_dirac_gan_eigenvalues_equal_the_closed_form(float64, gamma):
    """lambda = (gamma +- sqrt(gamma^2 - 1)) / 2 of dv/dw; Mescheder et al. (2018) give those of -v."""
    root = np.sqrt(complex(gamma**2 - 1))
    found = jacobian_eigenvalues(dirac(gamma=gamma), B)
    tolerance = 1e-4 if gamma == 1 else 1e-9  # a double eigenvalue moves with the root of an error
    expected = sorted([(gamma + root) / 2, (gamma - root) / 2], key=lambda z: (-abs(z), -z.imag))
    np.testing.assert_allclose(found.leading, expected, atol=tolerance)
    assert found.attracting is (None if gamma == 0 else True)


def test_a_potential_game_has_real_eigenvalues_and_a_saddle_does_not_attract(float64):
    potential = lambda a, b: a.square() + a * b + 2 * b.square()  # noqa: E731
    found = jacobian_eigenvalues(two_numbers(potential, potential, 1.0, 1.0), B)
    np.testing.assert_allclose(found.leading, np.array([6 + 8**0.5, 6 - 8**0.5]) / 2, atol=1e-9)
    assert found.rotation == 0 and found.attracting is True
    saddle = lambda a, b: a.square() - b.square()  # noqa: E731
    found = jacobian_eigenvalues(two_numbers(saddle, saddle), B)
    assert found.attracting is False and found.lowest.real == pytest.approx(-2)


def test_simultaneous_play_grows_by_what_the_eigenvalue_says(float64):
    """|1 - eta lambda| with lambda = +-i is sqrt(1 + eta^2): a factor of 144.77 in 1000 rounds at eta 0.1."""
    game = bilinear(1.0, 1.0, rule=simultaneous)
    factor = abs(1 - 0.1 * jacobian_eigenvalues(game, B).leading[0])
    for _ in play(game.stage(), [B.x], rounds=1000):
        pass
    a, b = (p.item() for p in game.parameters())
    assert math.hypot(a, b) / math.sqrt(2) == pytest.approx(factor**1000, rel=1e-9) == pytest.approx(144.77, rel=1e-4)
    game = bilinear(1.0, 1.0, rule=alternating)
    for _ in play(game.stage(), [B.x], rounds=200):
        pass
    assert math.hypot(*(p.item() for p in game.parameters())) < 2


def small_gan(cut, depth=12):
    torch.manual_seed(3)
    G, D = nn.Sequential(nn.Linear(2, depth), nn.Tanh(), nn.Linear(depth, 2)), nn.Sequential(
        nn.Linear(2, depth), nn.Tanh(), nn.Linear(depth, 1))  # fmt: skip

    def fake(n):
        return G(torch.randn(n, 2, dtype=next(G.parameters()).dtype))

    def discriminator(batch):
        with torch.set_grad_enabled(not cut):
            y = fake(len(batch))
        return {"real": F.softplus(-D(batch.x)).mean(), "fake": F.softplus(D(y)).mean()}

    players = (
        Player("discriminator", (D,), discriminator, SGD()),
        Player("generator", (G,), lambda b: {"loss": F.softplus(-D(fake(len(b)))).mean()}, SGD()),
    )
    return Game(*players, networks={"G": G, "D": D}, sample=fake)


@pytest.mark.parametrize("depth", [6, 24])
def test_the_jacobian_has_the_terms_that_a_discriminators_loss_cuts_off(float64, depth):
    """Against automatic differentiation of the same game whose samples are not held fixed; dense and by Arnoldi."""
    x = torch.randn(16, 2)
    game = small_gan(cut=False, depth=depth)
    stage, parameters = game.stage(), [p for pl in game.stage().players for p in pl.parameters()]
    gradients = []
    for player in stage.players:
        torch.manual_seed(0)
        loss = player.loss(player.objective(Batch(x)))
        gradients += torch.autograd.grad(loss, player.parameters(), create_graph=True)
    v = torch.cat([g.flatten() for g in gradients])
    J = torch.stack([torch.cat([g.flatten() for g in torch.autograd.grad(
        e, parameters, retain_graph=True, materialize_grads=True)]) for e in v])  # fmt: skip
    expected = np.linalg.eigvals(J.numpy())
    found = jacobian_eigenvalues(small_gan(cut=True, depth=depth), Batch(x), k=4, tolerance=1e-7)
    assert (found.parameters > 200) == (depth == 24) and found.kinks == 0
    for z in found.leading:
        assert np.abs(expected - z).min() < 1e-6 * np.abs(expected).max()
    assert np.abs(found.leading).max() == pytest.approx(np.abs(expected).max(), rel=1e-6)
    assert found.lowest.real == pytest.approx(expected.real.min(), rel=1e-5)
    assert np.abs(found.leading.imag).max() > 0.01, "a game that turns"


def test_arnoldi_agrees_with_arpack(float64):
    from scipy.sparse.linalg import eigs

    rng = np.random.default_rng(0)
    A = rng.standard_normal((300, 300)) / 300**0.5 + np.diag(np.r_[3.0, 2.5, -2.2, np.zeros(297)])
    values, errors = arnoldi(lambda u: torch.from_numpy(A) @ u, torch.ones(300), 3, 200, 1e-9)
    order = np.argsort(-np.abs(values))[:3]
    oracle = eigs(A, k=3, v0=np.ones(300), return_eigenvectors=False)
    np.testing.assert_allclose(sorted(np.abs(values[order])), sorted(np.abs(oracle)), rtol=1e-6)
    assert errors[order].max() < 1e-8
    values, errors = arnoldi(lambda u: 2 * u, torch.ones(300), 3, 50, 1e-3)
    assert values.tolist() == pytest.approx([2.0]) and errors.max() < 1e-9, "an invariant space ends it"


def test_a_kink_near_the_point_does_not_spoil_the_derivative(float64):
    """|a| differs in slope by 2 on both sides of 0, here a millionth away: within a difference's first length."""
    game = two_numbers(lambda a, b: a.abs() + a * b, lambda a, b: -a * b, 1e-6, 0.0)
    np.testing.assert_allclose(jacobian_eigenvalues(game, B).leading, [1j, -1j], atol=1e-6)


def test_buffers_that_a_forward_pass_moves_are_the_same_at_every_evaluation(float64):
    """A pool or running statistics that went on changing would make the field a function of time."""
    a, b, count = Number(2.0), Number(3.0), nn.Module()
    count.register_buffer("calls", torch.zeros(()))

    def value(sign):
        def objective(_):
            count.calls += 1
            return {"value": sign * a.value * b.value * count.calls}

        return objective

    players = (Player("a", (a,), value(1), SGD()), Player("b", (b,), value(-1), SGD()))
    game = Game(*players, networks={"a": a, "b": b, "count": count}, sample=lambda n: torch.zeros(n, 1))
    found = jacobian_eigenvalues(game, B)
    np.testing.assert_allclose(found.leading, np.array([1j, -1j]) * 2**0.5, atol=1e-9)
    assert count.calls == 0


def test_rotation_index_is_1_of_a_bilinear_game_and_0_of_one_player(float64):
    found = rotation_index(bilinear(), [B, B, B])
    assert found.value == pytest.approx(1, abs=1e-9) and found.n == 3
    _, data, game = made("vae")
    found = rotation_index(game, data.batches(8, seed=0), k=4)
    assert found.value < 1e-6, "a Hessian has real eigenvalues"
    with pytest.raises(UserError, match="at least 2"):
        rotation_index(bilinear(), [B])
    constant = two_numbers(lambda a, b: a, lambda a, b: b)
    with pytest.raises(UserError, match="don't change"):
        rotation_index(constant, [B, B])


def test_a_gradient_that_is_not_finite_is_an_error():
    with pytest.raises(UserError, match="1 of 2 components"):
        vector_field(two_numbers(lambda a, b: a.sqrt() + b, lambda a, b: b), B)


# ------------------------------------------------------------------------------------------------------- path angle


def linear_game(re, im, a, b):
    """v = (re I + im J) w around 0."""
    return two_numbers(lambda a, b: re * a.square() / 2 - im * a * b.detach(),
                       lambda a, b: re * b.square() / 2 + im * b * a.detach(), a, b)  # fmt: skip


def states(a, b, shift=0.02):
    """From (-1, shift) to (0, shift): a path that passes the fixed point at a small distance."""
    tensor = lambda *w: {"networks.a.value": torch.tensor(w[0]), "networks.b.value": torch.tensor(w[1])}  # noqa: E731
    return tensor(a, shift), tensor(b, shift)


@pytest.mark.parametrize(
    ("re", "im", "verdict"),
    [(1, 0, "attraction"), (0, 1, "rotation"), (1, 1, "attraction and rotation"), (-1, 0, "repulsion")],
)
def test_the_path_angle_tells_attraction_from_rotation(float64, re, im, verdict):
    """c = cos(phi) s / r + sin(phi) d / r on a path past the fixed point at the distance d."""
    game = linear_game(re, im, 0.3, 0.4)
    start, end = states(-1.0, 0.0)
    found = path_angle(game, B, start=start, end=end)
    assert found.verdict == verdict and found.length == 1
    s, d = found.alphas - 1, 0.02
    expected = (re * s - im * d) / (math.hypot(re, im) * np.hypot(s, d))
    np.testing.assert_allclose(found.cosine, expected, atol=1e-9)
    np.testing.assert_allclose(found.norm, math.hypot(re, im) * np.hypot(s, d), atol=1e-9)
    if verdict == "attraction":
        assert found.sign_change == pytest.approx(1, abs=0.01) and found.bump == pytest.approx(0, abs=0.2)
    assert [p.item() for p in game.parameters()] == [0.3, 0.4]


def test_the_path_takes_a_checkpoints_tensors_and_refuses_another_games(float64):
    game = bilinear()
    start, end = states(-1.0, 0.0)
    told = path_angle(game, B, start={f"game/{k}": v for k, v in start.items()} | {"generator/cpu": torch.zeros(1)},
                      end=end)  # fmt: skip
    assert told.verdict == "rotation"
    with pytest.raises(UserError, match=r"networks|value"):
        path_angle(game, B, start={"game/other": torch.zeros(1)}, end=end)
    with pytest.raises(UserError, match="same place"):
        path_angle(game, B, start=start, end=start)
    with pytest.raises(UserError, match="alphas"):
        path_angle(game, B, start=start, end=end, alphas=[0.0, 1.0])


# ------------------------------------------------------------------------------------------------------ duality gap


@pytest.mark.parametrize(("a", "b"), [(0.3, -0.7), (0.0, 0.0), (-1.0, 1.0), (0.5, 0.25)])
def test_the_duality_gap_of_a_bilinear_game_on_a_square_is_the_sum_of_moduli(float64, a, b):
    game = bilinear(a, b, clamp=True, lr=0.5)
    found = duality_gap(game, [B], [B, B])
    assert found.gap.value == pytest.approx(abs(a) + abs(b), abs=1e-9)
    assert found.value.value == pytest.approx(a * b)
    swapped = duality_gap(game, [B], [B, B], adversary="a")
    assert swapped.gap.value == pytest.approx(found.gap.value, abs=1e-9), "zero-sum: either may be the discriminator"


def test_the_duality_gap_of_a_dirac_gan_equals_gradient_steps_by_hand(float64):
    theta, psi, gamma = 0.5, 1.0, 0.1
    game = dirac(theta, psi, gamma=gamma)
    found = duality_gap(game, [B], [B, B], steps=40)
    M = lambda t, p: -math.log1p(math.exp(p * t)) - math.log(2)  # noqa: E731
    sigmoid = lambda x: 1 / (1 + math.exp(-x))  # noqa: E731
    t, p = theta, psi
    for _ in range(40):
        t += 0.1 * psi * sigmoid(psi * t)  # descends -softplus(psi t)
        p -= 0.1 * (theta * sigmoid(p * theta) + gamma * p)  # with the penalty, which M doesn't have
    assert found.against_best_discriminator.value == pytest.approx(M(theta, p), abs=1e-9)
    assert found.against_best_generator.value == pytest.approx(M(t, psi), abs=1e-9)
    assert found.gap.value == pytest.approx(M(theta, p) - M(t, psi), abs=1e-9)
    assert "lower bound" in found.gap.bias and found.gap.protocol["steps"] == 40
    assert duality_gap(dirac(), [B], [B, B]).gap.value == pytest.approx(0, abs=1e-9), "the equilibrium"


def test_an_untrained_gan_has_a_larger_gap_than_a_trained_one():
    _, data, game = made("gan", hidden=32, batch=128)
    train, test = (data.batches(128, seed=1, split=split) for split in ("train", "valid"))
    before = duality_gap(game, train, test, steps=50, evaluations=4)
    for _ in play(game.stage(), data.batches(128, seed=0), rounds=400):
        pass
    after = duality_gap(game, train, test, steps=50, evaluations=4)
    assert before.gap.value > after.gap.value + 3 * (before.gap.error + after.gap.error) > 0


def test_what_is_no_game_of_two_is_not_applicable():
    _, data, game = made("cyclegan")
    with pytest.raises(UserError, match=r"not applicable.*critic_y"):
        duality_gap(game, data.batches(4, seed=0), data.batches(4, seed=0))
    game = two_numbers(lambda a, b: a * b, lambda a, b: b.square() - 1)
    with pytest.raises(UserError, match="adversary="):
        duality_gap(game, [B], [B, B])


# ------------------------------------------------------------------------------------------- every recipe is untouched


def everything(game):
    held = {k: v.clone() for k, v in game.state_dict().items()}
    return held, [m.training for m in game.modules()], [p.data_ptr() for p in game.parameters()]


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_answers_the_same_twice_and_is_left_as_it_was(name):
    recipe, data, game = made(name, **({"rollouts": 1} if name == "seqgan" else {}))
    batches = data.batches(recipe.batch, seed=0)
    for stage in game.stages:
        for _ in play(stage, batches, rounds=2):
            pass
    first = next(iter(game.networks.values()))
    first.eval()  # a mode of its own
    marked = next(p for p in game.parameters() if p.requires_grad)
    marked.grad = torch.ones_like(marked)
    state, modes, places = everything(game)
    attributes = [{k: v for k, v in vars(m).items() if k[0] != "_" or k == "_seen"} for m in game.modules()]
    earlier = {k: v + 0.01 if v.is_floating_point() else v for k, v in state.items()}
    random = torch.get_rng_state()

    def all_of_it():
        told = [vector_field(game, batches.at(0), stage=stage, seed=5) for stage in game.stages]
        spectrum = jacobian_eigenvalues(game, batches.at(1), k=2, products=6, seed=5)
        path = path_angle(game, batches.at(0), start=earlier, end=state, alphas=np.linspace(0.9, 1.1, 10))
        told += [torch.from_numpy(spectrum.leading), torch.from_numpy(path.norm)]
        if len(game.stages[-1].players) == 2:
            gap = duality_gap(game, batches, batches, steps=3, evaluations=2, seed=5)
            probe = gradient_probe(game, batches, steps=8, every=1, repeats=1, seed=5)
            told += [torch.tensor([gap.gap.value, gap.gap.error]), torch.from_numpy(probe.own)]
        return told

    one = all_of_it()
    assert all(torch.isfinite(t.abs()).all() for t in one)
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.get_default_dtype() == torch.float32
    now, modes_now, places_now = everything(game)
    assert modes_now == modes and places_now == places
    assert now.keys() == state.keys()
    for key, value in state.items():
        assert torch.equal(now[key], value) and now[key].dtype == value.dtype, key
    assert torch.equal(marked.grad, torch.ones_like(marked))
    assert all(p.grad is None for p in game.parameters() if p is not marked)
    for module, before in zip(game.modules(), attributes, strict=True):
        assert all(vars(module)[k] is v for k, v in before.items())
    for a, b in zip(one, all_of_it(), strict=True):
        assert torch.equal(a, b), "the same seed, other bits"
    for stage in game.stages:
        next(play(stage, batches, rounds=1))  # it goes on


def test_a_game_is_put_back_after_an_error():
    _, data, game = made("dcgan")
    before = everything(game)
    broken = replace(game.stage().players[1], objective=lambda b: {"loss": 1 / 0})
    with pytest.raises(ZeroDivisionError):
        vector_field(game, data.batches(8, seed=0).at(0), stage=Stage((game.stage().players[0], broken)))
    after = everything(game)
    assert all(torch.equal(after[0][k], v) and after[0][k].dtype == v.dtype for k, v in before[0].items())
    assert torch.get_default_dtype() == torch.float32


def test_a_constant_of_another_type_is_named():
    W = torch.ones(2, 1)
    net = nn.Linear(1, 2)
    player = Player("net", (net,), lambda b: {"loss": (net(b.x) @ W).mean()}, SGD())
    game = Game(player, networks={"net": net}, sample=lambda n: torch.zeros(n, 1))
    with pytest.raises(UserError, match="buffer of a network"):
        vector_field(game, B)


def test_a_game_without_a_score_has_no_held_out_gap():
    _, data, game = made("ali")
    x = data.examples(8).x
    with pytest.raises(UserError, match="not applicable"):
        held_out_gap(game, train=x, valid=x, generated=x)
