"""Sums of mean codes, and truncated priors against the laws they should have."""

import pytest
import torch
from latent_helpers import box, game_of, linear, normal
from scipy import stats

from adversaria import latent
from adversaria.errors import UserError

pytestmark = pytest.mark.usefixtures("float64")


def prior_of(draw, k):
    return latent.Prior.of(game_of(linear(k, 2), draw))


def test_a_linear_decoder_adds_examples_as_it_adds_codes():
    G = linear(4, 6)
    a, b, c = torch.randn(3, 4), torch.randn(5, 4), torch.randn(1, 4)
    summed = latent.combination([a, c], [b])
    torch.testing.assert_close(summed, a.sum(0) / 3 - b.sum(0) / 5 + c[0])
    torch.testing.assert_close(G(summed), G(a).mean(0) - G(b).mean(0) + G(c)[0])
    torch.testing.assert_close(latent.combination([a]), a.mean(0))


def test_three_means_of_three_draws_sum_to_a_code_as_long_as_a_draw():
    sums = torch.stack([latent.combination([*torch.randn(2, 3, 500)], [torch.randn(3, 500)]) for _ in range(50)])
    assert float(sums.square().mean()) == pytest.approx(1, abs=4 * (2 / sums.numel()) ** 0.5)


def test_codes_around_another_differ_by_uniform_noise():
    code = torch.randn(1000)
    near = latent.around(code, 8, noise=0.25, seed=3)
    assert near.shape == (9, 1000) and torch.equal(near[0], code)
    moved = (near[1:] - code) / 0.25
    assert stats.kstest(moved.flatten().numpy(), stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert torch.equal(near, latent.around(code, 8, noise=0.25, seed=3))
    assert not torch.equal(near, latent.around(code, 8, noise=0.25, seed=4))


def test_sums_of_nothing_are_refused():
    for plus, minus in (([], []), ([], [torch.randn(2, 3)]), ([torch.randn(0, 3)], []), ([torch.randn(3)], [])):
        with pytest.raises(UserError):
            latent.combination(plus, minus)
    with pytest.raises(UserError, match="shapes"):
        latent.combination([torch.randn(2, 3)], [torch.randn(2, 4)])
    with pytest.raises(UserError, match="noise is -1"):
        latent.around(torch.zeros(3), noise=-1)


@pytest.mark.parametrize("t", [0.01, 0.3, 1.0, 2.0])
def test_truncated_normal_codes_have_the_truncated_law(t):
    prior, z = prior_of(normal(2), 2), torch.randn(20_000, 2)
    y = latent.truncated(z, prior, t)
    assert y.abs().max() <= t
    assert stats.kstest(y.flatten().numpy(), stats.truncnorm(-t, t).cdf).pvalue > 1e-3
    order = z[:, 0].argsort()
    assert (y[order, 0].diff() >= 0).all()  # the same draw, made more typical


def test_truncation_is_what_drawing_again_until_inside_gives():
    prior, t = prior_of(normal(1), 1), 0.7
    redrawn = torch.randn(60_000)
    redrawn = redrawn[redrawn.abs() <= t][:20_000]
    y = latent.truncated(torch.randn(20_000, 1), prior, t).flatten()
    assert stats.ks_2samp(y.numpy(), redrawn.numpy()).pvalue > 1e-3


def test_truncation_is_in_the_priors_own_deviations_about_its_mean():
    prior = prior_of(lambda n: 5 + 3 * torch.randn(n, 2), 2)
    y = latent.truncated(5 + 3 * torch.randn(20_000, 2), prior, 0.5)
    u = (y - prior.mean) / prior.sd
    assert 0.49 < u.abs().max() <= 0.5 + 1e-9
    assert float(y.mean()) == pytest.approx(5, abs=0.2)


def test_uniform_codes_are_scaled():
    prior, z = prior_of(box(3), 3), 2 * torch.rand(1000, 3) - 1
    torch.testing.assert_close(latent.truncated(z, prior, 0.5), z * 0.5 / 3**0.5, atol=1e-3, rtol=0)
    torch.testing.assert_close(latent.truncated(z, prior, 2.0), z)


def test_a_wide_truncation_changes_nothing():
    prior, z = prior_of(normal(3), 3), torch.randn(1000, 3)
    torch.testing.assert_close(latent.truncated(z, prior, 30.0), z, atol=1e-6, rtol=1e-6)


def test_discrete_coordinates_stay_and_a_prior_without_others_is_refused():
    def draw(n):
        return torch.cat([torch.randn(n, 1), 7 + 3 * torch.randn(n, 1).round(decimals=1)], 1)

    prior, z = prior_of(draw, 2), draw(500)
    y = latent.truncated(z, prior, 0.5)
    assert torch.equal(y[:, 1], z[:, 1]) and y[:, 0].abs().max() <= 0.5
    only = prior_of(lambda n: torch.randint(3, (n, 2)) * 1.0, 2)
    with pytest.raises(UserError, match="nothing to truncate"):
        latent.truncated(z, only, 0.5)
    for t in (0.0, -1.0, float("nan")):
        with pytest.raises(UserError, match="above 0"):
            latent.truncated(z, prior, t)
