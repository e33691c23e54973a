"""Two-sample tests: closed forms, exact p-values, and an AUC that is the Bayes one where it can be known."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from adversaria.errors import UserError
from adversaria.metrics.c2st import _delong, classifier_test, detectable
from adversaria.metrics.two_sample import energy_test, holm, mmd_test

pytestmark = pytest.mark.usefixtures("float64")


def normal(n, d=1, shift=0.0, scale=1.0, seed=0):
    return shift + scale * torch.from_numpy(np.random.default_rng(seed).standard_normal((n, d)))


def by_sums(k, n, m):
    """The U-statistic, pair by pair."""
    inner = sum(k(i, j) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    outer = sum(k(i, j) for i in range(n, n + m) for j in range(n, n + m) if i != j) / (m * (m - 1))
    return inner + outer - 2 * sum(k(i, j) for i in range(n) for j in range(n, n + m)) / (n * m)


def test_statistics_equal_their_sums_over_pairs():
    x, y = normal(5, 3), normal(7, 3, 0.4, seed=1)
    z = torch.cat([x, y])
    apart = [[float((a - b).norm()) for b in z] for a in z]
    median = float(torch.tensor([apart[i][j] for i in range(12) for j in range(12) if i != j]).median())
    widths = [c * median for c in (0.5, 1, 2, 4)]
    want = by_sums(lambda i, j: sum(math.exp(-(apart[i][j] ** 2) / (2 * s * s)) for s in widths) / 4, 5, 7)
    found = mmd_test(real=x, generated=y, permutations=19)
    assert found.value == pytest.approx(want, abs=1e-12)
    assert found.details["bandwidths"] == pytest.approx(widths)
    want = by_sums(lambda i, j: -apart[i][j], 5, 7)
    assert energy_test(real=x, generated=y, permutations=19).value == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize(
    ("d", "square", "width", "want"), [(1, 1, 1, 0.177268), (2, 1, 1, 0.102346), (10, 1, 10, 0.0328017)]
)
def test_mmd_is_that_of_the_two_normal_laws(d, square, width, want):
    exact = 2 * (width / (width + 2)) ** (d / 2) * (1 - math.exp(-square / (2 * (width + 2))))
    assert exact == pytest.approx(want, abs=6e-7)
    found = mmd_test(real=normal(1500, d), generated=normal(1500, d, (square / d) ** 0.5, seed=1),
                     bandwidth=width**0.5, permutations=19)  # fmt: skip
    assert abs(found.value - exact) < 4 * found.error < exact / 2
    assert "s = " in found.protocol["kernel"]


@pytest.mark.parametrize(("m", "want"), [(0.5, 0.139596), (1.0, 0.541807), (2.0, 1.944260)])
def test_energy_distance_is_that_of_the_two_normal_laws(m, want):
    # E|N(m, 2)| of the folded normal law
    exact = 2 * (2 / math.pi**0.5 * math.exp(-m * m / 4) + m * math.erf(m / 2)) - 4 / math.pi**0.5
    assert exact == pytest.approx(want, abs=6e-7)
    found = energy_test(real=normal(1500), generated=normal(1500, shift=m, seed=1), permutations=19)
    assert abs(found.value - exact) < 4 * found.error < exact


def test_energy_distance_squared_is_that_of_scipy_which_gives_its_root():
    x, y = normal(40), normal(33, shift=0.3, scale=2, seed=1)
    theirs = stats.energy_distance(x[:, 0].numpy(), y[:, 0].numpy())
    found = energy_test(real=x, generated=y, permutations=19)
    assert found.details["v_statistic"] == pytest.approx(theirs**2, rel=1e-9)
    point = energy_test(real=torch.zeros(3, 1), generated=torch.ones(3, 1), permutations=19)
    assert point.value == pytest.approx(2, abs=1e-12)
    assert point.details["v_statistic"] == pytest.approx(2, abs=1e-12)
    assert stats.energy_distance([0, 0], [1, 1]) == pytest.approx(1.414214, abs=1e-6)


def test_v_statistic_of_mmd_counts_a_row_with_itself():
    x, y = normal(6, 2), normal(4, 2, seed=1)
    found = mmd_test(real=x, generated=y, bandwidth=1.3, permutations=19)

    def k(a, b):
        return torch.exp(-torch.cdist(a, b).square() / (2 * 1.3**2)).mean()

    assert found.details["v_statistic"] == pytest.approx(float(k(x, x) + k(y, y) - 2 * k(x, y)), abs=1e-12)


@pytest.mark.parametrize("test", [mmd_test, energy_test])
def test_p_is_the_rank_among_all_relabellings(test):
    # Three rows against three have 20 labellings; farthest apart are the two that keep the groups together.
    x, y = torch.tensor([[0.0], [0.1], [0.3]]), torch.tensor([[9.0], [9.2], [9.3]])
    found = test(real=x, generated=y, permutations=4000)
    assert found.p == pytest.approx(0.1, abs=4 * math.sqrt(0.09 / 4000))
    same = test(real=x, generated=x.clone(), permutations=99)
    assert same.p > 0.9


@pytest.mark.parametrize(("test", "runs"), [(mmd_test, 400), (energy_test, 400), (classifier_test, 60)])
def test_false_alarms_are_as_many_as_said(test, runs):
    p = np.array([test(real=normal(40, 3, seed=(i, 0)), generated=normal(40, 3, seed=(i, 1)), permutations=99,
                       seed=i).p for i in range(runs)])  # fmt: skip
    for alpha in (0.05, 0.2, 0.5):
        assert abs((p <= alpha).mean() - alpha) < 3.5 * math.sqrt(alpha * (1 - alpha) / runs)


@pytest.mark.parametrize("test", [mmd_test, energy_test, classifier_test])
def test_power_grows_with_the_difference(test):
    x = normal(200, 2)
    excess = [test(real=x, generated=normal(200, 2, m, seed=1), permutations=99).excess for m in (0, 0.5, 1)]
    assert excess[0] < 2.5 < excess[1] < excess[2]
    assert test(real=normal(200, 2), generated=normal(200, 2, 1, seed=1), permutations=99).p == 0.01


@pytest.mark.parametrize("test", [mmd_test, energy_test])
def test_errors_are_those_of_fresh_samples(test):
    for m in (0.0, 0.8):
        found = [test(real=normal(80, 2, seed=2 * i), generated=normal(60, 2, m, seed=2 * i + 1), permutations=99)
                 for i in range(150)]  # fmt: skip
        spread = np.std([e.value for e in found])
        assert 0.8 < np.mean([e.error for e in found]) / spread < (1.2 if m else 1.6)
        assert 0.8 < np.mean([e.null.sd for e in found if not m] or [spread]) / spread < 1.2


@pytest.mark.parametrize("test", [mmd_test, energy_test])
def test_statistics_are_symmetric_and_move_with_nothing(test):
    x, y = normal(30, 40), normal(20, 40, 0.2, seed=1)
    value = test(real=x, generated=y, permutations=19).value
    rotation = torch.linalg.qr(normal(40, 40, seed=2)).Q
    assert test(real=y, generated=x, permutations=19).value == pytest.approx(value, rel=1e-9)
    assert test(real=x.flip(0), generated=y, permutations=19).value == pytest.approx(value, rel=1e-9)
    turned = test(real=x @ rotation + 1e7, generated=y @ rotation + 1e7, permutations=19)
    assert turned.value == pytest.approx(value, rel=1e-6)
    assert test(real=x.float(), generated=y.float(), permutations=19).value == pytest.approx(value, rel=1e-4)


def test_large_sets_are_cut_and_said_to_be():
    found = energy_test(real=normal(300, 2), generated=normal(40, 2, seed=1), most=100, permutations=19)
    assert (found.protocol["n_real"], found.protocol["n_generated"], found.n) == (60, 40, 40)
    assert found.details["rows"] == (300, 40)


@pytest.mark.parametrize("test", [mmd_test, energy_test, classifier_test])
def test_the_same_call_gives_the_same_bits_and_touches_no_global_generator(test):
    x, y = normal(50, 3), normal(50, 3, 0.2, seed=1)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    a, b = (test(real=x, generated=y, permutations=99, seed=3) for _ in range(2))
    assert a == b
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])  # noqa: NPY002
    assert a.null != test(real=x, generated=y, permutations=99, seed=4).null
    assert a.to_dict() == type(a).from_dict(a.to_dict()).to_dict()


@pytest.mark.parametrize("m", [0.5, 1.0, 2.0, 4.0])
def test_the_classifier_reaches_the_bayes_auc_and_accuracy(m):
    n = 6000
    found = classifier_test(real=normal(n), generated=normal(n, shift=m, seed=1), permutations=99)
    assert abs(found.value - stats.norm.cdf(m / 2**0.5)) < 4 * found.error < 0.03
    accuracy = stats.norm.cdf(m / 2)
    assert abs(found.details["accuracy"] - accuracy) < 4 * math.sqrt(accuracy * (1 - accuracy) / n) + 0.005
    jsd = {0.5: 0.030311, 1.0: 0.111421, 2.0: 0.336831, 4.0: 0.632720}[m]
    assert jsd - 0.01 < found.details["jsd"] + 4 * found.details["jsd_error"]
    assert found.details["jsd"] - 4 * found.details["jsd_error"] < jsd
    for key in ("kl_real_generated", "kl_generated_real"):
        assert found.details[key] - 4 * found.details[f"{key}_error"] < m * m / 2
        assert found.details[key] > 0.6 * m * m / 2 - 4 * found.details[f"{key}_error"]


def test_what_is_not_linear_is_found_by_the_network():
    found = classifier_test(real=normal(800, 2), generated=normal(800, 2, scale=2, seed=1), permutations=99)
    assert found.details["classifier"] == "network"
    assert found.value > 0.68
    assert found.p == 0.01
    shifted = classifier_test(real=normal(600, 30), generated=normal(600, 30, 0.3, seed=1), permutations=99)
    assert shifted.value > stats.norm.cdf(0.3 * 30**0.5 / 2**0.5) - 0.06  # the Bayes AUC


def test_errors_of_the_auc_are_those_of_fresh_rows():
    found = [classifier_test(real=normal(200, seed=2 * i), generated=normal(200, shift=1, seed=2 * i + 1), epochs=2,
                             permutations=19, seed=i) for i in range(60)]  # fmt: skip
    assert 0.7 < np.mean([e.error for e in found]) / np.std([e.value for e in found]) < 1.4
    assert np.mean([e.interval[0] < stats.norm.cdf(1 / 2**0.5) < e.interval[1] for e in found]) > 0.88
    assert found[0].null.sd == pytest.approx(math.sqrt(201 / (12 * 100 * 100)), rel=0.5)


def test_the_error_of_the_auc_is_that_of_its_definition():
    p, q = torch.tensor([3.0, 1.0, 4.0, 1.5]), torch.tensor([1.0, 0.0, 2.0, 2.5])
    won = (p[:, None] > q).double() + (p[:, None] == q).double() / 2
    error, limits = _delong(p, q, float(won.mean()))
    assert error == pytest.approx(float((won.mean(1).var() / 4 + won.mean(0).var() / 4).sqrt()), rel=1e-12)
    assert limits == (pytest.approx(float(won.mean()) - 1.959964 * error), 1.0)


def test_samples_that_are_apart_have_an_auc_of_one_with_limits():
    found = classifier_test(real=normal(100), generated=normal(100, shift=50, seed=1), permutations=99)
    assert (found.value, found.details["accuracy"], found.p) == (1, 1, 0.01)
    assert found.interval == (pytest.approx(0.025 ** (1 / 50)), 1)
    assert math.isnan(found.error)


def test_sets_of_different_sizes_are_cut_to_the_smaller():
    found = classifier_test(real=normal(500, 2), generated=normal(81, 2, seed=1), permutations=19)
    assert found.n == found.protocol["n_test"] == 82


def test_five_percent_thresholds_and_power_are_those_of_the_reference():
    for n, want in ((200, 0.5582), (1000, 0.5260), (2000, 0.5184), (10_000, 0.5082)):
        assert 0.5 + stats.norm.isf(0.05) / (2 * math.sqrt(n)) == pytest.approx(want, abs=5e-5)
    assert detectable(1000) == pytest.approx(0.539, abs=5e-4)
    assert detectable(10_000) == pytest.approx(0.5124, abs=5e-5)
    e = detectable(300) - 0.5
    assert stats.norm.cdf((e * 300**0.5 - stats.norm.isf(0.05) / 2) / math.sqrt(0.25 - e * e)) == pytest.approx(0.8)


def test_holm_is_that_of_its_definition():
    assert holm([0.01, 0.04, 0.03]) == [0.03, 0.06, 0.06]
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []
    with pytest.raises(UserError, match="from 0 to 1"):
        holm([0.1, math.nan])


@pytest.mark.parametrize("test", [mmd_test, energy_test, classifier_test])
def test_what_cannot_be_compared_is_refused(test):
    x = normal(40, 2)
    for real, generated, message in (
        (x, torch.full((40, 2), math.nan), "not finite"),
        (x, normal(40, 3), "different numbers of features"),
        (x, x[:1], "rows; at least"),
        (torch.ones(40, 2), torch.ones(40, 2), "all rows of both sets are the same|no feature varies"),
    ):
        with pytest.raises(UserError, match=message):
            test(real=real, generated=generated)
    with pytest.raises(UserError, match="permutations is 3"):
        test(real=x, generated=x, permutations=3)


def test_bandwidths_that_are_none_are_refused():
    x = normal(10)
    for options, message in (({"bandwidth": 0.0}, "bandwidth is 0"), ({"multiples": ()}, "multiples are"),
                             ({"multiples": (1, -1)}, "multiples are")):  # fmt: skip
        with pytest.raises(UserError, match=message):
            mmd_test(real=x, generated=x, **options)
