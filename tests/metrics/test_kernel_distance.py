"""The kernel distance: the U-statistic and its variance against their definitions, golden values and simulation."""

import itertools

import numpy as np
import pytest
import torch

from adversaria.errors import UserError
from adversaria.metrics import difference, kernel
from adversaria.metrics.kernel import kernel_distance

pytestmark = pytest.mark.usefixtures("float64")


def normal(n, d, shift=0.0, scale=1.0):
    return torch.randn(n, d) * scale + shift


def relu(n, d, shift=0.0, scale=1.0):
    A = torch.randn(d, d, generator=torch.Generator().manual_seed(5)) / d**0.5
    return (torch.randn(n, d) @ A * scale + shift).clamp(min=0)


def heavy(n, d, shift=0.0, scale=1.0):
    return torch.randn(n, d) * (5 / torch.randn(n, d, 5).square().sum(2)).sqrt() * scale + shift


def cubic(x, y):
    return (x @ y.T / x.shape[1] + 1) ** 3


def expected_cubic(d, a, b):
    """E (x.y/d + 1)^3 of x ~ N(a, I), y ~ N(b, I) given a.b, |a|^2 and |b|^2 as (ab, aa, bb)."""
    ab, aa, bb = a @ b, a @ a, b @ b
    first, second = ab, ab**2 + aa + bb + d
    third = ab**3 + 3 * ab * (aa + d + bb + 2)
    return float(third / d**3 + 3 * second / d**2 + 3 * first / d + 1)


def population(d, square):
    zero, mean = torch.zeros(d), torch.zeros(d)
    mean[0] = square**0.5
    return expected_cubic(d, zero, zero) + expected_cubic(d, mean, mean) - 2 * expected_cubic(d, zero, mean)


GOLDEN = [(4, 1, 1.328125), (16, 1, 0.214111), (64, 1, 0.0483894), (2048, 1, 0.00146628), (2048, 10, 0.0147273)]


@pytest.mark.parametrize(("d", "square", "value"), GOLDEN)
def test_golden_values_of_normal_laws(d, square, value):
    assert population(d, square) == pytest.approx(value, rel=1e-5)
    if d > 64:
        return
    mean = torch.zeros(d)
    mean[0] = square**0.5
    found = kernel_distance(real=normal(3000, d), generated=normal(2500, d) + mean)
    assert abs(found.value - value) < 4 * found.error
    assert found.error < 0.2 * value


def test_is_the_mean_over_all_pairs_of_different_examples():
    x, y = relu(9, 3), normal(7, 3)
    xx = np.mean([float(cubic(x[[i]], x[[j]])) for i, j in itertools.permutations(range(9), 2)])
    yy = np.mean([float(cubic(y[[i]], y[[j]])) for i, j in itertools.permutations(range(7), 2)])
    expected = xx + yy - 2 * float(cubic(x, y).mean())
    assert kernel_distance(real=x, generated=y).value == pytest.approx(expected, rel=1e-9)


def test_chunks_and_order_change_nothing(monkeypatch):
    x, y = relu(50, 4), normal(33, 4)
    whole = kernel_distance(real=x, generated=y)
    monkeypatch.setattr(kernel, "CHUNK", 7)
    cut = kernel_distance(real=x, generated=y)
    order = torch.randperm(50)
    mixed = kernel_distance(real=x[order], generated=y.flip(0))
    swapped = kernel_distance(real=y, generated=x)
    for other in (cut, mixed, swapped):
        assert other.value == pytest.approx(whole.value, rel=1e-9)
        assert other.error == pytest.approx(whole.error, rel=1e-9)
    assert np.allclose(mixed.on_reference, whole.on_reference[order], rtol=1e-9)


def test_agrees_with_torchmetrics_on_equal_sizes():
    kid = pytest.importorskip("torchmetrics.image.kid", reason="torchmetrics isn't installed")
    x, y = relu(200, 12), normal(200, 12)
    assert kernel_distance(real=x, generated=y).value == pytest.approx(float(kid.poly_mmd(x, y)), rel=1e-6)
    other = kernel_distance(real=x, generated=y, degree=2, gamma=0.5, coef=2.0).value
    assert other == pytest.approx(float(kid.poly_mmd(x, y, 2, 0.5, 2.0)), rel=1e-6)


def test_residuals_are_those_of_centred_matrices():
    x, y = normal(11, 3), relu(8, 3)
    K = cubic(x, x).fill_diagonal_(0)
    n, rows = 11, K.sum(1)
    U = K - rows / (n - 2) - rows[:, None] / (n - 2) + K.sum() / ((n - 1) * (n - 2))
    expected = float(U.fill_diagonal_(0).square().sum()) / (n * (n - 3))
    assert kernel._residual_within(kernel._within(x, cubic)) == pytest.approx(expected, rel=1e-9)
    C = cubic(x, y)
    C = C - C.mean(0) - C.mean(1, keepdim=True) + C.mean()
    between = float(C.square().sum()) / (10 * 7)
    assert kernel._residual_between(kernel._between(x, y, cubic)) == pytest.approx(between, rel=1e-9)


def test_variance_is_exact_for_a_linear_kernel():
    """k = x y of numbers with variance 1 and means 0 and c: V(a) = V(b) = c^2, every Z is 1."""
    n, m, c = 12, 30, 0.5
    expected = 4 * c**2 / n + 4 * c**2 / m + 2 / (n * (n - 1)) + 2 / (m * (m - 1)) + 4 / (n * m)
    linear = {"degree": 1, "gamma": 1.0, "coef": 0.0}
    found = [kernel_distance(real=normal(n, 1), generated=normal(m, 1, c), **linear) for _ in range(3000)]
    values = np.array([e.value for e in found])
    assert values.mean() == pytest.approx(c**2, abs=4 * values.std() / 3000**0.5)
    assert values.var() == pytest.approx(expected, rel=0.12)
    squares = np.array([e.error**2 for e in found])
    assert squares.mean() == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("law", [normal, relu, heavy], ids=lambda f: f.__name__)
@pytest.mark.parametrize(("n", "m"), [(200, 200), (100, 300)])
def test_interval_holds_where_the_laws_differ(law, n, m):
    d, repeats = 16, 200
    far = [kernel_distance(real=law(4000, d), generated=law(4000, d, 0.4, 1.1)) for _ in range(3)]
    truth = np.mean([e.value for e in far])
    found = [kernel_distance(real=law(n, d), generated=law(m, d, 0.4, 1.1)) for _ in range(repeats)]
    value, error = np.array([e.value for e in found]), np.array([e.error for e in found])
    inside = np.mean(np.abs(value - truth) < 1.96 * error)
    assert 0.90 <= inside <= 0.985, inside
    assert np.sqrt(np.mean(error**2)) == pytest.approx(value.std(), rel=0.2)


def test_unbiased_with_an_error_that_stays_where_the_laws_agree():
    found = [kernel_distance(real=normal(100, 32), generated=normal(60, 32)) for _ in range(200)]
    value, error = np.array([e.value for e in found]), np.array([e.error for e in found])
    assert abs(value.mean()) < 4 * value.std() / 200**0.5
    assert (value < 0).any()
    same = np.array([e.details["error_if_same"] for e in found])
    assert same.mean() == pytest.approx(value.std(), rel=0.15)
    assert 1 <= np.sqrt(np.mean(error**2)) / value.std() < 1.4


def test_the_reference_pairs_two_models():
    torch.manual_seed(1)
    x = relu(400, 8)
    a, b = (kernel_distance(real=x, generated=relu(400, 8, 0.4)) for _ in range(2))
    assert a.on_reference.var(ddof=1) / 400 == pytest.approx(a.details["error_real"] ** 2, rel=1e-9)
    assert abs(a.on_reference.mean()) < 1e-9
    both = difference(a, b)
    assert both.error < 0.85 * (a.error**2 + b.error**2) ** 0.5
    assert abs(both.value) < 4 * both.error


def test_influence_says_what_an_example_adds():
    """Without an example the value moves by its influence over n."""
    x, y = relu(200, 4), normal(150, 4)
    whole = kernel_distance(real=x, generated=y)
    for i in (0, 50):
        rest = kernel_distance(real=torch.cat([x[:i], x[i + 1 :]]), generated=y)
        psi = whole.on_reference
        assert (whole.value - rest.value) * 199 == pytest.approx(psi[i], abs=0.05 * psi.std())


def test_precision_hardly_matters():
    x, y = relu(500, 20).float(), relu(500, 20, 0.2).float()
    single, double = kernel_distance(real=x, generated=y), kernel_distance(real=x.double(), generated=y.double())
    assert single.value == pytest.approx(double.value, rel=1e-4)
    assert single.error == pytest.approx(double.error, rel=1e-4)


def test_degenerate_input_answers_or_is_refused():
    one = torch.ones(20, 3)
    same = kernel_distance(real=one, generated=one)
    assert (same.value, same.error) == (0.0, pytest.approx(0, abs=1e-7))
    apart = kernel_distance(real=one, generated=0 * one)
    assert apart.value == pytest.approx(8 + 1 - 2)
    with pytest.raises(UserError, match="3 rows; at least 4"):
        kernel_distance(real=one[:3], generated=one)
    with pytest.raises(UserError, match="not finite"):
        kernel_distance(real=one, generated=one / 0)
    with pytest.raises(UserError, match="overflows"):
        kernel_distance(real=one.float() * 1e15, generated=one.float())
    with pytest.raises(UserError, match="degree is 0"):
        kernel_distance(real=one, generated=one, degree=0)
