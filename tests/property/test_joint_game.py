"""ALI: one forward pass, two losses with swapped labels, and updates that are taken at the same point."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from adversaria.data import Batch, DataSpec
from adversaria.game import SGD, play
from adversaria.recipes.adversarial.ali import ALI

pytestmark = pytest.mark.usefixtures("float64")


def ali():
    game = ALI(latent=2, hidden=6, depth=1, average=0.0).build(DataSpec(kind="points", shape=(3,)))
    return game, *(game.networks[name] for name in ("encoder", "decoder", "discriminator"))


def by_hand(E, G, D, x):
    """Logits of encoded and of decoded pairs, from the networks and the same noise."""
    torch.manual_seed(5)
    variance = torch.sigmoid(E(x)[:, 2:])
    z_hat = (1 - variance).sqrt() * E(x)[:, :2] + variance.sqrt() * torch.randn(len(x), 2)
    z = torch.randn(len(x), 2)
    return D(x, z_hat), D(G(z), z)


def terms_of(game, x):
    torch.manual_seed(5)
    return game.stage().joint(Batch(x))


def test_the_terms_are_those_of_the_paper():
    game, E, G, D = ali()
    x = torch.randn(9, 3)
    q, p = (torch.sigmoid(logits) for logits in by_hand(E, G, D, x))
    terms = terms_of(game, x)
    value = q.log().mean() + (1 - p).log().mean()  # Eq. 1
    assert -sum(terms["discriminator"].values()).item() == pytest.approx(value.item(), rel=1e-12)
    swapped = (1 - q).log().mean() + p.log().mean()  # Section 2.2
    assert -sum(terms["generators"].values()).item() == pytest.approx(swapped.item(), rel=1e-12)


def test_the_generators_terms_are_the_discriminators_with_swapped_labels_on_the_same_logits():
    game, E, G, D = ali()
    x = torch.randn(9, 3)
    q, p = by_hand(E, G, D, x)
    terms = terms_of(game, x)
    # softplus(-l) - softplus(l) = -l ties the two losses of one logit to each other.
    for pair, swapped, logits, sign in (("real", "mirror", q, 1), ("fake", "non-saturating", p, -1)):
        difference = terms["discriminator"][pair] - terms["generators"][swapped]
        assert difference.item() == pytest.approx(-sign * logits.mean().item(), rel=1e-10)


def test_gradients_of_encoder_decoder_and_discriminator_are_those_by_hand():
    game, E, G, D = ali()
    x = torch.randn(9, 3)
    terms = terms_of(game, x)
    q, p = by_hand(E, G, D, x)
    for name, networks, loss in (
        ("discriminator", (D,), F.softplus(-q).mean() + F.softplus(p).mean()),
        ("generators", (E, G), F.softplus(q).mean() + F.softplus(-p).mean()),
    ):
        own = [w for net in networks for w in net.parameters()]
        ours = torch.autograd.grad(sum(terms[name].values()), own, retain_graph=True)
        for a, b in zip(ours, torch.autograd.grad(loss, own, retain_graph=True), strict=True):
            torch.testing.assert_close(a, b)


def test_a_simultaneous_round_takes_both_gradients_at_the_same_point():
    game, E, G, D = ali()
    x, lr = torch.randn(9, 3), {"discriminator": 0.3, "generators": 0.2}
    stage = game.stage()
    stage = replace(stage, players=tuple(replace(p, optimizer=SGD(lr=lr[p.name])) for p in stage.players))

    q, p = by_hand(E, G, D, x)
    expected = []
    for name, networks, loss in (
        ("discriminator", (D,), F.softplus(-q).mean() + F.softplus(p).mean()),
        ("generators", (E, G), F.softplus(q).mean() + F.softplus(-p).mean()),
    ):
        own = [w for net in networks for w in net.parameters()]
        gradients = torch.autograd.grad(loss, own, retain_graph=True)
        expected += [(w, w.detach() - lr[name] * g) for w, g in zip(own, gradients, strict=True)]
    torch.manual_seed(5)
    record = next(play(stage, [x], rounds=1))
    for w, value in expected:
        torch.testing.assert_close(w.detach(), value)
    assert record.terms["discriminator"]["real"] == pytest.approx(F.softplus(-q).mean().item())
