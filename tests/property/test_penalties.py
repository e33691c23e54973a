"""Penalties against closed forms, in value and in the critic's parameters; one tensor or several; float32 always."""

import pytest
import torch
from scipy import stats
from torch import nn

from adversaria.errors import UserError
from adversaria.ops import clip_weights, dragan_penalty, gradient_penalty, squared_slope

EVENT = (3, 4)


@pytest.fixture
def x(float64):
    return torch.randn(6, 3)


def linear(event=EVENT, slope=5.0):
    """f(x) = w x + b with ||w|| = slope."""
    f = nn.Sequential(nn.Flatten(), nn.Linear(torch.Size(event).numel(), 1))
    w = f[1].weight
    w.data.mul_(slope / w.data.norm())
    return f, w


class Quadratic(nn.Module):
    """f(x) = x' A x / 2 + b' x, of gradient (A + A') x / 2 + b."""

    def __init__(self, d=3):
        super().__init__()
        self.A, self.b = nn.Parameter(torch.randn(d, d)), nn.Parameter(torch.randn(d))

    def forward(self, x):
        return 0.5 * torch.einsum("ni,ij,nj->n", x, self.A, x) + x @ self.b

    def gradients(self, x):
        return (x @ (self.A + self.A.T) / 2 + self.b).detach()

    def pulled_back(self, g, x):
        """In A and b, from g = d penalty / d gradients."""
        return 0.5 * (g.T @ x + x.T @ g), g.sum(0)


class Two(nn.Module):
    """f(x, z) = sin(w x) + v z."""

    def __init__(self):
        super().__init__()
        self.w, self.v = nn.Parameter(torch.randn(12)), nn.Parameter(torch.randn(2))

    def forward(self, x, z):
        return torch.sin(x.flatten(1) @ self.w) + z @ self.v


def at(f, x, **settings):
    """The penalty at the points x themselves: segments of length 0."""
    return gradient_penalty(f, x, x, **settings)


def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 1))


PENALTIES = {
    "gradient": lambda f, x: gradient_penalty(f, x, torch.zeros_like(x)),
    "one-sided": lambda f, x: gradient_penalty(f, x, torch.zeros_like(x), centre=0.1, one_sided=True),
    "zero-centred": lambda f, x: gradient_penalty(f, x, torch.zeros_like(x), centre=0.0),
    "squared": squared_slope,
    "dragan": dragan_penalty,
}
every = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("n", [4, 64, 256])
def test_penalties_of_a_linear_critic_know_its_slope_at_any_batch_size(n):
    f, w = linear()
    x, y = torch.randn(n, *EVENT), torch.randn(n, *EVENT)
    cases = [
        (gradient_penalty(f, x, y), 16.0, 8.0),
        (gradient_penalty(f, x, y, centre=2.0), 9.0, 6.0),
        (gradient_penalty(f, x, y, centre=7.0), 4.0, -4.0),
        (gradient_penalty(f, x, y, centre=7.0, one_sided=True), 0.0, 0.0),
        (gradient_penalty(f, x, y, one_sided=True), 16.0, 8.0),
        (gradient_penalty(f, x, y, centre=0.0), 25.0, 10.0),
        (squared_slope(f, x), 25.0, 10.0),
        (dragan_penalty(f, x), 16.0, 8.0),
    ]
    for penalty, value, by_slope in cases:
        assert penalty.shape == () and penalty.item() == pytest.approx(value, rel=1e-12, abs=1e-12)
        torch.testing.assert_close(torch.autograd.grad(penalty, w)[0], by_slope * w.detach() / 5)


@pytest.mark.parametrize("centre", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("one_sided", [False, True])
def test_gradient_penalty_of_a_quadratic_critic_equals_its_closed_form(x, centre, one_sided):
    f = Quadratic()
    gradients = f.gradients(x)
    slopes = gradients.norm(dim=1, keepdim=True)
    excess = slopes - centre
    if one_sided:
        excess = excess * (excess > 0)
        assert centre < 2 or 0 < (excess > 0).sum() < len(x), "some slopes on either side"
    penalty = at(f, x, centre=centre, one_sided=one_sided)
    assert penalty.item() == pytest.approx(excess.square().mean().item(), rel=1e-12)
    for found, expected in zip(
        torch.autograd.grad(penalty, (f.A, f.b)),
        f.pulled_back(2 * excess * gradients / slopes / len(x), x),
        strict=True,
    ):
        torch.testing.assert_close(found, expected)


def test_squared_slope_of_a_quadratic_critic_equals_its_closed_form_and_the_zero_centred_penalty(x):
    f = Quadratic()
    gradients = f.gradients(x)
    penalty = squared_slope(f, x)
    assert penalty.item() == pytest.approx(gradients.square().sum(1).mean().item(), rel=1e-12)
    assert at(f, x, centre=0.0).item() == pytest.approx(penalty.item(), rel=1e-12)
    expected = f.pulled_back(2 * gradients / len(x), x)
    for found, exact in zip(torch.autograd.grad(penalty, (f.A, f.b)), expected, strict=True):
        torch.testing.assert_close(found, exact)


def test_dragan_without_spread_is_the_penalty_at_the_data(x):
    f = Quadratic()
    torch.testing.assert_close(dragan_penalty(f, x, spread=0.0), at(f, x))


@pytest.mark.usefixtures("float64")
def test_dragan_looks_around_the_data_with_normal_noise_of_a_share_of_their_deviation():
    seen = []

    def f(points):
        seen.append(points.detach())
        return points.flatten(1).sum(1)

    x = 3.0 * torch.randn(500, 2, 4) + 7
    dragan_penalty(f, x)
    dragan_penalty(f, x, spread=0.1)
    for points, spread in zip(seen, (0.5, 0.1), strict=True):
        noise = (points - x) / (spread * x.std(correction=0))
        assert stats.kstest(noise.flatten().numpy(), "norm").pvalue > 1e-3
        assert torch.corrcoef(noise.flatten(1).T)[0, 1].abs() < 0.2


@pytest.mark.usefixtures("float64")
def test_the_slope_of_a_critic_of_two_tensors_is_over_everything_of_an_example():
    f, x, z = Two(), torch.randn(5, 3, 4), torch.randn(5, 2)
    cosine = torch.cos(x.flatten(1) @ f.w.detach())
    squares = cosine.square() * f.w.detach().square().sum() + f.v.detach().square().sum()
    penalty = squared_slope(f, (x, z))
    assert penalty.item() == pytest.approx(squares.mean().item(), rel=1e-12)
    torch.testing.assert_close(torch.autograd.grad(penalty, f.v)[0], 2 * f.v.detach())
    assert at(f, (x, z)).item() == pytest.approx((squares.sqrt() - 1).square().mean().item(), rel=1e-12)
    torch.testing.assert_close(dragan_penalty(f, (x, z), spread=0.0), at(f, (x, z)))


@pytest.mark.usefixtures("float64")
def test_one_weight_serves_all_tensors_of_an_example():
    seen = []

    def f(x, z):
        seen.append((x.detach().clone(), z.detach().clone()))
        return x.flatten(1).sum(1) + z.sum(1)

    n = 2_000
    ends = torch.full((n, 2, 3), 3.0), torch.full((n, 2), -1.0)
    starts = torch.full((n, 2, 3), 1.0), torch.full((n, 2), 4.0)
    gradient_penalty(f, ends, starts)
    x, z = seen[0]
    share = (x - 1).flatten(1) / 2
    torch.testing.assert_close(share, share[:, :1].expand_as(share))
    torch.testing.assert_close((4 - z) / 5, share[:, :1].expand(n, 2))
    assert stats.kstest(share[:, 0].numpy(), "uniform").pvalue > 1e-3


def test_a_tuple_of_one_is_the_tensor_and_a_tensor_the_critic_ignores_adds_no_slope(x):
    f, z = Quadratic(), torch.randn(6, 2)
    assert squared_slope(f, (x,)) == squared_slope(f, x)
    assert squared_slope(lambda x, z: f(x), (x, z)) == squared_slope(f, x)


@every
def test_gradients_in_a_networks_parameters_equal_finite_differences(penalty, float64):
    f = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    x = torch.randn(4, 3)

    def value():
        torch.manual_seed(1)
        return penalty(f, x)

    parameters = [p for name, p in f.named_parameters() if name != "2.bias"]  # the last offset has no say in a slope
    gradients = torch.autograd.grad(value(), parameters)
    h = 1e-6
    for p, gradient in zip(parameters, gradients, strict=True):
        flat = p.data.view(-1)
        for i in range(len(flat)):
            flat[i] += h
            up = value().item()
            flat[i] -= 2 * h
            down = value().item()
            flat[i] += h
            assert gradient.view(-1)[i].item() == pytest.approx((up - down) / (2 * h), rel=1e-6, abs=1e-8)


@every
def test_where_the_slope_vanishes_the_gradient_is_zero_not_nan(penalty, float64):
    f, w = linear()
    w.data.zero_()
    value = penalty(f, torch.randn(4, *EVENT))
    assert value.item() in (0.0, 1.0)
    assert torch.equal(torch.autograd.grad(value, w)[0], torch.zeros_like(w))


@every
def test_the_penalty_is_the_critics_alone_and_leaves_its_examples_as_they_were(penalty, float64):
    f, x = Quadratic(12), torch.randn(4, 12)
    before, moved = x.clone(), x.clone().requires_grad_()
    assert torch.autograd.grad(penalty(f, moved), moved, allow_unused=True) == (None,)
    penalty(f, x)
    assert torch.equal(x, before) and not x.requires_grad and x.grad is None
    assert f.A.grad is None


@every
def test_under_autocast_value_and_gradient_are_those_of_float32(penalty):
    f, x = network(), torch.randn(8, *EVENT)
    found = []
    for enabled in (False, True):
        torch.manual_seed(1)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            assert f(x).dtype == (torch.bfloat16 if enabled else torch.float32)  # and fills autocast's cache of weights
            value = penalty(f, x)
        found.append((value, *torch.autograd.grad(value, [f[1].weight, f[3].weight])))  # outside, as torch asks for
    for plain, cast in zip(*found, strict=True):
        assert cast.dtype == torch.float32
        torch.testing.assert_close(cast, plain, rtol=1e-6, atol=1e-9)


def test_samples_made_under_autocast_are_widened():
    f, x, y = network(), torch.randn(8, *EVENT), torch.randn(8, *EVENT).bfloat16()
    values = []
    for other in (y, y.float()):
        torch.manual_seed(1)
        values.append(gradient_penalty(f, x, other))
    assert values[0] == values[1] and values[0].dtype == torch.float32
    assert squared_slope(f, y) == squared_slope(f, y.float())
    assert gradient_penalty(f.double(), x.double(), x.double()).dtype == torch.float64


def test_without_gradient_the_value_is_there_and_carries_no_graph():
    f, x = network(), torch.randn(8, *EVENT)
    with torch.no_grad():
        value = squared_slope(f, x)
    assert value == squared_slope(f, x) and not value.requires_grad


@pytest.mark.parametrize("shape", [(4, 2), (4, 1, 1), (1, 4), (), (2,)])
def test_anything_but_one_score_an_example_is_told_by_each(shape):
    def f(x):
        return torch.zeros(shape) + x.sum()

    for penalty in PENALTIES.values():
        with pytest.raises(UserError, match="one score per sample") as caught:
            penalty(f, torch.randn(4, 3))
        assert str(shape) in str(caught.value) and "(4,) or (4, 1)" in str(caught.value)


def test_scores_without_a_path_to_their_examples_are_told():
    f, x = network(), torch.randn(4, *EVENT)
    for critic in (lambda x: f(x.detach()), lambda x: f(x).detach()):
        with pytest.raises(UserError, match="don't depend on its examples"):
            squared_slope(critic, x)


def test_segments_need_partners_of_the_same_shape():
    f = network()
    for x, y in (
        (torch.zeros(4, 3, 4), torch.zeros(4, 1, 4)),  # which would broadcast
        ((torch.zeros(4, 3), torch.zeros(4, 2)), (torch.zeros(4, 3),)),
    ):
        with pytest.raises(UserError, match="each needs a partner of its own shape"):
            gradient_penalty(f, x, y)


def test_clipping_moves_every_parameter_to_the_nearest_number_in_the_box_and_nothing_else():
    f = nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5), nn.Linear(5, 1))
    f[0].bias.requires_grad_(False)
    f[1].running_mean.fill_(9.0)
    before = [p.detach().clone() for p in f.parameters()]
    places = [p.data_ptr() for p in f.parameters()]
    assert clip_weights(f, 0.2) is None
    for p, was, place in zip(f.parameters(), before, places, strict=True):
        assert torch.equal(p, was.clamp(-0.2, 0.2)) and p.data_ptr() == place
        assert p.is_leaf and p.grad is None
    assert [p.requires_grad for p in f.parameters()] == [True, False, True, True, True, True]
    assert (f[1].running_mean == 9).all()
    assert max(b.abs().max() for b in before) > 0.2


@pytest.mark.parametrize("c", [0.0, -0.01, float("nan")])
def test_a_box_without_room_is_told(c):
    with pytest.raises(UserError, match="give a c above 0"):
        clip_weights(nn.Linear(2, 1), c)
