"""The Fréchet distance: golden values, its bias and its error against simulation, degenerate input."""

import math

import numpy as np
import pytest
import torch

from adversaria.errors import UserError
from adversaria.metrics import difference
from adversaria.metrics.frechet import _harmonic, frechet_distance, moments, raw_frechet

pytestmark = pytest.mark.usefixtures("float64")


def normal(n, d, shift=0.0, scale=1.0):
    return torch.randn(n, d) * scale + shift


def relu(n, d, shift=0.0, scale=1.0):
    A = torch.randn(d, d, generator=torch.Generator().manual_seed(5)) / d**0.5
    return (torch.randn(n, d) @ A * scale + shift).clamp(min=0)


def heavy(n, d, shift=0.0, scale=1.0):
    return torch.randn(n, d) * (5 / torch.randn(n, 5).square().sum(1, keepdim=True)).sqrt() * scale + shift


def population(d, mean1, scale1, mean2, scale2):
    return raw_frechet(torch.full((d,), mean1), torch.eye(d) * scale1, torch.full((d,), mean2), torch.eye(d) * scale2)


def test_golden_values_from_moments():
    assert population(1, 0.0, 1.0, 3.0, 4.0) == pytest.approx(10, abs=1e-9)
    assert population(10, 0.0, 1.0, 0.0, 4.0) == pytest.approx(10, abs=1e-9)
    one, two = torch.diag(torch.tensor([1.0, 4.0])), torch.tensor([[2.0, 1.0], [1.0, 2.0]])
    root = math.sqrt(float((one @ two).trace()) + 2 * math.sqrt(float(one.det() * two.det())))
    assert root == pytest.approx(4.114390, abs=1e-6)
    assert raw_frechet(torch.zeros(2), one, torch.zeros(2), two) == pytest.approx(9 - 2 * root, abs=1e-9)
    assert 9 - 2 * root == pytest.approx(0.771220, abs=1e-6)


def test_a_shift_counts_its_square_and_nothing_else():
    x = normal(300, 6)
    c = torch.arange(6.0)
    assert frechet_distance(real=x, generated=x + c).details["raw"] == pytest.approx(float(c.square().sum()), rel=1e-9)
    assert abs(frechet_distance(real=x, generated=x).details["raw"]) < 1e-9 * float(moments(x).covariance.trace())


def test_unchanged_by_rotation_and_order_and_squared_by_scale():
    x, y = normal(400, 8), relu(300, 8, 0.2)
    Q = torch.linalg.qr(torch.randn(8, 8)).Q
    here = frechet_distance(real=x, generated=y)
    for other, factor in [
        (frechet_distance(real=x @ Q, generated=y @ Q), 1),
        (frechet_distance(real=x.flip(0), generated=y[torch.randperm(300)]), 1),
        (frechet_distance(real=y, generated=x), 1),
        (frechet_distance(real=3 * x, generated=3 * y), 9),
    ]:
        assert other.value == pytest.approx(factor * here.value, rel=1e-9)
        assert other.error == pytest.approx(factor * here.error, rel=1e-9)


def test_moments_are_those_of_numpy_far_from_0_and_in_single_precision():
    x = (normal(9000, 300) @ torch.randn(300, 300) + 1000).float()
    found = moments(x)
    assert np.allclose(found.covariance.numpy(), np.cov(x.double().numpy().T), rtol=1e-8, atol=1e-8)
    assert found.mean.dtype == torch.float64


def test_singular_covariances_agree_with_the_nuclear_norm_of_the_rows():
    x, y = normal(20, 50), normal(15, 50, 0.5, 2.0)
    a, b = moments(x), moments(y)
    cross = torch.linalg.matrix_norm((x - a.mean) @ (y - b.mean).T, "nuc") / math.sqrt(19 * 14)
    expected = (a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace() - 2 * cross
    found = raw_frechet(a.mean, a.covariance, b.mean, b.covariance)
    assert found == pytest.approx(float(expected), rel=1e-9)


def test_agrees_with_the_matrix_square_root():
    linalg = pytest.importorskip("scipy.linalg")
    x, y = moments(relu(500, 12)), moments(normal(500, 12))
    root = np.trace(linalg.sqrtm(x.covariance.numpy() @ y.covariance.numpy()).real)
    expected = (x.mean - y.mean).square().sum() + x.covariance.trace() + y.covariance.trace() - 2 * root
    assert raw_frechet(x.mean, x.covariance, y.mean, y.covariance) == pytest.approx(float(expected), rel=1e-6)


def test_agrees_with_torchmetrics():
    fid = pytest.importorskip("torchmetrics.image.fid", reason="torchmetrics isn't installed")
    x, y = normal(500, 12), relu(400, 12)
    a, b = moments(x), moments(y)
    expected = float(fid._compute_fid(a.mean, a.covariance, b.mean, b.covariance))
    assert frechet_distance(real=x, generated=y).details["raw"] == pytest.approx(expected, rel=1e-6)


def test_bias_of_a_normal_law_is_its_closed_form():
    """d/n + d (d + 1)/4n for either side where both are N(0, I); 1.104 at d = 64, n = 1000."""
    d, n = 64, 1000
    expected = d / n + d * (d + 1) / (4 * n)
    assert expected == pytest.approx(1.104)
    sides = [frechet_distance(real=normal(n, d), generated=normal(n, d)) for _ in range(15)]
    bias = np.mean([side.details["bias_real"] for side in sides])
    assert bias == pytest.approx(expected, rel=0.04)  # the eigenvalues are a sample's themselves
    raw = np.array([side.details["raw"] for side in sides])
    assert abs(raw.mean() - 2 * expected) < 0.05 * 2 * expected
    assert abs(np.mean([side.value for side in sides])) < 0.05 * raw.mean()


def test_bias_is_known_from_a_dozen_numbers():
    n = 12
    sides = [frechet_distance(real=normal(n, 1), generated=normal(n, 1)).details["bias_real"] for _ in range(2000)]
    assert np.mean(sides) == pytest.approx((1 + 1 / 2) / n, rel=0.04)


@pytest.mark.parametrize("law", [normal, relu, heavy], ids=lambda f: f.__name__)
def test_correction_and_interval_hold_where_the_laws_differ(law):
    d, n, m, repeats = 10, 400, 250, 200
    many = 400_000
    a, b = moments(law(many, d)), moments(law(many, d, 0.2, 1.3))
    truth = raw_frechet(a.mean, a.covariance, b.mean, b.covariance)
    found = [frechet_distance(real=law(n, d), generated=law(m, d, 0.2, 1.3)) for _ in range(repeats)]
    value, error, raw = (
        np.array([f(e) for e in found]) for f in (lambda e: e.value, lambda e: e.error, lambda e: e.details["raw"])
    )
    inside = np.mean(np.abs(value - truth) < 1.96 * error)
    assert 0.90 <= inside <= 0.985, inside
    assert abs(value.mean() - truth) < 0.4 * abs(raw.mean() - truth)
    if law is not heavy:  # whose own fourth moments are hardly known from so few
        assert np.sqrt(np.mean(error**2)) == pytest.approx(value.std(), rel=0.2)


def test_bias_of_a_heavy_tailed_law_is_more_than_a_normal_one_says():
    d, n = 16, 1000
    found = [frechet_distance(real=heavy(n, d), generated=heavy(n, d)) for _ in range(40)]
    raw = np.mean([e.details["raw"] for e in found])
    as_if_normal = 2 * (5 / 3) * (d / n + d * (d + 1) / (4 * n))
    assert np.mean([e.details["bias"] for e in found]) > 1.4 * as_if_normal
    assert raw > 1.5 * as_if_normal
    assert np.mean([e.value for e in found]) < 0.2 * raw


def test_influence_is_the_derivative_towards_each_example():
    x, y = normal(60, 3), normal(50, 3, 0.3, 1.4)
    psi = frechet_distance(real=x, generated=y).on_reference
    # With weights (1 - h)/n on each and h more on one, moments of a weighted sample, covariance over n.
    b = moments(y)

    def weighted(w):
        mean = w @ x
        cov = (x - mean).T @ (w[:, None] * (x - mean)) * 60 / 59
        return raw_frechet(mean, cov, b.mean, b.covariance)

    h = 1e-6
    for i in (0, 7):
        w = torch.full((60,), (1 - h) / 60)
        w[i] += h
        slope = (weighted(w) - weighted(torch.full((60,), 1 / 60))) / h
        assert psi[i] == pytest.approx(slope, abs=0.05 * np.abs(psi).max())


def test_the_reference_pairs_two_models():
    x = normal(500, 4)
    y = normal(400, 4, 0.5)
    a, b = frechet_distance(real=x, generated=y), frechet_distance(real=x, generated=normal(400, 4, 0.5))
    assert a.on_reference.var(ddof=1) / 500 == pytest.approx(a.details["error_real"] ** 2, rel=1e-9)
    assert a.error**2 == pytest.approx(a.details["error_real"] ** 2 + a.details["error_generated"] ** 2)
    both = difference(a, b)
    assert both.protocol["paired"] == "on the reference"
    assert both.error < 0.85 * math.hypot(a.error, b.error)


def test_constant_and_repeated_features_are_exact():
    x, y = normal(200, 5), normal(150, 5, 0.4, 1.5)
    plain = frechet_distance(real=x, generated=y)
    x7, y7 = torch.cat([x, torch.full((200, 2), 0.1)], 1), torch.cat([y, torch.full((150, 2), 0.1)], 1)
    padded = frechet_distance(real=x7, generated=y7)
    assert (padded.value, padded.error) == (pytest.approx(plain.value, rel=1e-9), pytest.approx(plain.error, rel=1e-9))
    twice = frechet_distance(real=torch.cat([x, x], 1), generated=torch.cat([y, y], 1))
    assert twice.value == pytest.approx(2 * plain.value, rel=1e-9)
    assert twice.error == pytest.approx(2 * plain.error, rel=1e-9)
    assert (twice.details["rank"], plain.details["rank"]) == (5, 5)
    collapsed = frechet_distance(real=x, generated=torch.ones(150, 5))
    expected = moments(x).covariance.trace() + (x.mean(0) - 1).square().sum()
    assert collapsed.details["raw"] == pytest.approx(float(expected), rel=1e-9)
    assert math.isfinite(collapsed.value) and math.isfinite(collapsed.error)
    flat = y.clone()
    flat[:, 2] = 7.0
    here, there = frechet_distance(real=x, generated=flat), frechet_distance(real=flat, generated=x)
    assert here.value == pytest.approx(there.value, rel=1e-9)
    assert here.error == pytest.approx(there.error, rel=1e-9)
    assert here.details["rank"] == 4
    both = frechet_distance(real=torch.zeros(50, 5), generated=torch.ones(50, 5))
    assert (both.value, both.error) == (5.0, 0.0)
    apart = torch.zeros(100, 2), torch.zeros(100, 2)
    apart[0][:, 0], apart[1][:, 1] = torch.randn(100), torch.randn(100)
    assert math.isfinite(frechet_distance(real=apart[0], generated=apart[1]).error)


def test_harmonic_means_are_summed_without_pairs():
    s = torch.logspace(-6, 1, 40)
    H = _harmonic(s)
    assert torch.allclose(H @ H.T, s * s[:, None] / (s + s[:, None]), rtol=1e-6)


def test_precision_hardly_matters():
    x, y = relu(600, 20).float(), relu(600, 20, 0.1).float()
    single, double = frechet_distance(real=x, generated=y), frechet_distance(real=x.double(), generated=y.double())
    assert single.value == pytest.approx(double.value, rel=1e-4)
    assert single.protocol["dtype"] == "float32"


def test_too_few_examples_are_refused_and_few_are_told():
    x = normal(100, 60)
    with pytest.raises(UserError, match=r"100 examples for 60 features .*at least 120: project on 10 principal"):
        frechet_distance(real=x, generated=normal(500, 60))
    assert "warn: 4.0 examples" in frechet_distance(real=normal(80, 20), generated=normal(200, 20)).bias
    assert "warn" not in frechet_distance(real=normal(100, 20), generated=normal(200, 20)).bias
    same = frechet_distance(real=normal(200, 20), generated=normal(200, 20))
    assert "permutation" in same.bias
    assert "permutation" not in frechet_distance(real=normal(200, 20), generated=normal(200, 20, 1.0)).bias


def test_what_means_nothing_is_refused():
    with pytest.raises(UserError, match="not finite"):
        frechet_distance(real=normal(50, 2), generated=normal(50, 2).log())
    with pytest.raises(UserError, match="different numbers of features"):
        frechet_distance(real=normal(50, 2), generated=normal(50, 3))
    eye = torch.eye(2)
    with pytest.raises(UserError, match="expected \\(2,\\) and \\(2, 2\\)"):
        raw_frechet(torch.zeros(2), eye, torch.zeros(3), torch.eye(3))
    with pytest.raises(UserError, match="not symmetric"):
        raw_frechet(torch.zeros(2), eye, torch.zeros(2), torch.tensor([[1.0, 0.5], [0.0, 1.0]]))
    with pytest.raises(UserError, match="not finite"):
        raw_frechet(torch.zeros(2), eye, torch.zeros(2), eye * math.nan)
