"""BiGAN and HALI: what their discriminators read, their terms on the same noise, and inverses at the optimum."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import leaky_relu, softplus

from adversaria.data import Batch, DataSpec
from adversaria.errors import UserError
from adversaria.nn.joint import JointDiscriminator, Pairing
from adversaria.nn.maps import Grow, Shrink, resolution
from adversaria.nn.normal_codes import NormalCodes
from adversaria.objectives.losses import NonSaturating
from adversaria.recipes.adversarial.bigan import BiGAN
from adversaria.recipes.adversarial.hali import HALI

pytestmark = pytest.mark.usefixtures("float64")
POINTS = DataSpec(kind="points", shape=(3,))
IMAGES = DataSpec(kind="image", shape=(1, 16, 12))


def together(game, x):
    torch.manual_seed(5)
    return game.stage().joint(Batch(x))


def swapped(terms, on_real, on_fake):
    """The discriminator's terms and the generators' with swapped labels, on the same logits."""
    against = {"real": softplus(-on_real).mean(), "fake": softplus(on_fake).mean()}
    for_them = [softplus(-on_fake).mean(), softplus(on_real).mean()]
    torch.testing.assert_close(dict(terms["discriminator"]), against)
    torch.testing.assert_close(list(terms["generators"].values()), for_them)


def test_a_pairing_reads_both_features_and_their_product():
    A, B, h = nn.Linear(3, 4), nn.Linear(2, 4), nn.Linear(12, 5)
    x, z = torch.randn(6, 3), torch.randn(6, 2)
    a, b = leaky_relu(A(x), 0.2), leaky_relu(B(z), 0.2)
    torch.testing.assert_close(Pairing(A, B, h)(x, z), h(torch.cat([a, b, a * b], 1)))


def test_a_joint_discriminator_s_logits_are_read_off_its_features():
    D = JointDiscriminator(nn.Linear(3, 4), 4, 2, 8)
    x, z = torch.randn(6, 3), torch.randn(6, 2)
    assert D.features(x, z).shape == (6, 8) == (6, D.width)
    torch.testing.assert_close(D(x, z), D.head(D.features(x, z))[:, 0])
    matched, crossed = D(x, z), D(x, z.roll(1, 0))
    assert (matched - crossed).abs().min() > 0, "the logit is of the pair"


@pytest.mark.parametrize("prior", ["uniform", "normal"])
def test_bigan_s_terms_are_those_of_the_paper(prior):
    game, x = BiGAN(latent=2, hidden=6, depth=1, prior=prior, average=0.0).build(POINTS), torch.randn(9, 3)
    E, G, D = (game.networks[name] for name in ("encoder", "generator", "discriminator"))
    torch.manual_seed(5)
    z, z_of_x = torch.randn(9, 2), E(x)
    torch.testing.assert_close(z_of_x.mean(0), torch.zeros(2))
    if prior == "uniform":
        z, z_of_x = (2 * torch.distributions.Normal(0.0, 1.0).cdf(code) - 1 for code in (z, z_of_x))
    swapped(together(game, x), D(x, z_of_x), D(G(z), z))


@pytest.mark.parametrize("prior", ["uniform", "normal"])
def test_bigan_s_encoder_has_no_noise_and_its_prior_is_the_one_named(prior):
    game, x = BiGAN(latent=2, hidden=6, depth=1, prior=prior).build(POINTS), torch.randn(9, 3)
    assert torch.equal(game.encode(x, seed=0), game.encode(x, seed=1))
    z = game.latent(40_000, seed=0)
    law = torch.distributions.Uniform(-1.0, 1.0) if prior == "uniform" else torch.distributions.Normal(0.0, 1.0)
    places = torch.linspace(0.05, 0.95, 19)
    found = torch.stack([(z < law.icdf(p)).double().mean() for p in places])
    assert (found - places).abs().max() < 6 * 0.5 / math.sqrt(80_000)


def test_at_the_best_discriminator_the_game_s_value_is_the_divergence_of_the_joints():
    """Theorem 1 on 3 x 3 pairs: max_D V = 2 JSD(P_EX || P_GZ) - log 4, and the least of it is where E inverts G."""

    def value(real, fake):
        logits = (real / fake).log()  # of the best D, P_EX / (P_EX + P_GZ)
        counts = [(60_000 * law).round().long().flatten() for law in (real, fake)]
        many = [torch.repeat_interleave(logits.flatten(), count) for count in counts]
        return -sum(NonSaturating().discriminator(*many).values())

    def joint(z_of_x):
        law = torch.full((3, 3), 0.1 / 9)
        law[torch.arange(3), torch.tensor(z_of_x)] += 0.3
        return law

    G = joint([2, 0, 1])
    for E in ([2, 0, 1], [0, 1, 2], [2, 1, 0]):
        real, middle = joint(E), (joint(E) + G) / 2
        jsd = (real * (real / middle).log()).sum() / 2 + (G * (G / middle).log()).sum() / 2
        assert value(real, G).item() == pytest.approx((2 * jsd - math.log(4)).item(), abs=1e-3)
    assert value(joint([2, 0, 1]), G) < value(joint([2, 1, 0]), G) < value(joint([0, 1, 2]), G)


@pytest.mark.parametrize("spec", [POINTS, IMAGES], ids=["points", "images"])
def test_hali_s_terms_are_those_of_the_chains(spec):
    game = HALI(latent=2, middle=3, width=4, hidden=6, depth=1, average=0.0).build(spec).double()
    E1, E2, G2, G1, D = game.networks.values()
    x = torch.randn(8, *spec.shape)
    torch.manual_seed(5)

    def draw(network, given):
        mu, log_sigma = network.body(given).chunk(2, 1)
        mu = network.norm(mu)
        return mu + (log_sigma - 1).exp() * torch.randn_like(mu)

    z1 = draw(E1, x)
    encoded = D(x, z1, draw(E2, z1))
    z2 = torch.randn(8, 2)
    z1 = draw(G2, z2)
    swapped(together(game, x), encoded, D(G1(z1), z1, z2))


def test_hali_makes_an_example_again_from_either_level():
    game, x = HALI(latent=2, middle=3, hidden=6, depth=1, average=0.0).build(POINTS), torch.randn(500, 3)
    E1, E2, G2, G1, _ = game.networks.values()
    with game.at_rest():
        torch.manual_seed(0)
        near = G1(E1(x))
        torch.manual_seed(0)
        z2 = E2(E1(x))
        torch.testing.assert_close(game.reconstruct(x, seed=0), near)
        torch.testing.assert_close(game.encode(x, seed=0), z2)
        torch.manual_seed(0)
        torch.testing.assert_close(game.decode(z2[:7]).shape, torch.Size((7, 3)))
        torch.manual_seed(0)
        expected = G1(G2(torch.randn(7, 2)))
    torch.testing.assert_close(game.sample(7, seed=0), expected)


def test_hali_refuses_networks_that_aren_t_its_own():
    with pytest.raises(UserError, match=r"its layers are hali's own"):
        HALI(parts={"network": "resnet"}).build(IMAGES)


def test_normal_codes_have_the_moments_they_tell():
    codes = NormalCodes(nn.Linear(3, 4), 2)
    x = torch.randn(1, 3).expand(40_000, 3)
    codes.eval()
    with torch.no_grad():
        z, (mu, log_sigma) = codes(x), codes.moments(x[:1])
    error = log_sigma.exp()[0] / 200
    assert ((z.mean(0) - mu[0]).abs() < 6 * error).all()
    torch.testing.assert_close(z.std(0), log_sigma.exp()[0], rtol=0.02, atol=0)


def test_codes_begin_on_the_scale_of_a_prior_and_say_something_of_x():
    codes = NormalCodes(nn.Linear(50, 8), 4)
    nn.init.normal_(codes.body.weight, 0.0, 0.02)
    x = torch.randn(4_000, 50)
    mu, log_sigma = codes.moments(x)
    torch.testing.assert_close(mu.var(0), torch.ones(4), rtol=0.01, atol=0)
    assert (log_sigma + 1).abs().max() < 1


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 20), (2, 9, 13), (1, 5, 7)])
@pytest.mark.parametrize("halvings", [1, 2])
def test_maps_have_half_the_resolution_rounded_up_and_grow_back(shape, halvings):
    x = torch.randn(2, *shape)
    h, w = resolution(*shape[1:], halvings)
    z = Shrink(shape[0], 5, 4, halvings)(x)
    assert z.shape == (2, 5, h, w)
    y = Grow(5, shape, 4, halvings)(z)
    assert y.shape == x.shape and y.abs().max() <= 1
