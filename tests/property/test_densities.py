"""Log-densities and divergences against independent implementations, in value and gradient."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import distributions as D

from adversaria.distributions import (
    bits_per_dim,
    kl_from_standard,
    log_bernoulli,
    log_discretised_logistic,
    log_normal,
)
from adversaria.nn.observation import Observation

pytestmark = pytest.mark.usefixtures("float64")
LEVELS = torch.arange(256, dtype=torch.float64) / 127.5 - 1


def gradients(value, *inputs):
    return torch.autograd.grad(value.sum(), inputs)


def leaves(*shapes):
    return [torch.randn(*shape, requires_grad=True) for shape in shapes]


@pytest.mark.parametrize("event", [(1,), (5,), (2, 3, 4)])
def test_log_normal_equals_scipy_in_value_and_torch_in_gradient(event):
    x, mean, log_sd = leaves((4, *event), (4, *event), (4, *event))
    value = log_normal(x, mean, log_sd)
    density = stats.norm.logpdf(*(v.detach().numpy() for v in (x, mean, log_sd.exp())))
    np.testing.assert_allclose(value.detach().numpy(), density.reshape(4, -1).sum(1), rtol=1e-12)
    expected = D.Normal(mean, log_sd.exp()).log_prob(x)
    for ours, theirs in zip(gradients(value, x, mean, log_sd), gradients(expected, x, mean, log_sd), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_log_normal_broadcasts_numbers_and_one_scale_a_column():
    x, log_sd = torch.randn(4, 3), torch.randn(3)
    torch.testing.assert_close(log_normal(x), D.Normal(0.0, 1.0).log_prob(x).sum(1))
    torch.testing.assert_close(log_normal(x, 0.5, log_sd), D.Normal(0.5, log_sd.exp()).log_prob(x).sum(1))
    torch.testing.assert_close(log_normal(x, 0.5, -0.7), D.Normal(0.5, math.exp(-0.7)).log_prob(x).sum(1))


@pytest.mark.parametrize("event", [(1,), (5,), (2, 3, 4)])
def test_log_bernoulli_equals_scipy_in_value_and_data_minus_mean_in_gradient(event):
    x, (logits,) = torch.randint(2, (4, *event)).double(), leaves((4, *event))
    value = log_bernoulli(x, logits)
    p = torch.sigmoid(logits.detach())
    mass = stats.bernoulli.logpmf(x.numpy(), p.numpy())
    np.testing.assert_allclose(value.detach().numpy(), mass.reshape(4, -1).sum(1), rtol=1e-12)
    torch.testing.assert_close(gradients(value, logits)[0], x - p)


def test_log_bernoulli_is_finite_at_any_finite_logit():
    logits = torch.tensor([[-1e6, 1e6, -100.0, 100.0]], requires_grad=True)
    x = torch.tensor([[1.0, 0.0, 0.0, 1.0]])
    value = log_bernoulli(x, logits)
    assert value.item() == -2e6
    assert torch.equal(gradients(value, logits)[0].round(), torch.tensor([[1.0, -1.0, 0.0, 0.0]]))


@pytest.mark.parametrize(("mean", "log_sd"), [(0.0, 0.0), (0.7, -1.5), (-2.0, 0.8), (3.0, -3.0)])
def test_kl_from_standard_equals_its_integral_and_torch(mean, log_sd):
    m, s = torch.tensor([[mean]], requires_grad=True), torch.tensor([[log_sd]], requires_grad=True)
    value = kl_from_standard(m, s)
    sd = math.exp(log_sd)

    def integrand(z):
        log_q = stats.norm.logpdf(z, mean, sd)
        return math.exp(log_q) * (log_q - stats.norm.logpdf(z))

    integral, _ = integrate.quad(integrand, mean - 12 * sd, mean + 12 * sd, epsabs=1e-13, epsrel=1e-13)
    assert value.item() == pytest.approx(integral, abs=1e-10)
    expected = D.kl_divergence(D.Normal(m, s.exp()), D.Normal(0.0, 1.0))
    torch.testing.assert_close(value, expected)
    grad_mean, grad_log_sd = gradients(value, m, s)
    assert grad_mean.item() == pytest.approx(mean, abs=1e-14)
    assert grad_log_sd.item() == pytest.approx(sd**2 - 1, rel=1e-12, abs=1e-14)


def test_kl_from_standard_is_a_value_a_coordinate_and_lies_in_its_monte_carlo_interval():
    mean, log_sd = torch.randn(1, 4), 0.5 * torch.randn(1, 4)
    kl = kl_from_standard(mean, log_sd)
    assert kl.shape == (1, 4) and (kl >= 0).all()
    z = mean + log_sd.exp() * torch.randn(100_000, 4)
    draws = log_normal(z, mean, log_sd) - log_normal(z)
    error = draws.std() / len(draws) ** 0.5
    assert abs(draws.mean() - kl.sum()) < 4 * error < 0.2


@pytest.mark.parametrize("levels", [2, 3, 16, 256])
@pytest.mark.parametrize("mean", [-3.0, -1.0, -0.31, 0.0, 0.001, 0.3, 1.0, 2.0])
@pytest.mark.parametrize("log_scale", [-7.0, -4.0, -2.0, 0.0, 3.0])
def test_the_discretised_logistic_sums_to_one_over_its_levels(levels, mean, log_scale):
    x = torch.linspace(-1, 1, levels)[:, None]
    log_p = log_discretised_logistic(x, torch.tensor(mean), torch.tensor(log_scale), levels)
    assert abs(log_p.exp().sum().item() - 1) < 1e-12


def test_the_discretised_logistic_has_its_golden_values():
    log_p = log_discretised_logistic(LEVELS[:, None], torch.tensor(0.0), torch.tensor(-2.0))
    assert log_p[0].item() == pytest.approx(-7.3607153540, abs=1e-10)
    assert log_p[128].item() == pytest.approx(-4.2346905538, abs=1e-10)
    assert log_p[255].item() == pytest.approx(log_p[0].item(), abs=1e-12)


def test_the_discretised_logistic_equals_the_difference_of_sigmoids_where_that_is_exact():
    for mean, log_scale in [(0.0, -2.0), (0.3, -4.0), (-0.9, -1.0), (0.001, -6.0), (1.5, 0.5)]:
        s = math.exp(log_scale)
        above = torch.sigmoid((LEVELS + 1 / 255 - mean) / s)
        below = torch.sigmoid((LEVELS - 1 / 255 - mean) / s)
        above[-1], below[0] = 1, 0
        p, exact = above - below, None
        exact = (p > 1e-4) & (above < 1 - 1e-4)  # elsewhere the difference loses its digits
        exact[0], exact[-1] = p[0] > 1e-4, p[-1] > 1e-4
        log_p = log_discretised_logistic(LEVELS[:, None], torch.tensor(mean), torch.tensor(log_scale))
        assert exact.any()
        torch.testing.assert_close(log_p[exact], p[exact].log(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_discretised_logistic_is_finite_far_out_in_the_tails_and_still_pulls_back(dtype):
    x = LEVELS[:, None].to(dtype)
    for target in (-50.0, 50.0):
        mean = torch.full((256, 1), target, dtype=dtype, requires_grad=True)
        log_scale = torch.full((256, 1), -7.0, dtype=dtype, requires_grad=True)
        log_p = log_discretised_logistic(x, mean, log_scale)
        grad_mean, grad_log_scale = gradients(log_p, mean, log_scale)
        middle = slice(None, -1) if target > 0 else slice(1, None)
        assert torch.isfinite(log_p).all() and torch.isfinite(grad_mean).all() and torch.isfinite(grad_log_scale).all()
        assert (log_p[middle] < -1e4).all()
        torch.testing.assert_close(
            grad_mean[middle], -math.copysign(math.exp(7), target) * torch.ones_like(grad_mean[middle])
        )
        assert (grad_log_scale[middle] > 1e4).all()


def test_the_discretised_logistics_gradient_is_that_of_its_value():
    x = LEVELS[torch.tensor([[0, 1, 100], [128, 254, 255]])]
    mean, log_scale = torch.randn(2, 3).mul(0.5).requires_grad_(), (torch.randn(1, 3) - 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda m, s: log_discretised_logistic(x, m, s), (mean, log_scale))


def test_bits_per_dim_of_uniform_bytes_is_eight_and_of_uniform_bits_one():
    assert bits_per_dim(-3072 * math.log(256), 3072) == pytest.approx(8, rel=1e-14)
    assert bits_per_dim(-543.4274, 784) == pytest.approx(1, rel=1e-6)
    assert bits_per_dim(-2.6364, 1) == pytest.approx(3.8035, abs=1e-4)


def test_an_images_likelihood_is_the_product_over_its_pixels_with_a_scale_a_channel():
    p = Observation("image", (2, 3, 3)).double()
    p.log_scale.data.copy_(torch.tensor([-1.0, -3.0])[:, None, None])
    x, output = LEVELS[torch.randint(256, (4, 2, 3, 3))], 0.5 * torch.randn(4, 2, 3, 3)
    expected = torch.zeros(4)
    for c in range(2):
        for pixel, mean in zip(x[:, c].flatten(1).T, output[:, c].flatten(1).T, strict=True):
            expected += log_discretised_logistic(pixel[:, None], mean[:, None], torch.tensor([-1.0, -3.0][c]))
    torch.testing.assert_close(p.log_prob(x, output), expected)


def test_likelihoods_of_points_and_bits_are_normal_and_bernoulli():
    output = torch.randn(4, 3)
    points = Observation("points", (3,)).double()
    points.log_scale.data.copy_(torch.randn(3))
    x = torch.randn(4, 3)
    expected = D.Normal(output, points.log_scale.exp()).log_prob(x).sum(1)
    torch.testing.assert_close(points.log_prob(x, output), expected)
    bits = Observation("binary", (3,))
    x = torch.randint(2, (4, 3)).double()
    torch.testing.assert_close(bits.log_prob(x, output), D.Bernoulli(logits=output).log_prob(x).sum(1))


def test_samples_of_points_have_the_likelihoods_spread():
    p = Observation("points", (2,)).double()
    p.log_scale.data.copy_(torch.tensor([-1.0, 0.5]))
    shown = p.show(torch.zeros(20_000, 2))
    torch.testing.assert_close(shown.std(0), torch.tensor([-1.0, 0.5]).exp().detach(), rtol=0.03, atol=0)
