"""The GAN game's theorems on discrete distributions, and losses that stay exact at any logit."""

import math

import pytest
import torch

from adversaria.objectives.adversarial import is_fake, is_real, saturating, squared_to

pytestmark = pytest.mark.usefixtures("float64")
P, Q = torch.tensor([1, 2, 3, 2, 0]), torch.tensor([4, 1, 1, 2, 0])  # counts of 8 over 4 states


def state(counts):
    return torch.repeat_interleave(torch.arange(len(counts)), counts)


def jsd(p, q):
    m = (p + q) / 2
    return 0.5 * (torch.xlogy(p, p / m) + torch.xlogy(q, q / m)).sum()


@pytest.mark.parametrize("logit", [-1e4, -100.0, -30.0, -1.0, 0.0, 0.5, 19.9, 20.1, 100.0, 1e4])
def test_values_and_gradients_are_exact_at_any_logit(logit):
    for loss, sign, slope_sign in ((is_real, -1, -1), (is_fake, 1, 1), (saturating, 1, -1)):
        x = torch.tensor([logit], requires_grad=True)
        value = loss(x)
        softplus = math.log1p(math.exp(-abs(logit))) + max(sign * logit, 0.0)
        expected = -softplus if loss is saturating else softplus
        assert value.item() == pytest.approx(expected, rel=1e-8, abs=1e-300)
        sigmoid = 1 / (1 + math.exp(-sign * logit)) if sign * logit > -700 else 0.0
        (gradient,) = torch.autograd.grad(value, x)
        assert gradient.item() == pytest.approx(slope_sign * sigmoid, rel=1e-8, abs=1e-300)


def test_float32_logits_of_a_hundred_lose_nothing():
    x = torch.tensor([100.0, -100.0], dtype=torch.float32, requires_grad=True)
    for loss, expected in ((is_real, 50.0), (is_fake, 50.0), (saturating, -50.0)):
        assert loss(x).item() == expected
    (gradient,) = torch.autograd.grad(is_real(x), x)
    assert gradient[1].item() == -0.5 and 0 >= gradient[0].item() > -1e-30


def test_losses_are_means_over_any_shape():
    x = torch.randn(3, 1, 2, 2)
    for loss in (is_real, is_fake, saturating):
        assert loss(x).shape == ()
        assert loss(x).item() == pytest.approx(torch.stack([loss(one) for one in x.flatten()]).mean().item())


def test_the_best_discriminator_is_p_over_p_plus_q():
    logits = torch.zeros(4, requires_grad=True)
    for _ in range(60):  # Newton's method on a sum of convex functions of one logit each
        loss = is_real(logits[state(P)]) + is_fake(logits[state(Q)])
        (g,) = torch.autograd.grad(loss, logits)
        D = torch.sigmoid(logits.detach())
        h = (P + Q)[:4] / 8 * D * (1 - D)
        logits = (logits.detach() - 0.5 * g / h).requires_grad_()
    best = (P / (P + Q))[:4]
    torch.testing.assert_close(torch.sigmoid(logits.detach()), best)


def test_the_games_value_at_the_best_discriminator_is_minus_log_4_and_twice_the_divergence():
    p, q = P[:4] / 8, Q[:4] / 8
    logits = (p / q).log().requires_grad_()
    value = -(is_real(logits[state(P)]) + is_fake(logits[state(Q)]))
    assert value.item() == pytest.approx((-math.log(4) + 2 * jsd(p, q)).item(), rel=1e-12)
    (slope,) = torch.autograd.grad(value, logits)
    assert slope.abs().max() < 1e-14
    for _ in range(20):
        other = logits.detach() + torch.randn(4)
        assert -(is_real(other[state(P)]) + is_fake(other[state(Q)])) < value


def test_where_data_and_samples_agree_the_value_is_minus_log_4():
    logits = torch.zeros(8)
    assert -(is_real(logits) + is_fake(logits)).item() == pytest.approx(-math.log(4), rel=1e-14)


def test_both_generator_losses_push_the_same_way_with_strengths_in_the_ratio_of_the_odds():
    x = torch.linspace(-8, 8, 33).requires_grad_()
    (stalling,) = torch.autograd.grad(saturating(x), x)
    (pushing,) = torch.autograd.grad(is_real(x), x)
    torch.testing.assert_close(stalling / pushing, x.detach().exp())  # D / (1 - D)
    assert (stalling < 0).all() and (pushing < 0).all()
    torch.testing.assert_close(stalling, -torch.sigmoid(x.detach()) / 33)


def test_saturating_is_minus_is_fake():
    x = torch.randn(7)
    assert saturating(x) == -is_fake(x)


@pytest.mark.parametrize("target", [0, 1, -1.0])
def test_squared_loss_pulls_to_its_target(target):
    x = torch.randn(5, requires_grad=True)
    value = squared_to(x, target)
    assert value.item() == pytest.approx((x - target).pow(2).sum().item() / 5)
    torch.testing.assert_close(torch.autograd.grad(value, x)[0], 2 * (x.detach() - target) / 5)


def test_the_best_least_squares_critic_is_p_over_p_plus_q():
    best = (P / (P + Q))[:4].requires_grad_()
    loss = squared_to(best[state(P)], 1) + squared_to(best[state(Q)], 0)
    assert torch.autograd.grad(loss, best)[0].abs().max() < 1e-14
