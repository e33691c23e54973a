"""Planar, radial and spline maps: golden values, the autograd Jacobian, and inverses."""

import pytest
import torch

from adversaria.ops import flows

pytestmark = pytest.mark.usefixtures("float64")
Z = torch.tensor([[0.5, -1.0]], dtype=torch.float64)
SPLINE = [torch.tensor(v, dtype=torch.float64) for v in ([0.2, 0.3, 0.5], [0.4, 0.1, 0.5], [1.0, 2.0, 0.5, 1.0])]


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_planar_golden_values():
    w, u, b = numbers(1, -0.5), numbers(0.8, 0.3), numbers(0.2)[0]
    torch.testing.assert_close(
        flows.invertible_direction(w, u), numbers(0.336044268562, 0.531977865719), atol=1e-11, rtol=0
    )
    y, log_det = flows.planar(Z, w, u, b)
    torch.testing.assert_close(y[0], numbers(0.780144852647, -0.556514201415), atol=1e-11, rtol=0)
    assert log_det.item() == pytest.approx(0.021143177602, abs=1e-11)


def test_radial_golden_values():
    y, log_det = flows.radial(Z, numbers(0.1, 0.2), numbers(0.7)[0], numbers(1.3)[0])
    torch.testing.assert_close(y[0], numbers(0.764643021005, -1.793929063014), atol=1e-11, rtol=0)
    assert log_det.item() == pytest.approx(0.719421399208, abs=1e-11)


@pytest.mark.parametrize(
    ("x", "y", "log_det"),
    [
        (0.05, 0.068965517241, 0.559785639316),
        (0.25, 0.448818897638, -0.732668019347),
        (0.40, 0.48, -2.120263536200),
        (0.75, 0.714285714286, 0.133531392625),
    ],
)
def test_spline_golden_values(x, y, log_det):
    found = [v.item() for v in flows.rational_quadratic(numbers(x)[0], *SPLINE)]
    assert found == [pytest.approx(y, abs=1e-11), pytest.approx(log_det, abs=1e-11)]
    back = [v.item() for v in flows.rational_quadratic(numbers(y)[0], *SPLINE, inverse=True)]
    assert back == [pytest.approx(x, abs=1e-10), pytest.approx(-log_det, abs=1e-9)]


def maps(seed, d=3):
    torch.manual_seed(seed)
    w, u, b = torch.randn(d), 3 * torch.randn(d), torch.randn(())
    centre, alpha = torch.randn(d), torch.rand(()) + 0.1
    beta = -alpha + torch.rand(()) * 3 + 0.01
    return {
        "planar": (lambda z: flows.planar(z, w, u, b), lambda y: flows.planar_inverse(y, w, u, b)),
        "radial": (
            lambda z: flows.radial(z, centre, alpha, beta),
            lambda y: flows.radial_inverse(y, centre, alpha, beta),
        ),
    }


@pytest.mark.parametrize("name", ["planar", "radial"])
@pytest.mark.parametrize("seed", range(8))
def test_log_determinants_are_those_of_the_jacobian_and_inverses_come_back(name, seed):
    forward, inverse = maps(seed)[name]
    z = 2 * torch.randn(20, 3)
    y, log_det = forward(z)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda v: forward(v[None])[0][0]))(z)
    torch.testing.assert_close(log_det, torch.linalg.slogdet(jacobian).logabsdet)
    assert (torch.linalg.det(jacobian) > 0).all()
    torch.testing.assert_close(inverse(y), z, atol=1e-8, rtol=1e-8)


def test_planar_determinants_stay_positive_in_single_precision():
    """1 + w^T u' rounds below 0 where w^T u is far below 0; a sum of two squares' weights can't."""
    torch.manual_seed(0)
    w, u, z = (torch.randn(20_000, 16, dtype=torch.float32) * s for s in (2, 2, 1))
    log_det = flows.planar(z, w, u, torch.zeros(20_000, dtype=torch.float32))[1]
    exact = flows.planar(z.double(), w.double(), u.double(), torch.zeros(20_000))[1]
    assert log_det.isfinite().all() and (log_det - exact).abs().max() < 1e-3


def test_a_planar_map_without_a_direction_is_the_identity():
    y, log_det = flows.planar(Z, numbers(0, 0), numbers(0.8, 0.3), numbers(0.0)[0])
    assert torch.equal(y, Z) and log_det.item() == 0


def test_a_spline_rises_through_its_knots_and_has_the_slope_it_tells():
    torch.manual_seed(0)
    n, k = 50, 6
    widths, heights = (torch.randn(n, k).softmax(-1) for _ in range(2))
    slopes = torch.randn(n, k + 1).exp()
    x = torch.rand(n).requires_grad_()
    y, log_slope = flows.rational_quadratic(x, widths, heights, slopes)
    torch.testing.assert_close(torch.autograd.grad(y.sum(), x)[0].log(), log_slope)
    back, other = flows.rational_quadratic(y, widths, heights, slopes, inverse=True)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(other, -log_slope)
    knots = widths.cumsum(-1)[:, :-1]
    at = flows.rational_quadratic(knots[:, 2], widths, heights, slopes)[0]
    torch.testing.assert_close(at, heights.cumsum(-1)[:, 2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_spline_with_extreme_bins_has_no_root_of_a_negative_number(dtype):
    torch.manual_seed(0)
    widths, heights = ((8 * torch.randn(4_000, 8)).softmax(-1).to(dtype).clamp_min(1e-3) for _ in range(2))
    slopes = (4 * torch.randn(4_000, 9)).exp().to(dtype)
    y = torch.rand(4_000, dtype=dtype) * heights.sum(-1)
    x, log_slope = flows.rational_quadratic(y, widths, heights, slopes, inverse=True)
    assert x.isfinite().all() and log_slope.isfinite().all()
