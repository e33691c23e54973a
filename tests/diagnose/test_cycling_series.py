"""Cycles are found in series and histograms that have them, and noise raises no alarm."""

import numpy as np
import pytest
import torch
from diagnose_helpers import bilinear
from scipy.signal import lfilter

from adversaria.diagnose.periods import cycling, mode_cycling
from adversaria.errors import UserError
from adversaria.game import play

N = 250


def red(rng, rho, n=N):
    steps = rng.standard_normal(n)
    steps[0] /= np.sqrt(1 - rho**2)
    return lfilter([1], [1, -rho], steps)


NOISES = {
    "white": lambda rng: rng.standard_normal(N),
    "AR(1)": lambda rng: red(rng, 0.9),
    "AR(1) on a white floor": lambda rng: red(rng, 0.9) + 3 * rng.standard_normal(N),
    "heavy tails": lambda rng: rng.standard_t(3, N),
    "AR(1) after a transient": lambda rng: red(rng, 0.9) + 20 * np.exp(-np.arange(N) / (N / 10)),
}


@pytest.mark.parametrize("name", NOISES)
def test_noise_raises_no_more_alarms_than_its_level_says(name):
    rng = np.random.default_rng(1)
    p = np.array([cycling(rounds=range(N), values=NOISES[name](rng), draws=99, seed=i).p for i in range(30)])
    assert (p <= 0.05).mean() <= 0.05 + 3 * (0.05 * 0.95 / 30) ** 0.5
    assert (p <= 0.001).mean() <= 0.04


def test_the_null_has_the_peaks_of_the_noise_it_was_fitted_to():
    rng, n = np.random.default_rng(4), 2000
    draw = lambda: red(rng, 0.9, n) + 3 * rng.standard_normal(n)  # noqa: E731
    told = [cycling(rounds=range(n), values=draw(), draws=99, seed=i) for i in range(8)]
    peaks = [cycling(rounds=range(n), values=draw(), draws=19).value for _ in range(40)]
    assert np.median([e.null.mean for e in told]) == pytest.approx(np.mean(peaks), rel=0.25)
    ratios = [e.details["ratio"] for e in told]  # the largest of K exponential variables: ln K + 0.577 on average
    assert np.mean(ratios) == pytest.approx(np.log(0.4 * n) + 0.577, abs=1.5)
    assert np.median([e.details["white share"] for e in told]) == pytest.approx(9 / (9 + 1 / 0.19), abs=0.2)


@pytest.mark.parametrize(("noise", "height"), [("white", 0.9), ("AR(1)", 2.5), ("AR(1) on a white floor", 4.0)])
def test_a_sinusoid_in_noise_is_found_with_its_period(noise, height):
    rng = np.random.default_rng(2)
    found = []
    for i in range(12):
        wave = height * np.sin(2 * np.pi * np.arange(N) / 20 + i)
        found.append(cycling(rounds=np.arange(N) * 10, values=NOISES[noise](rng) + wave, draws=99, seed=i))
    assert np.mean([e.p <= 0.05 for e in found]) >= 0.8
    assert np.median([e.details["period"] for e in found]) == pytest.approx(200, rel=0.1)


def test_a_pure_cycle_has_a_tiny_p_and_the_same_call_the_same_answer():
    t = np.arange(200)
    values = np.sin(t / 3) + 0.01 * np.random.default_rng(0).standard_normal(200)
    one, two = (cycling(rounds=t, values=values) for _ in range(2))
    assert one == two and one.p < 1e-6 and one.value > 1000 > one.null.mean
    assert one.details["period"] == pytest.approx(6 * np.pi, rel=0.005)
    assert cycling(rounds=t, values=values, seed=1).value == one.value
    assert cycling(rounds=t, values=5 * values - 3).p == pytest.approx(one.p)


def test_the_power_falls_with_the_cycles_height():
    rng = np.random.default_rng(3)
    noise, wave = rng.standard_normal(N), np.sin(2 * np.pi * np.arange(N) / 15)
    p = [cycling(rounds=range(N), values=noise + a * wave).p for a in (0.3, 0.8, 1.5)]
    assert p[0] > p[1] > p[2]


def test_the_loss_of_a_game_that_goes_round_is_found_to():
    """By the library's own rules: the alternating bilinear game keeps its orbit, of period 2 pi / lr."""
    game = bilinear(1.0, 1.0)
    told = list(play(game.stage(), [torch.zeros(1, 1)], rounds=500))
    values = [r.terms["a"]["value"] for r in told]
    found = cycling(rounds=[r.number for r in told], values=values)
    assert found.p < 1e-6 and found.details["period"] == pytest.approx(np.pi / 0.1, rel=0.02)  # of a product: half


def test_unevenly_logged_rounds_are_interpolated():
    rng = np.random.default_rng(0)
    t = np.sort(rng.choice(2000, 400, replace=False))
    found = cycling(rounds=t, values=np.sin(2 * np.pi * t / 100) + 0.2 * rng.standard_normal(400))
    assert found.protocol["spacing"] == "interpolated" and found.details["period"] == pytest.approx(100, rel=0.1)
    assert found.p < 1e-3


@pytest.mark.parametrize(
    ("rounds", "values", "words"),
    [
        (range(38), np.arange(38.0), "at least 32"),
        (range(100), np.zeros(99), "as many of both"),
        (range(100), np.full(100, 3.0), "constant"),
        (range(100), np.arange(100.0) ** 2, "polynomial"),
        (range(100), np.r_[np.ones(99), np.nan], "not finite"),
        (np.zeros(100), np.arange(100.0), "increase"),
    ],
)
def test_series_that_say_nothing_are_errors(rounds, values, words):
    with pytest.raises(UserError, match=words):
        cycling(rounds=rounds, values=values)


# ------------------------------------------------------------------------------------------------------ histograms


def counts(rng, p):
    return np.stack([rng.multinomial(500, row / row.sum()) for row in p])


def test_modes_that_take_turns_are_found():
    rng = np.random.default_rng(0)
    t = np.arange(30)
    p = 1 + 0.5 * np.cos(2 * np.pi * (t[:, None] / 6 - np.arange(4) / 4))
    found = mode_cycling(counts(rng, p), rounds=t * 100)
    assert found.p <= 0.002 and found.details["period"] == pytest.approx(600)
    assert found.details["dominant modes"] == 4 and found.details["returns"] > 10
    assert found.value > 0.5 and found == mode_cycling(counts(np.random.default_rng(0), p), rounds=t * 100)


def test_sampling_noise_and_a_lost_mode_are_no_turns():
    rng = np.random.default_rng(0)
    p = [mode_cycling(counts(rng, np.ones((20, 8))), draws=99, seed=i).p for i in range(100)]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * (0.05 * 0.95 / 100) ** 0.5
    fading = np.ones((20, 4))
    fading[:, 0] = np.linspace(1, 0.01, 20)
    p = [mode_cycling(counts(rng, fading), draws=99, seed=i).p for i in range(60)]
    assert np.mean(np.array(p) <= 0.05) <= 0.15


@pytest.mark.parametrize(
    ("h", "words"),
    [
        (np.ones((4, 3)), "at least 8"),
        (np.ones((9, 1)), "2 modes"),
        (np.ones((9, 3)), "alike"),
        (-np.ones((9, 3)), "negative"),
        (np.zeros((9, 3)), "empty"),
    ],
)
def test_histograms_that_are_none_are_errors(h, words):
    with pytest.raises(UserError, match=words):
        mode_cycling(h)
