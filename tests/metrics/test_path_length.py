"""Path length: closed forms for linear decoders, derivatives in either mode, refusals."""

import math

import pytest
import torch
from torch import nn
from torch.autograd.function import once_differentiable

from adversaria.errors import UserError
from adversaria.metrics.paths import path_length, spherical

pytestmark = pytest.mark.usefixtures("float64")


def codes(n=300, d=8):
    return {"z0": torch.randn(n, d), "z1": torch.randn(n, d)}


class Once(torch.autograd.Function):
    """x^2, differentiable once and in reverse only."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        return 2 * ctx.saved_tensors[0] * gradient


class Cube(torch.autograd.Function):
    """x^3 without a forward rule."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, gradient):
        return 3 * ctx.saved_tensors[0] ** 2 * gradient


def test_a_linear_decoder_along_straight_paths_has_its_closed_form():
    W, z = torch.randn(5, 8), codes(4000)
    found = path_length(lambda x: x @ W.T, **z, way="linear")
    exact = ((z["z1"] - z["z0"]) @ W.T).square().sum(1)
    assert found.value == pytest.approx(float(exact.mean()), rel=1e-9)
    assert found.error == pytest.approx(float(exact.std()) / 4000**0.5, rel=1e-9)
    assert abs(found.value - 2 * float(W.square().sum())) < 4 * found.error


def test_a_linear_decoder_along_spherical_paths_has_its_closed_form():
    """For orthogonal codes of one length r the path is a quarter of a circle: speed r pi/2, whatever t."""
    Q = torch.linalg.qr(torch.randn(6, 6)).Q
    found = path_length(lambda x: x @ Q.T, z0=3 * torch.eye(6)[:3], z1=3 * torch.eye(6)[3:])
    assert found.value == pytest.approx((3 * math.pi / 2) ** 2, rel=1e-9)
    assert found.error == pytest.approx(0, abs=1e-9)
    z = codes(50)
    a = torch.nn.functional.cosine_similarity(z["z0"], z["z1"]).acos()[:, None]
    velocity = a * (z["z1"] - a.cos() * z["z0"]) / a.sin()
    start = path_length(lambda x: x, **z, t=0.0)
    assert start.value == pytest.approx(float(velocity.square().sum(1).mean()), rel=1e-9)


def test_spherical_velocity_is_the_derivative_of_the_point():
    z = codes(20)
    t = torch.rand(20, 1)
    h = 1e-6
    ahead, behind = (spherical(z["z0"], z["z1"], t + s)[0] for s in (h, -h))
    velocity = spherical(z["z0"], z["z1"], t)[1]
    assert torch.allclose(velocity, (ahead - behind) / (2 * h), atol=1e-6)
    assert torch.allclose(spherical(z["z0"], z["z1"], 0 * t)[0], z["z0"])
    assert torch.allclose(spherical(z["z0"], z["z1"], 0 * t + 1)[0], z["z1"])
    unit = spherical(z["z0"] / z["z0"].norm(dim=1, keepdim=True), z["z1"] / z["z1"].norm(dim=1, keepdim=True), t)[0]
    assert torch.allclose(unit.norm(dim=1), torch.ones(20))
    along = spherical(z["z0"], 2 * z["z0"], t)
    assert torch.allclose(along[0], (1 + t) * z["z0"])
    assert torch.allclose(along[1], z["z0"])


def test_is_the_limit_of_the_finite_difference():
    first, last = nn.ConvTranspose2d(8, 6, 4), nn.ConvTranspose2d(6, 1, 4, 2, 1)
    G = nn.Sequential(first, nn.BatchNorm2d(6), nn.ReLU(), last).eval()
    features = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.Tanh())
    z = {name: x.view(-1, 8, 1, 1) for name, x in codes(40).items()}
    found = path_length(G, **z, features=features, t=0.3, way="linear")
    h = 1e-5
    with torch.no_grad():
        ends = [features(G(z["z0"] + s * (z["z1"] - z["z0"]))) for s in (0.3, 0.3 + h)]
    assert found.value == pytest.approx(float(((ends[1] - ends[0]) / h).square().sum(1).mean()), rel=1e-3)


def test_operations_without_a_forward_rule_are_differentiated_twice():
    z = codes()
    plain = path_length(lambda x: x**3, **z)
    assert path_length(Cube.apply, **z).value == pytest.approx(plain.value, rel=1e-9)
    with torch.no_grad():
        assert path_length(Cube.apply, **z).value == pytest.approx(plain.value, rel=1e-9)
        assert path_length(lambda x: x**3, **z).value == pytest.approx(plain.value, rel=1e-9)
    with pytest.raises(UserError, match="no derivative along a path"):
        path_length(Once.apply, **z)


def test_a_faster_map_of_time_counts_more_and_a_collapsed_one_nothing():
    z = codes()
    slow, fast = path_length(torch.sin, **z), path_length(lambda x: torch.sin(5 * x), **z)
    assert fast.value > 10 * slow.value
    still = path_length(lambda x: torch.zeros(len(x), 3), **z)
    assert (still.value, still.error) == (0.0, 0.0)
    assert slow.lower_is_better is None


def test_chunks_change_nothing_and_the_seed_fixes_everything():
    z = codes()
    here = path_length(torch.sin, **z)
    assert path_length(torch.sin, **z, chunk=7).value == pytest.approx(here.value, rel=1e-9)
    assert path_length(torch.sin, **z) == here
    assert path_length(torch.sin, **z, seed=1).value != here.value
    single = path_length(torch.sin, **{name: x.float() for name, x in z.items()})
    assert single.value == pytest.approx(here.value, rel=1e-4)


def test_trimming_leaves_out_the_ends():
    z0, z1 = torch.zeros(100, 1), torch.arange(100.0)[:, None]
    found = path_length(lambda x: x, z0=z0, z1=z1, way="linear", trim=0.1)
    assert found.value == pytest.approx(float(torch.arange(10.0, 90.0).square().mean()))
    ends = torch.arange(100.0).clamp(10, 89).square()
    assert found.error == pytest.approx(float(ends.std()) / (0.8 * 10), rel=1e-9)
    z1[-1] = 1e6
    wild = path_length(lambda x: x, z0=z0, z1=z1, way="linear", trim=0.1)
    assert (wild.value, wild.error) == (found.value, found.error)
    assert found.protocol["trim"] == 0.1


def test_a_decoder_without_derivative_is_refused_rather_than_called_smooth():
    z = codes(20)
    for decode in (lambda x: (100 * x).round(), lambda x: 2 * x.detach()):
        with pytest.raises(UserError, match="carries no derivative"):
            path_length(decode, **z)


def test_what_means_nothing_is_refused():
    z = codes(20)
    with pytest.raises(UserError, match="not finite; look"):
        path_length(torch.log, **z)
    with pytest.raises(UserError, match="opposite"):
        path_length(torch.sin, z0=z["z0"], z1=-z["z0"])
    with pytest.raises(UserError, match="a code is 0"):
        path_length(torch.sin, z0=z["z0"], z1=0 * z["z0"])
    with pytest.raises(UserError, match="one shape"):
        path_length(torch.sin, z0=z["z0"], z1=z["z1"][:10])
    with pytest.raises(UserError, match="a code is not finite"):
        path_length(torch.sin, z0=z["z0"], z1=z["z1"] / 0)
    for wrong, match in (({"way": "curved"}, "way is"), ({"t": 2.0}, "t is"), ({"trim": 0.5}, "trim is")):
        with pytest.raises(UserError, match=match):
            path_length(torch.sin, **z, **wrong)
