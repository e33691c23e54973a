"""The gradient penalty against closed forms: its value, and its gradient in the critic's parameters."""

import pytest
import torch
from scipy import stats
from torch import nn

from adversaria.ops import gradient_penalty

pytestmark = pytest.mark.usefixtures("float64")


def linear_critic(event, slope=5.0):
    """f(x) = w x + b with ||w|| = slope."""
    f = nn.Sequential(nn.Flatten(), nn.Linear(torch.Size(event).numel(), 1))
    w = f[1].weight
    w.data.mul_(slope / w.data.norm())
    return f, w


class Quadratic(nn.Module):
    """f(x) = x' A x / 2 + b' x, of slope (A + A') x / 2 + b."""

    def __init__(self, d):
        super().__init__()
        self.A, self.b = nn.Parameter(torch.randn(d, d)), nn.Parameter(torch.randn(d))

    def forward(self, x):
        return 0.5 * torch.einsum("ni,ij,nj->n", x, self.A, x) + x @ self.b


@pytest.mark.parametrize("n", [1, 4, 64, 256])
@pytest.mark.parametrize("event", [(1,), (2,), (7,), (1, 4, 4), (3, 5, 6), (2, 3, 2, 2)])
def test_penalty_of_a_linear_critic_is_the_squared_excess_of_its_slope_at_any_batch_size(n, event):
    f, w = linear_critic(event)
    penalty = gradient_penalty(f, torch.randn(n, *event), torch.randn(n, *event))
    assert penalty.shape == ()
    assert penalty.item() == pytest.approx(16, rel=1e-12)
    (gradient,) = torch.autograd.grad(penalty, w)
    torch.testing.assert_close(gradient, 2 * (5 - 1) * w / 5)


@pytest.mark.parametrize("slope", [0.25, 1.0, 3.0])
def test_slopes_below_one_are_penalised_like_those_above(slope):
    f, w = linear_critic((3,), slope)
    penalty = gradient_penalty(f, torch.randn(8, 3), torch.randn(8, 3))
    assert penalty.item() == pytest.approx((slope - 1) ** 2, abs=1e-12)
    (gradient,) = torch.autograd.grad(penalty, w)
    torch.testing.assert_close(gradient, 2 * (slope - 1) * w.detach() / slope, atol=1e-12, rtol=1e-9)


def test_penalty_of_a_quadratic_critic_equals_its_closed_form_in_value_and_gradient():
    f, x = Quadratic(3), torch.randn(5, 3)
    penalty = gradient_penalty(f, x, x)  # segments of length 0: the points are x
    A, b = f.A.detach(), f.b.detach()
    slopes = x @ (A + A.T) / 2 + b
    norms = slopes.norm(dim=1, keepdim=True)
    assert penalty.item() == pytest.approx(float((norms - 1).square().mean()), rel=1e-12)
    g = 2 * (norms - 1) * slopes / norms / len(x)
    grad_A, grad_b = torch.autograd.grad(penalty, (f.A, f.b))
    torch.testing.assert_close(grad_b, g.sum(0))
    torch.testing.assert_close(grad_A, 0.5 * (g.T @ x + x.T @ g))


def test_the_norm_is_each_examples_own():
    f, x = Quadratic(3), torch.randn(6, 3)
    alone = torch.stack([gradient_penalty(f, x[i : i + 1], x[i : i + 1]) for i in range(6)])
    assert gradient_penalty(f, x, x).item() == pytest.approx(alone.mean().item(), rel=1e-12)
    assert alone.std() > 0.1


def test_gradient_in_the_parameters_of_a_network_equals_finite_differences():
    f = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))
    x, y = torch.randn(4, 3), torch.randn(4, 3)

    def value():
        torch.manual_seed(1)
        return gradient_penalty(f, x, y)

    gradients = torch.autograd.grad(value(), list(f.parameters()), allow_unused=True)
    assert gradients[-1] is None or gradients[-1].abs().max() == 0  # the last offset has no say in a slope
    h = 1e-6
    for p, gradient in list(zip(f.parameters(), gradients, strict=True))[:-1]:
        flat = p.data.view(-1)
        for i in range(len(flat)):
            flat[i] += h
            up = value().item()
            flat[i] -= 2 * h
            down = value().item()
            flat[i] += h
            assert gradient.view(-1)[i].item() == pytest.approx((up - down) / (2 * h), rel=1e-6, abs=1e-8)


def test_points_lie_uniformly_on_the_segments_with_one_weight_for_all_numbers_of_an_example():
    seen = []

    def f(points):
        seen.append(points.detach())
        return points.flatten(1).sum(1)

    n, event = 2_000, (2, 3, 3)
    gradient_penalty(f, torch.full((n, *event), 3.0), torch.full((n, *event), 1.0))
    share = (seen[0].flatten(1) - 1) / 2
    assert torch.equal(share, share[:, :1].expand_as(share)), "one weight for each number of an example"
    assert stats.kstest(share[:, 0].numpy(), "uniform").pvalue > 1e-3


def test_the_penalty_is_the_critics_alone():
    f = Quadratic(3)
    x, y = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    penalty = gradient_penalty(f, x, y)
    grad_x, grad_y, grad_A = torch.autograd.grad(penalty, (x, y, f.A), allow_unused=True)
    assert grad_x is None and grad_y is None and grad_A is not None


def test_a_column_of_scores_is_as_good_as_a_vector():
    f, _ = linear_critic((3,))
    x, y = torch.randn(4, 3), torch.randn(4, 3)
    torch.manual_seed(1)
    column = gradient_penalty(f, x, y)
    torch.manual_seed(1)
    assert gradient_penalty(lambda x: f(x)[:, 0], x, y) == column


@pytest.mark.parametrize("shape", [(4, 2), (4, 1, 1), (1, 4), (), (2,)])
def test_anything_but_one_score_an_example_is_an_error_with_value_and_rule(shape):
    def f(x):
        return torch.zeros(shape) + x.sum()

    with pytest.raises(ValueError, match="one score per sample") as caught:
        gradient_penalty(f, torch.randn(4, 3), torch.randn(4, 3))
    assert str(shape) in str(caught.value) and "(4,) or (4, 1)" in str(caught.value)


def test_where_the_slope_vanishes_the_penalty_is_one_and_its_gradient_zero_not_nan():
    f, w = linear_critic((3,))
    w.data.zero_()
    penalty = gradient_penalty(f, torch.randn(4, 3), torch.randn(4, 3))
    assert penalty.item() == 1
    (gradient,) = torch.autograd.grad(penalty, w)
    assert torch.equal(gradient, torch.zeros_like(w))


def test_a_dead_critic_has_a_finite_gradient():
    f = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    f[0].bias.data.fill_(-100.0)
    penalty = gradient_penalty(f, torch.randn(4, 3), torch.randn(4, 3))
    assert penalty.item() == 1
    for gradient in torch.autograd.grad(penalty, list(f.parameters()), allow_unused=True):
        assert gradient is None or torch.isfinite(gradient).all()
