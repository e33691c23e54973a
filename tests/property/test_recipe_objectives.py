"""Recipes' terms against their equations, written out by hand on the same networks and the same noise."""

import pytest
import torch
from torch.nn import functional as F

from adversaria.data import Batch, DataSpec
from adversaria.recipes.adversarial.cgan import CGAN
from adversaria.recipes.adversarial.gan import GAN
from adversaria.recipes.adversarial.wgan_gp import WGANGP
from adversaria.recipes.quantised.vq_vae import VQVAE
from adversaria.recipes.sequence.seqgan import SeqGAN
from adversaria.recipes.translation.cyclegan import CycleGAN
from adversaria.recipes.variational.vae import VAE

pytestmark = pytest.mark.usefixtures("float64")
POINTS = DataSpec(kind="points", shape=(3,), classes=2)
IMAGES = DataSpec(kind="image", shape=(1, 8, 8))


def terms_of(game, player, batch, stage=None):
    objective = {p.name: p.objective for p in game.stage(stage).players}[player]
    torch.manual_seed(5)
    return {name: term.item() for name, term in objective(batch).items()}


def noise(*shape):
    torch.manual_seed(5)
    return torch.randn(*shape)


@pytest.mark.parametrize("loss", ["non-saturating", "minimax"])
def test_gan(loss):
    game, x = GAN(latent=2, hidden=5, depth=1, loss=loss).build(POINTS), torch.randn(9, 3)
    G, D = game.networks["generator"], game.networks["discriminator"]
    real, fake = torch.sigmoid(D(x)), torch.sigmoid(D(G(noise(9, 2))))
    terms = terms_of(game, "discriminator", Batch(x))
    assert terms == pytest.approx({"real": -real.log().mean().item(), "fake": -(1 - fake).log().mean().item()})
    expected = -fake.log().mean() if loss == "non-saturating" else (1 - fake).log().mean()
    assert terms_of(game, "generator", Batch(x)) == pytest.approx({loss: expected.item()})


def test_cgan_tells_both_players_the_label():
    game, x = CGAN(latent=2, embedding=2, hidden=5, depth=1).build(POINTS), torch.randn(9, 3)
    labels = torch.randint(2, (9,))
    G, D = game.networks["generator"], game.networks["discriminator"]

    def told(labels):
        return torch.sigmoid(D(x, labels)), torch.sigmoid(D(G(noise(9, 2), labels), labels))

    real, fake = told(labels)
    terms = terms_of(game, "discriminator", Batch(x, labels))
    assert terms == pytest.approx({"real": -real.log().mean().item(), "fake": -(1 - fake).log().mean().item()})
    assert terms_of(game, "generator", Batch(x, labels)) == pytest.approx({"non-saturating": -fake.log().mean().item()})
    assert (told(1 - labels)[0] - real).abs().max() > 1e-4


def test_wgan_gp():
    game, x = WGANGP(latent=2, hidden=5, depth=1, penalty=7.0).build(POINTS), torch.randn(9, 3)
    G, f = game.networks["generator"], game.networks["critic"]
    z = noise(9, 2)
    u = torch.rand(9, 1)  # drawn after z
    y = G(z).detach()
    points = (u * x + (1 - u) * y).requires_grad_()
    slopes = torch.autograd.grad(f(points).sum(), points)[0].norm(dim=1)
    terms = terms_of(game, "critic", Batch(x))
    assert terms["wasserstein"] == pytest.approx((f(y).mean() - f(x).mean()).item())
    assert terms["gradient"] == pytest.approx(7 * (slopes - 1).square().mean().item())
    assert terms_of(game, "generator", Batch(x)) == pytest.approx({"wasserstein": -f(y).mean().item()})


def test_vae():
    game, x = VAE(latent=2, hidden=5, depth=1, beta=3.0).build(POINTS), torch.randn(9, 3)
    E, G, p = (game.networks[name] for name in ("encoder", "decoder", "observation"))
    p.log_scale.data.normal_()
    mu, log_sigma = E(x)[:, :2], E(x)[:, 2:]
    q = torch.distributions.Normal(mu, log_sigma.exp())
    z = q.mean + q.stddev * noise(9, 2)
    log_p = torch.distributions.Normal(G(z), p.log_scale.exp()).log_prob(x).sum(1)
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
    assert terms_of(game, "model", Batch(x)) == pytest.approx(
        {"distortion": -log_p.mean().item(), "rate": 3 * kl.mean().item()}
    )


@pytest.mark.parametrize("identity", [0.0, 5.0])
def test_cyclegan(identity):
    recipe = CycleGAN(width=2, critic_width=2, blocks=1, cycle=4.0, identity=identity, pool=20)
    game = recipe.build(DataSpec(kind="image", shape=(1, 8, 8), domains=2))
    G, F_, D_X, D_Y = (game.networks[name] for name in ("G", "F", "critic_x", "critic_y"))
    x, y = torch.rand(4, 1, 8, 8) * 2 - 1, torch.rand(4, 1, 8, 8) * 2 - 1
    expected = {
        "adversarial_y": (D_Y(G(x)) - 1).pow(2).mean(),
        "adversarial_x": (D_X(F_(y)) - 1).pow(2).mean(),
        "cycle_x": 4 * F.l1_loss(F_(G(x)), x),
        "cycle_y": 4 * F.l1_loss(G(F_(y)), y),
    }
    if identity:
        expected["identity"] = 5 * (F.l1_loss(G(y), y) + F.l1_loss(F_(x), x))
    batch = Batch(x, y=y)
    assert terms_of(game, "translators", batch) == pytest.approx({k: v.item() for k, v in expected.items()})
    for critic, D, real, fake in (("critic_y", D_Y, y, G(x)), ("critic_x", D_X, x, F_(y))):  # the pools are empty yet
        assert terms_of(game, critic, batch) == pytest.approx(
            {"real": (D(real) - 1).pow(2).mean().item(), "fake": D(fake).pow(2).mean().item()}, rel=1e-5
        )


def test_vq_vae_priors_loss_is_the_codes_negative_log_likelihood():
    game = VQVAE(codes=4, dim=2, width=3, prior_width=3, prior_layers=2).build(IMAGES)
    stage, prior = game.stage("prior"), game.networks["prior"]
    with torch.no_grad():
        codes = stage.data(Batch(torch.rand(5, 1, 8, 8)))
    log_p = prior(codes.x).log_softmax(1).gather(1, codes.x[:, None]).sum() / 5
    assert terms_of(game, "prior", codes, "prior") == pytest.approx({"nll": -log_p.item()})


def test_seqgan_before_the_game():
    game = SeqGAN(embedding=3, hidden=4, filters=2, dropout=0.0).build(
        DataSpec(kind="sequence", shape=(4,), categories=3)
    )
    G, D = game.networks["generator"], game.networks["discriminator"]
    y = torch.randint(3, (6, 4))
    nll = -G(y).gather(2, y[..., None]).sum() / 6
    assert terms_of(game, "generator", Batch(y), "pretrain-generator") == pytest.approx({"nll": nll.item()})
    assert game.log_prob(y).sum().item() == pytest.approx(-6 * nll.item())
    torch.manual_seed(5)
    fake = G.sample(6, 4)
    expected = {"real": F.softplus(-D(y)).mean().item(), "fake": F.softplus(D(fake)).mean().item()}
    assert terms_of(game, "discriminator", Batch(y), "pretrain-discriminator") == pytest.approx(expected)
