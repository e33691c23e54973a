"""Power in the finest octave: equal laws give 1, scale is squared, blur lacks it, grain has too much."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from adversaria.errors import UserError
from adversaria.metrics.spectrum import high_frequency_ratio, high_octave


def white(n, *shape, seed=0):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def waves(n, size, cycles):
    """Pictures of one frequency with random phases."""
    phase = torch.rand(n, 1, 1, 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 2 * math.pi
    at = torch.arange(size, dtype=torch.float64) / size
    return torch.cos(2 * math.pi * cycles * at[None, None, None, :] + phase).expand(n, 1, size, size)


def test_equal_laws_give_one():
    inside = []
    for seed in range(100):
        found = high_frequency_ratio(real=white(60, 1, 8, 8, seed=seed), generated=white(40, 1, 8, 8, seed=1000 + seed))
        low, high = found.interval
        inside.append(low <= 1 <= high)
    assert 0.88 <= np.mean(inside) <= 1
    assert found.null.mean == 1 and found.n == 40


def test_error_is_the_spread_over_samples():
    found = [high_frequency_ratio(real=white(50, 1, 8, 8, seed=s), generated=white(50, 1, 8, 8, seed=900 + s))
             for s in range(200)]  # fmt: skip
    spread = np.std([e.value for e in found])
    assert np.sqrt(np.mean([e.error**2 for e in found])) == pytest.approx(spread, rel=4 / math.sqrt(400))


@pytest.mark.parametrize("c", [0.5, 1.0, 3.0, -2.0])
def test_scale_is_squared_exactly_and_brightness_does_not_count(c):
    x = white(20, 3, 9, 12)
    found = high_frequency_ratio(real=x, generated=c * x + 0.7)
    assert found.value == pytest.approx(c**2, rel=1e-10)
    low, high = found.interval
    assert low * high == pytest.approx(found.value**2, rel=1e-9)  # limits of the logarithm
    assert low < found.value < high


def test_octave_begins_at_half_the_nyquist_frequency():
    size = 32
    total = waves(4, size, 3).square().mean()
    power = [float(high_octave(waves(4, size, k)).mean()) for k in (3, 5, 11, 14)]
    assert max(power[:2]) < 1e-4 * float(total)  # 3 and 5 of 16 cycles: below the octave
    assert min(power[2:]) > 0.1 * float(total)


def test_power_of_white_noise_is_the_share_of_frequencies_in_the_octave():
    # E |FFT of window * noise|^2 = sum of the squared window at every frequency, but for the mean taken off
    n, size = 4000, 16
    fy = np.fft.fftfreq(size)
    share = np.mean(np.hypot(fy[:, None], fy[None]) >= 0.25)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1, size + 1) / (size + 1))
    expected = share * np.mean(np.outer(window, window) ** 2)
    found = high_octave(white(n, 1, size, size))
    assert float(found.mean()) == pytest.approx(expected, abs=4 * float(found.std()) / n**0.5 + 1e-3 * expected)


def test_a_jump_between_opposite_edges_is_no_detail():
    ramp = torch.linspace(-1, 1, 16, dtype=torch.float64).expand(4, 1, 16, 16)
    bare = torch.fft.fft2(ramp - ramp.mean()).abs().square() / 256
    f = torch.fft.fftfreq(16)
    unwindowed = float(bare[0, 0][(f[:, None].square() + f.square()).sqrt() >= 0.25].sum() / 256)
    assert float(high_octave(ramp)[0]) < 0.05 * unwindowed


def test_blur_lacks_it_and_grain_and_checkerboards_have_more():
    x = F.avg_pool2d(white(200, 1, 34, 34), 3, 1)
    blurred = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), 3, 1)
    board = 0.5 * (-1.0) ** (torch.arange(32)[:, None] + torch.arange(32))
    for spoilt, below in ((blurred, True), (x + 0.3 * white(200, 1, 32, 32, seed=5), False), (x + board, False)):
        low, high = high_frequency_ratio(real=x, generated=spoilt).interval
        assert high < 0.9 if below else low > 1.1
    constant = high_frequency_ratio(real=x, generated=torch.zeros_like(x))
    assert constant.value == 0 and constant.interval == (0, 0)


def test_same_numbers_in_single_precision():
    x, y = white(30, 1, 8, 8), white(30, 1, 8, 8, seed=1)
    a = high_frequency_ratio(real=x, generated=y)
    assert high_frequency_ratio(real=x.float(), generated=y.float()).value == pytest.approx(a.value, rel=1e-6)
    assert a.protocol == {"n_real": 30, "n_generated": 30, "shape": "1x8x8"} and a.lower_is_better is None


@pytest.mark.parametrize(
    ("real", "generated", "named"),
    [
        (torch.zeros(5, 1, 8, 8), white(5, 1, 8, 8), "constant"),
        (torch.full((5, 1, 13, 11), 0.1, dtype=torch.float64), white(5, 1, 13, 11), "constant"),
        (white(5, 1, 3, 8), white(5, 1, 3, 8), "4 pixels"),
        (white(5, 64), white(5, 64), "expected"),
        (white(5, 1, 8, 8), white(5, 1, 8, 9), "equal sizes"),
        (white(5, 1, 8, 8), white(1, 1, 8, 8), "two of each"),
        (white(1, 1, 8, 8), white(5, 1, 8, 8), "two of each"),
        (white(5, 1, 8, 8), white(5, 1, 8, 8) / 0, "not finite"),
    ],
)
def test_what_has_no_ratio_is_refused(real, generated, named):
    with pytest.raises(UserError, match=named):
        high_frequency_ratio(real=real, generated=generated)
