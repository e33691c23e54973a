"""The Parzen estimate is computed as papers did, and shown to be no measure of a model."""

import math

import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.neighbors import KernelDensity

from adversaria.errors import UserError
from adversaria.metrics.parzen import log_parzen, parzen_log_likelihood

pytestmark = pytest.mark.usefixtures("float64")


def test_one_centre_is_a_normal_density():
    x = torch.zeros(1, 2)
    assert log_parzen(x, samples=x, sigma=1.0).item() == pytest.approx(-1.837877, abs=5e-7)
    assert log_parzen(x, samples=x, sigma=1.0).item() == pytest.approx(-math.log(2 * math.pi), abs=1e-12)
    assert log_parzen(x + 1, samples=x, sigma=2.0).item() == pytest.approx(-math.log(8 * math.pi) - 0.25, abs=1e-12)


def test_it_is_scikit_learns_kernel_density_in_pieces_too():
    x, y = torch.randn(50, 7) + 100, torch.randn(80, 7) + 100
    oracle = KernelDensity(bandwidth=0.6, rtol=1e-12).fit(y.numpy()).score_samples(x.numpy())
    for chunk in (1, 333, 10**6):
        found = log_parzen(x, samples=y, sigma=0.6, chunk=chunk)
        torch.testing.assert_close(found, torch.from_numpy(oracle), rtol=1e-9, atol=1e-9)


def test_sigma_is_chosen_on_validation_examples_alone():
    samples, valid, held_out = torch.randn(300, 4), 3 * torch.randn(200, 4), 0.1 * torch.randn(200, 4)
    valid[0] = samples[0]  # for itself this one would have the smallest
    grid = (0.1, 0.3, 1.0, 3.0)
    found = parzen_log_likelihood(samples=samples, held_out=held_out, valid=valid, sigmas=grid)
    flattered = max(grid, key=lambda s: float(log_parzen(held_out, samples=samples, sigma=s).mean()))
    chosen = max(grid, key=lambda s: float(log_parzen(valid, samples=samples, sigma=s).mean()))
    assert found.details["sigma"] == chosen == 3.0 != flattered
    assert found.value == pytest.approx(float(log_parzen(held_out, samples=samples, sigma=3.0).mean()), abs=1e-12)
    assert "edge of its grid" in found.bias and found.lower_is_better is False
    inner = parzen_log_likelihood(samples=samples, held_out=held_out, valid=torch.randn(200, 4))
    assert "edge" not in inner.bias


def test_finite_samples_cost_far_more_than_the_smoothing_itself():
    # Smoothed by h, N(0, I_d) loses (d / 2) (ln(1 + h^2) + 1 / (1 + h^2) - 1) nats in the limit of many samples.
    def in_the_limit(d, h):
        return d / 2 * (math.log(1 + h**2) + 1 / (1 + h**2) - 1)

    assert in_the_limit(784, 0.2) == pytest.approx(0.2976, abs=5e-5)
    d, h = 64, 0.5
    x, y = torch.randn(200, d), torch.randn(5000, d)
    truth = torch.distributions.Normal(0, 1).log_prob(x).sum(1)
    lost = (truth - log_parzen(x, samples=y, sigma=h)).mean()
    assert in_the_limit(d, h) < 1 and lost > 20


def test_centroids_of_k_means_beat_true_samples():
    x = torch.from_numpy(load_digits().data) / 16
    x = x[torch.randperm(len(x))]
    train, valid, held_out = x[:1200], x[1200:1500], x[1500:]
    means = KMeans(200, n_init=1, random_state=0).fit(train.numpy()).cluster_centers_
    scores = {}
    for name, samples in {"true": train[:200], "centroids": torch.from_numpy(means)}.items():
        scores[name] = parzen_log_likelihood(samples=samples, held_out=held_out, valid=valid)
    gap = scores["centroids"].value - scores["true"].value
    assert gap > 5 and gap > 3 * math.hypot(scores["centroids"].error, scores["true"].error)


def test_a_thief_of_the_training_set_beats_a_model_of_the_distribution():
    """Copies of the training set look like an excellent model, since held-out examples lie near them."""
    x = torch.from_numpy(load_digits().data) / 16
    train, valid, held_out = x[:800], x[800:1200], x[1200:]
    covariance = torch.cov(train.T) + 1e-4 * torch.eye(64)
    normal = torch.distributions.MultivariateNormal(train.mean(0), covariance).sample((800,))
    copied = parzen_log_likelihood(samples=train, held_out=held_out, valid=valid)
    assert copied.value > parzen_log_likelihood(samples=normal, held_out=held_out, valid=valid).value + 5


def test_wrong_input_is_refused():
    x = torch.randn(5, 3)
    with pytest.raises(UserError, match="all positive"):
        parzen_log_likelihood(samples=x, held_out=x, valid=x, sigmas=(0.1, 0.0))
    with pytest.raises(UserError, match="different numbers of features"):
        parzen_log_likelihood(samples=x, held_out=x[:, :2], valid=x)
    with pytest.raises(UserError, match="not finite"):
        parzen_log_likelihood(samples=x / 0, held_out=x, valid=x)
    with pytest.raises(UserError, match="held-out examples is 1"):
        parzen_log_likelihood(samples=x, held_out=x[:1], valid=x)
