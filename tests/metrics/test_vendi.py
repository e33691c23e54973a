"""The Vendi score: golden values, both routes to its eigenvalues, its error."""

import math

import numpy as np
import pytest
import torch

from adversaria.errors import UserError
from adversaria.metrics.vendi import vendi_score

pytestmark = pytest.mark.usefixtures("float64")


def test_golden_values():
    assert vendi_score(kernel=torch.eye(5)).value == pytest.approx(5, abs=1e-9)
    assert vendi_score(kernel=torch.ones(5, 5)).value == pytest.approx(1, abs=1e-9)
    K = torch.tensor([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]])
    eigenvalues = np.array([1.9, 0.1, 1.0]) / 3
    expected = math.exp(-(eigenvalues * np.log(eigenvalues)).sum())
    assert expected == pytest.approx(2.1573, abs=1e-4)
    assert vendi_score(kernel=K).value == pytest.approx(expected, abs=1e-9)
    assert vendi_score(generated=torch.eye(5)).value == pytest.approx(5, abs=1e-9)
    assert vendi_score(generated=torch.ones(9, 3)).value == pytest.approx(1, abs=1e-9)


def test_equal_parts_of_k_directions_count_k():
    for k in (2, 7):
        assert vendi_score(generated=3 * torch.eye(8)[:k].repeat(20, 1)).value == pytest.approx(k, abs=1e-9)


@pytest.mark.parametrize(("n", "d"), [(30, 8), (8, 30)])
def test_routes_by_features_and_by_pairs_agree(n, d):
    x = torch.randn(n, d) + 0.5
    unit = x / x.norm(dim=1, keepdim=True)
    a, b = vendi_score(generated=x), vendi_score(kernel=unit @ unit.T)
    assert a.value == pytest.approx(b.value, rel=1e-9)
    assert a.error == pytest.approx(b.error, rel=1e-7)
    mixed = vendi_score(generated=5 * x[torch.randperm(n)] @ torch.linalg.qr(torch.randn(d, d)).Q)
    assert (mixed.value, mixed.error) == (pytest.approx(a.value, rel=1e-9), pytest.approx(a.error, rel=1e-7))
    assert vendi_score(generated=x.float()).value == pytest.approx(a.value, rel=1e-5)


def test_a_copy_of_the_sample_changes_nothing():
    x = torch.randn(40, 6)
    assert vendi_score(generated=x.repeat(2, 1)).value == pytest.approx(vendi_score(generated=x).value, rel=1e-9)


def test_error_is_the_spread_over_samples():
    scale = 1 / torch.arange(1, 9.0)
    found = [vendi_score(generated=torch.randn(400, 8) * scale + 0.3) for _ in range(300)]
    values, errors = np.array([e.value for e in found]), np.array([e.error for e in found])
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(values.std(), rel=0.12)
    limit = vendi_score(generated=torch.randn(200_000, 8) * scale + 0.3).value
    assert 0.90 <= np.mean(np.abs(values - limit) < 1.96 * errors) <= 0.98


def test_error_is_that_of_leaving_one_out():
    x = torch.randn(120, 4) + torch.tensor([1.0, 0, 0, 0])
    whole = vendi_score(generated=x)
    rest = np.array([vendi_score(generated=torch.cat([x[:i], x[i + 1 :]])).value for i in range(120)])
    jackknife = math.sqrt(119 / 120 * np.square(rest - rest.mean()).sum())
    assert whole.error == pytest.approx(jackknife, rel=0.02)


def test_fewer_kinds_score_less():
    centres = torch.eye(10) * 4

    def sample(kinds):
        return centres[torch.randint(kinds, (500,))] + 0.3 * torch.randn(500, 10)

    scores = [vendi_score(generated=sample(k)).value for k in (10, 7, 3, 1)]
    assert scores == sorted(scores, reverse=True)


def test_what_means_nothing_is_refused():
    with pytest.raises(UserError, match="not symmetric"):
        vendi_score(kernel=torch.tensor([[1.0, 0.5], [0.0, 1.0]]))
    with pytest.raises(UserError, match="not 1 on its diagonal"):
        vendi_score(kernel=2 * torch.eye(3))
    with pytest.raises(UserError, match="none below 0"):
        vendi_score(kernel=torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
    with pytest.raises(UserError, match="expected \\(n, n\\)"):
        vendi_score(kernel=torch.ones(3, 2))
    with pytest.raises(UserError, match="no direction"):
        vendi_score(generated=torch.zeros(5, 2))
    with pytest.raises(UserError, match="not finite"):
        vendi_score(generated=torch.full((5, 2), math.inf))
    with pytest.raises(UserError, match="one of them"):
        vendi_score()
