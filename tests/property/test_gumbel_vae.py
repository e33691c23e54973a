"""The Gumbel VAE: relaxed choices, their limits, and a transformer over words and codes."""

import math

import pytest
import torch
from scipy import stats

import adversaria as adv
from adversaria.data import Batch, DataSpec
from adversaria.nn.captions import CaptionedGrid, vocabulary
from adversaria.recipes.quantised.gumbel_vae import one_hot

SPEC = DataSpec("image", (3, 8, 8), classes=3, class_names=("a red dot", "a blue dot left", "red"))


def test_relaxed_choices_have_the_law_of_their_logits_and_harden_as_they_cool():
    torch.manual_seed(0)
    logits = torch.tensor([0.5, -1.0, 1.2]).view(1, 3, 1, 1).expand(20_000, 3, 1, 1)
    recipe = adv.recipe("gumbel-vae", "smoke", codes=3, tau=1.0, coldest=0.01)
    warm, cold = recipe.relaxed(logits, torch.tensor(0.0)), recipe.relaxed(logits, torch.tensor(1.0))
    for z in (warm, cold):
        torch.testing.assert_close(z.sum(1), torch.ones(20_000, 1, 1))
        counts = torch.bincount(z.argmax(1).flatten(), minlength=3).numpy()
        due = logits[0].flatten().softmax(0).numpy() * 20_000
        assert stats.chisquare(counts, due * counts.sum() / due.sum()).pvalue > 1e-4
    assert warm.amax(1).mean() < 0.9 < 0.98 < cold.amax(1).mean()


def test_the_relaxed_choice_s_density_is_the_concrete_one():
    """Of two categories z_1 is the sigmoid of (logit + logistic noise) / tau; 1611.00712, Section 3.1."""
    torch.manual_seed(0)
    logits = torch.tensor([0.8, 0.0]).view(1, 2, 1, 1).expand(20_000, 2, 1, 1)
    z = adv.recipe("gumbel-vae", "smoke", codes=2, tau=0.7).relaxed(logits, torch.tensor(0.0))[:, 0, 0, 0]
    assert stats.kstest(torch.logit(z.double()).mul(0.7).sub(0.8).numpy(), "logistic").pvalue > 1e-4


def test_straight_through_is_hard_forwards_and_soft_backwards():
    logits = torch.randn(5, 8, 2, 2).requires_grad_()
    values, gradients = [], []
    for hard in (False, True):
        torch.manual_seed(0)
        z = adv.recipe("gumbel-vae", "smoke", hard=hard).relaxed(logits, torch.tensor(0.5))
        values.append(z)
        gradients.append(torch.autograd.grad((z * torch.arange(8.0).view(1, 8, 1, 1)).sum(), logits)[0])
    assert torch.equal(values[1], one_hot(values[0].argmax(1), 8))
    torch.testing.assert_close(*gradients)


def test_temperature_and_weight_move_with_the_moves():
    game = adv.recipe("gumbel-vae", "smoke", rise=4, cooling=2).build(SPEC)
    (player,) = game.stage("codes").players
    rates = []
    for _ in range(6):
        torch.manual_seed(0)
        rates.append(player.objective(Batch(torch.zeros(2, 3, 8, 8)))["rate"].item())
        player.after()
    assert rates[0] == pytest.approx(rates[4] / 4, rel=1e-4) and rates[3] == rates[4] == rates[5] > 0
    assert game.networks["temperature"]().item() == 1


def test_words_of_class_names_are_numbered_and_shorter_names_padded():
    words = vocabulary(SPEC.class_names, 3)
    assert words.shape == (3, 4)
    assert words[0, 0] == words[1, 0] and words[0, 1] == words[2, 0] != words[1, 1]
    assert words[0, 3] == 0 and words[2, 1:].tolist() == [0, 0, 0] and (words[1] > 0).all()
    assert vocabulary((), 4).shape == (4, 1)


def test_words_and_codes_are_a_distribution_and_samples_are_given_theirs():
    torch.manual_seed(0)
    net = CaptionedGrid(2, (2, 2), vocabulary(SPEC.class_names, 3), 8, 1, 2).double()
    for p in net.parameters():
        p.data = p.data + 0.5 * torch.randn_like(p)
    codes = torch.cartesian_prod(*[torch.arange(2)] * 4).view(-1, 2, 2)
    for label in range(3):
        each = torch.tensor([net.nll(c[None], torch.tensor([label]))[1].item() for c in codes])
        assert torch.exp(-each).sum().item() == pytest.approx(1, abs=1e-6)
        drawn = net.sample(3_000, (2, 2), torch.full((3_000,), label))
        index = (drawn.flatten(1) * 2 ** torch.arange(3, -1, -1)).sum(1)
        found = torch.bincount(index, minlength=16) / 3_000
        assert 0.5 * (found - torch.exp(-each)).abs().sum() < 0.06
    text = {label: net.nll(codes[:1], torch.tensor([label]))[0].item() for label in range(3)}
    assert len(set(text.values())) == 3 and all(math.isfinite(v) and v > 0 for v in text.values())


@pytest.mark.parametrize("conditional", [False, True])
def test_both_stages_play_and_codes_come_back(conditional):
    game = adv.recipe("gumbel-vae", "smoke", conditional=conditional).build(SPEC)
    batch = Batch(torch.rand(8, 3, 8, 8) * 2 - 1, torch.arange(8) % 3)
    (prior,) = game.stage("prior").players
    codes = game.stage("prior").data(batch)
    assert codes.x.shape == (8, 4, 4) and codes.x.max() < 8
    terms = prior.objective(codes)
    assert set(terms) == ({"codes", "text"} if conditional else {"codes"})
    assert torch.equal(game.ask("tokens", batch.x), codes.x)
    given = torch.tensor([0, 1, 2]) if conditional else None
    assert game.sample(3, given, seed=0).shape == game.reconstruct(batch.x[:3]).shape == (3, 3, 8, 8)
