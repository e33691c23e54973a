"""Models with codes: bounds and importance weights must agree with the likelihood by quadrature over the codes."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

import adversaria as adv
from adversaria.data import Batch, DataSpec
from adversaria.distributions import log_normal
from adversaria.distributions.normal import log_discretised_normal
from adversaria.errors import UserError
from adversaria.game.game import seeded
from adversaria.nn.chain import BottomUp, Generated, joined
from adversaria.nn.mlp import MLP
from adversaria.nn.observation import Observation
from adversaria.nn.resnet_vae import MapStep
from adversaria.nn.warm import Warm

pytestmark = pytest.mark.usefixtures("float64")
SPEC = DataSpec("points", (2,))
GAMES = {
    "vae": ("vae", {"latent": 2}),
    "planar": ("vae-nf", {"latent": 2, "steps": 3}),
    "radial": ("vae-nf", {"latent": 2, "steps": 3, "flow": "radial"}),
    "no step": ("vae-nf", {"latent": 2, "steps": 0}),
    "iaf": ("vae-iaf", {"latent": 2}),
    "layers of maps, up": ("vae-iaf", {"latent": 1, "layers": 2, "steps": 2, "inference": "bottom-up"}),
    "layers of maps, down": ("vae-iaf", {"latent": 1, "layers": 2, "steps": 2}),
    "maps without steps": ("vae-iaf", {"latent": 1, "layers": 2, "steps": 0}),
    "iwae": ("iwae", {"latents": (2,), "k": 3}),
    "iwae of two layers": ("iwae", {"latents": (1, 1), "k": 3}),
    "ladder": ("lvae", {"latents": (1, 1), "normed": False}),
    "deep": ("lvae", {"latents": (1, 1), "inference": "bottom-up", "normed": False}),
    "flow prior": ("flow-prior-vae", {"latent": 2}),
    "vamp prior": ("vamp-prior-vae", {"latent": 2, "pseudo_inputs": 5}),
}


def spec_of(name):
    """2x2 pixels have one place for codes in each layer."""
    return DataSpec("image", (1, 2, 2)) if "maps" in name else SPEC


def data(name, n):
    if "maps" in name:
        return torch.randint(0, 256, (n, 1, 2, 2)) / 127.5 - 1
    return torch.randn(n, 2)


def game_of(name, **more):
    recipe, fields = GAMES[name]
    spec = spec_of(name)
    torch.manual_seed(1)
    game = adv.recipe(recipe, "smoke", **{**fields, **more}).build(spec).double()
    for p in game.parameters():
        p.data = p.data + 0.15 * torch.randn_like(p)
    game.networks["observation"].log_scale.data.fill_(0.4)  # so wide that any q is near enough to the posterior
    return game.eval()


def grid(side=9.0, cells=361):
    line = torch.linspace(-side, side, cells)
    return torch.cartesian_prod(line, line), 2 * math.log(line[1] - line[0])


def quadrature(game, x):
    z, log_cell = grid()
    prior = game.ask("prior", z)
    each = [game.ask("likelihood", one.expand(len(z), *one.shape), z) for one in x]
    return (torch.stack(each) + prior).logsumexp(1) + log_cell


@pytest.mark.parametrize("name", GAMES)
def test_importance_weights_average_to_the_likelihood_that_quadrature_finds(name):
    game, x = game_of(name), data(name, 4)
    exact, k = quadrature(game, x), 20_000 if "two layers" in name else 8_000
    many = x.repeat(k, *(1 for _ in x.shape[1:]))
    with seeded(0):
        z, log_q = game.abilities["infer"](many)
        log_w = (game.abilities["likelihood"](many, z) + game.abilities["prior"](z) - log_q).detach().view(k, 4)
    w = torch.exp(log_w - exact)
    error = w.std(0) / k**0.5
    assert (error < 0.1).all(), "too few for a test"
    assert ((w.mean(0) - 1).abs() < 5 * error + 1e-6).all()
    assert (game.bound(x, seed=0).isfinite()).all() and log_w.mean(0).lt(exact + 1e-9).all()


@pytest.mark.parametrize("name", GAMES)
def test_the_prior_has_mass_one_and_is_what_codes_are_drawn_from(name):
    game = game_of(name)
    z, log_cell = grid(side=14.0, cells=801)
    log_p = game.ask("prior", z)
    assert (log_p.logsumexp(0) + log_cell).exp().item() == pytest.approx(1, abs=2e-3)
    drawn = game.latent(4_000, seed=0)
    for k in range(2):
        density = log_p.exp().view(801, 801).sum(1 - k)
        cdf = (density.cumsum(0) - density / 2) / density.sum()
        line = torch.linspace(-14.0, 14.0, 801)
        place = np.interp(drawn[:, k].numpy(), line.numpy(), cdf.numpy())
        assert stats.kstest(place, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("name", GAMES)
def test_the_player_minimises_what_the_bound_says(name):
    game, x = game_of(name), data(name, 400)
    (player,) = game.stage().players
    losses = []
    for seed in range(8):
        with seeded(seed), game.at_rest():
            losses.append(sum(player.objective(Batch(x)).values()).item())
    told = torch.stack([game.bound(x, seed=seed).mean() for seed in range(8)])
    if "iwae" in name:
        assert -sum(losses) / 8 > told.mean().item()
    else:
        assert sum(losses) / 8 == pytest.approx(-told.mean().item(), abs=5 * told.std().item() / 8**0.5 + 0.05)


@pytest.mark.parametrize("flow", ["planar", "radial"])
def test_a_flow_posterior_tells_the_density_that_its_jacobian_gives(flow):
    game = game_of(flow)
    E, x = game.networks["encoder"], torch.randn(3, 2)
    recipe = adv.recipe("vae-nf", "smoke", **GAMES[flow][1])
    for row in x:
        parameters = E(row[None])[0].detach()
        mu, log_sigma, rest = parameters.split([2, 2, len(parameters) - 4])

        def through(eps, mu=mu, log_sigma=log_sigma, rest=rest):
            z = (mu + log_sigma.exp() * eps)[None]
            for part in rest.split(len(rest) // 3):
                z, _ = recipe.step(z, part[None])
            return z[0]

        with seeded(5):
            eps = torch.randn(1, 2)[0]
        with seeded(5):
            z, log_q = game.abilities["infer"](row[None])
        torch.testing.assert_close(z[0], through(eps))
        J = torch.autograd.functional.jacobian(through, eps)
        torch.testing.assert_close(log_q[0], log_normal(eps[None])[0] - torch.linalg.slogdet(J).logabsdet)


@pytest.mark.parametrize("back", [False, True])
def test_a_step_on_maps_is_autoregressive_and_tells_its_jacobian(back):
    torch.manual_seed(0)
    step, h = MapStep(3, 9, 4, back), torch.randn(1, 4, 2, 3)
    for p in step.parameters():
        p.data = p.data + 0.3 * torch.randn_like(p)
    z = torch.randn(1, 3, 2, 3)

    def line(v):  # pixel by pixel, the channels of a pixel beside each other
        return v.permute(0, 2, 3, 1).flatten()

    J = torch.autograd.functional.jacobian(lambda v: line(step(v.view(1, 2, 3, 3).permute(0, 3, 1, 2), h)[0]), line(z))
    torch.testing.assert_close(step(z, h)[1][0], torch.linalg.slogdet(J).logabsdet)
    lower = torch.ones(18, 18).tril().bool()
    assert (J[~lower if not back else ~lower.mT] == 0).all()
    assert (J[lower.tril(-1) if not back else lower.mT.triu(1)] != 0).float().mean() > 0.5
    assert step(z, h + 1)[0].sub(step(z, h)[0]).abs().min() > 0, "every place sees the context"


def weights(k, n=6, seed=0):
    torch.manual_seed(seed)
    return 2 * torch.randn(k, n)


def test_the_told_bound_of_iwae_is_the_log_mean_weight_and_not_the_weighted_log():
    """L_K = sum w~ log w + H(w~) - log K: the sum alone is optimistic by log K - H(w~)."""
    log_w = weights(50)
    share = log_w.softmax(0)
    told = log_w.logsumexp(0) - math.log(50)
    entropy = -(share * share.log()).sum(0)
    torch.testing.assert_close(told, (share * log_w).sum(0) + entropy - math.log(50), atol=1e-12, rtol=0)
    assert ((share * log_w).sum(0) > told).all()


@pytest.mark.parametrize("latents", [(2,), (2, 1)])
def test_iwae_s_loss_is_the_log_mean_weight_and_rises_with_k(latents):
    x, bounds = torch.randn(300, 2), {}
    for k in (1, 4, 32):
        game = game_of("iwae", latents=latents, k=k)
        (player,) = game.stage().players
        with seeded(0), torch.no_grad():
            bounds[k] = -sum(player.objective(Batch(x)).values()).item()
    assert bounds[1] < bounds[4] < bounds[32]
    game = game_of("iwae", latents=latents, k=32)
    with seeded(1):
        many = x.repeat(32, 1)
        z, log_q = game.abilities["infer"](many)
        log_w = game.abilities["likelihood"](many, z) + game.abilities["prior"](z) - log_q
    assert (log_w.view(32, 300).logsumexp(0) - math.log(32)).mean().item() == pytest.approx(bounds[32], abs=0.2)


@pytest.mark.parametrize("latents", [(2,), (2, 2)])
def test_the_doubly_reparameterised_gradient_has_the_same_mean_and_less_noise(latents):
    x, found = torch.randn(2, 2), {}
    for gradient in ("standard", "dreg"):
        game = game_of("iwae", latents=latents, k=8, gradient=gradient)
        (player,) = game.stage().players
        q, G = game.networks["inference"], game.networks["decoder"]
        of_q, of_p = list(q.parameters()), list(G.parameters())
        rows = []
        for seed in range(300):
            torch.manual_seed(seed)
            loss = sum(player.objective(Batch(x)).values())
            rows.append([torch.cat([g.flatten() for g in torch.autograd.grad(loss, group, retain_graph=True)])
                         for group in (of_q, of_p)])  # fmt: skip
        found[gradient] = [torch.stack(column) for column in zip(*rows, strict=True)]
    (one, p_one), (two, p_two) = found["standard"], found["dreg"]
    torch.testing.assert_close(p_one, p_two, msg="the decoder's gradient is the same, draw by draw")
    error = (one.var(0) / len(one) + two.var(0) / len(two)).sqrt()
    moved = error > 1e-9
    gap = (one.mean(0) - two.mean(0))[moved] / error[moved]
    assert gap.abs().max() < 4.5, "its numbers hang together, so that one far out is none by chance"
    assert two.var(0).sum() < 0.8 * one.var(0).sum()


def test_a_single_sample_s_value_is_the_same_by_either_gradient():
    x, values = torch.randn(5, 2), []
    for gradient in ("standard", "dreg"):
        game = game_of("iwae", gradient=gradient)
        (player,) = game.stage().players
        torch.manual_seed(0)
        values.append(sum(player.objective(Batch(x)).values()))
    torch.testing.assert_close(*values)


def test_codes_are_scored_as_they_are_drawn():
    torch.manual_seed(0)
    q, p = BottomUp(MLP(3, 4, 8, 1), (2, 3), 8, 1), Generated((2, 3), 8, 1)
    x = torch.randn(5, 3)
    z, log_q = q.draw(x, k=4)
    assert z.shape == (20, 5)
    torch.testing.assert_close(q.log_prob(x, z), log_q)
    held = q.log_prob_held(x, z)
    torch.testing.assert_close(held, log_q)
    gradients = torch.autograd.grad(held.sum(), list(q.parameters()), allow_unused=True, retain_graph=True)
    through = torch.autograd.grad(q.log_prob(x, z.detach()).sum(), list(q.parameters()))
    assert all(g is not None and g.abs().sum() > 0 for g in through)
    assert any(g is not None for g in gradients), "through the codes, which the weights drew"
    assert torch.autograd.grad(q.log_prob_held(x, z.detach().requires_grad_()).sum(), list(q.parameters()),
                               allow_unused=True) == (None,) * len(list(q.parameters()))  # fmt: skip
    assert p.log_prob(p.draw(7, like=p)).shape == (7,)


def test_joined_normals_are_proportional_to_their_product():
    a, b = (torch.tensor([0.3]), torch.tensor([-0.2])), (torch.tensor([-1.0]), torch.tensor([0.7]))
    mu, log_sigma = joined(a, b)
    z = torch.linspace(-4, 4, 50)[:, None]
    rest = log_normal(z, *a) + log_normal(z, *b) - log_normal(z, mu, log_sigma)
    torch.testing.assert_close(rest, rest[:1].expand(50))


def test_free_bits_and_the_rising_weight_change_what_is_minimised_and_not_the_bound():
    x = torch.randn(50, 2)
    plain, free = game_of("vae"), game_of("vae", free_bits=3.0, beta=0.5, anneal=10)
    torch.testing.assert_close(plain.bound(x, seed=0), free.bound(x, seed=0))
    (one,), (two,) = plain.stage().players, free.stage().players
    mu, log_sigma = plain.abilities["posterior"](x)
    kl = (0.5 * (mu.square() + (2 * log_sigma).exp() - 1) - log_sigma).mean(0)
    torch.testing.assert_close(one.objective(Batch(x))["rate"], kl.sum())
    free.train()
    for move in range(12):
        expected = min((move + 1) / 10, 1) * 0.5 * kl.clamp(min=3.0).sum()
        torch.testing.assert_close(two.objective(Batch(x))["rate"], expected)
        two.after()
    assert kl.min() < 3


def test_a_rising_weight_is_one_at_rest_and_is_kept_in_checkpoints():
    w = Warm(4)
    assert w().item() == 0.25 and w.eval()().item() == 1
    w.train().count()
    again = Warm(4)
    again.load_state_dict(w.state_dict())
    assert again().item() == 0.5 and Warm(0)().item() == 1


LEVELS = torch.arange(256, dtype=torch.float64) / 127.5 - 1


@pytest.mark.parametrize("mean", [-3.0, -0.4, 0.0, 1 / 255, 0.9, 40.0])
@pytest.mark.parametrize("log_sd", [-7.0, -3.0, 0.0, 2.0])
def test_a_discretised_normal_sums_to_one_and_is_the_mass_of_each_bin(mean, log_sd):
    log_p = log_discretised_normal(LEVELS[:, None], torch.tensor(mean), torch.tensor(log_sd))
    assert log_p.isfinite().all() or log_sd == -7.0
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-12)
    normal = stats.norm(mean, math.exp(log_sd))
    edges = torch.cat([torch.tensor([-math.inf]), (LEVELS[1:] + LEVELS[:-1]) / 2, torch.tensor([math.inf])])
    mass = torch.from_numpy(normal.cdf(edges[1:].numpy()) - normal.cdf(edges[:-1].numpy()))
    torch.testing.assert_close(log_p.exp(), mass, atol=1e-12, rtol=1e-9)


def test_the_discretised_normal_s_gradient():
    x = LEVELS[torch.tensor([[0, 1, 100], [128, 254, 255]])]
    mean = torch.randn(2, 3).requires_grad_()
    log_sd = torch.randn(2, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda m, s: log_discretised_normal(x, m, s), (mean, log_sd))


@pytest.mark.parametrize(
    ("kind", "shape", "levels", "law", "said"),
    [
        ("image", (1, 4, 4), 256, "bernoulli", "bernoulli of image data; take logistic or normal.*--binarise static"),
        ("image", (1, 4, 4), 2, "logistic", "logistic of image data; take bernoulli"),
        ("points", (3,), 256, "logistic", "logistic of points data; take normal"),
        ("binary", (3,), 256, "normal", "normal of binary data; take bernoulli"),
    ],
)
def test_a_law_that_data_don_t_have_is_refused(kind, shape, levels, law, said):
    with pytest.raises(UserError, match=said):
        Observation(kind, shape, levels, law)


@pytest.mark.parametrize("inference", ["ladder", "bottom-up"])
def test_what_a_layer_is_told_of_examples_begins_at_unit_scale(inference):
    torch.manual_seed(0)
    game = adv.recipe("lvae", "smoke", inference=inference).build(SPEC)
    q, x = game.networks["inference"].train(), 3 + 5 * torch.randn(400, 2)
    told = []
    heads = q.heads if inference == "ladder" else q.steps
    for head in heads:
        head.register_forward_hook(lambda module, given, y: told.append(y))
    q.draw(x, game.networks["prior"]) if inference == "ladder" else q.draw(x)
    assert len(told) == 3
    for y in told:
        mu, log_sigma = y.chunk(2, 1)
        assert mu.mean(0).abs().max() < 1e-5 and (mu.var(0, correction=0) - 1).abs().max() < 0.05
        assert (log_sigma.mean() + 1).abs() < 1


def test_a_ladder_without_normalisation_has_none():
    game = adv.recipe("lvae", "smoke", normed=False).build(SPEC)
    assert not any(isinstance(m, torch.nn.BatchNorm1d) for m in game.networks["inference"].modules())
