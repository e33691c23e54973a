"""Does a logged series go round? A spectral peak above red noise, and modes that take turns."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from adversaria.errors import UserError, at_least
from adversaria.metrics.estimate import Estimate, Null

RHOS = np.concatenate([[0.0], 1 - np.geomspace(0.7, 0.01, 19)])
"""Lag-1 correlations of the null's red part."""
WHITE = np.array([0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0])
"""Variance of the null's white part over that of the red part's steps."""


def cycling(
    *, rounds: Sequence[float] | np.ndarray, values: Sequence[float] | np.ndarray, draws: int = 299,
    start: float = 0.2, degree: int = 2, seed: int = 0,
) -> Estimate:  # fmt: skip
    """The strongest period of a logged series over what red noise would have.

        peak = max_f I(f) / median_f I(f),   I the periodogram of the detrended, tapered series, f >= 3 / n
        null: AR(1) noise plus white noise, fitted to I without heed to its peaks;   test: max_f I(f) / S(f)

    A training loss is correlated from round to round, so that a large peak at a long period means nothing by itself: p
    is the share of `draws` series of the fitted null, gone through the same detrending and fitting, whose largest
    ratio to their own fit is as large; beyond the largest draws, an exponential tail fitted to the highest tenth.
    Periods longer than a third of the series, of which it has seen fewer than three, are not looked at. Details:
    `period` in rounds, and `ratio`, the tested one.

    Args:
        rounds: when values were logged, increasing; unevenly spaced ones are interpolated onto an even grid.
        values: such as a discriminator's loss or the distance of its weights from their mean.
        draws: series of the null.
        start: part of the series that is left out as its transient, 0 to 0.9.
        degree: of the polynomial that is subtracted from the rest.
        seed: of the null's series.

    Null and test after Mann and Lees (1996), Climatic Change 33, with a simulated in place of an asymptotic null.

    Raises:
        UserError: for fewer than 32 values after the transient, one that is not finite, rounds that don't increase, or
            a constant series.
    """
    at_least("draws", draws, 19)
    if not 0 <= start <= 0.9:
        raise UserError(f"start is {start}; the part left out as transient lies between 0 and 0.9")
    at, x = (np.asarray(a, dtype=float).ravel() for a in (rounds, values))
    if len(at) != len(x):
        raise UserError(f"{len(at)} rounds and {len(x)} values; give as many of both")
    at, x = at[int(start * len(at)) :], x[int(start * len(x)) :]
    step = _checked(at, x)
    even = np.arange(len(x)) * step + at[0]
    spaced = bool(np.allclose(at, even, rtol=0, atol=1e-6 * step))
    x = x if spaced else np.interp(even, at, x)
    rng, n = np.random.default_rng(seed), len(x)
    power, frequencies = _periodogram(x[None], degree)
    if not power.max() > 1e-24 * max(1.0, float(np.abs(x).max()) ** 2) * n:
        raise UserError(
            f"all {n} values follow a polynomial of degree {degree}; there is nothing left that could cycle"
        )
    ratio, where, rho, white = (a[0] for a in _against_noise(power, frequencies))
    noise = _red(rng, draws, n, rho) + math.sqrt(white) * rng.standard_normal((draws, n))
    null_power, _ = _periodogram(noise, degree)
    p = _tail(_against_noise(null_power, frequencies)[0], float(ratio))
    peaks = null_power.max(1) / np.median(null_power, axis=1)
    peak = float(power[0].max() / np.median(power[0]))
    facts = {"n": n, "left_out": start, "draws": draws, "detrended": f"degree {degree}", "seed": seed,
             "spacing": "even" if spaced else "interpolated"}  # fmt: skip
    details = {"period": step / _refined(power[0], frequencies, int(where)), "ratio": float(ratio), "rho": float(rho),
               "white share": float(white / (white + 1 / (1 - rho**2)))}  # fmt: skip
    return Estimate("spectral peak", peak, math.nan, n, "times the median power", facts, None, (peak, peak), p=p,
                    null=Null(float(peaks.mean()), float(peaks.std()), draws, "series of the fitted noise"),
                    details=details)  # fmt: skip


def _checked(at: np.ndarray, x: np.ndarray) -> float:
    """The spacing of the rounds."""
    if len(x) < 32:
        raise UserError(f"{len(x)} values are left after the transient; a period takes at least 32: log more rounds")
    bad = int((~np.isfinite(x)).sum() + (~np.isfinite(at)).sum())
    if bad:
        raise UserError(f"{bad} numbers of the series are not finite; leave those rounds out")
    if (np.diff(at) <= 0).any():
        raise UserError("the rounds of the series don't increase; sort them, and count a round that was replayed once")
    if not float(np.ptp(x)):
        raise UserError(f"all {len(x)} values are {x[0]:g}; a constant series has no period")
    return float((at[-1] - at[0]) / (len(at) - 1))


def _periodogram(x: np.ndarray, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Power (m, k) of series (m, n) at the k frequencies (per step) from 3 / n to below 1/2."""
    n = x.shape[1]
    basis, _ = np.linalg.qr(np.vander(np.linspace(-1, 1, n), degree + 1))
    x = x - (x @ basis) @ basis.T
    taper = np.hanning(n + 2)[1:-1]
    power = np.abs(np.fft.rfft(x * taper)) ** 2 / (taper @ taper)
    last = (n - 1) // 2
    return power[:, 3 : last + 1], np.arange(3, last + 1) / n


def _against_noise(power: np.ndarray, frequencies: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of each series: the largest ratio of its power to its fitted noise, where, and the noise's rho and white part.

    The fit is the least absolute deviation of the bins' median log power, which a few peaks don't move.
    """
    shapes, rho, white = [], [], []
    for r in RHOS:
        red = 1 / (1 + r**2 - 2 * r * np.cos(2 * np.pi * frequencies))
        for w in WHITE if r else WHITE[:1]:
            shapes.append(np.log(red + w))
            rho.append(r)
            white.append(w)
    logs = np.log(power + 1e-300)
    bins = _bins(len(frequencies))
    weight = np.sqrt([b.stop - b.start for b in bins])
    told = np.stack([np.median(logs[:, b], axis=1) for b in bins], 1)
    coarse = np.stack([[shape[b].mean() for b in bins] for shape in shapes])
    best = np.full(len(power), np.inf)
    found = np.zeros(len(power), dtype=int)
    level = np.zeros(len(power))
    for i, shape in enumerate(coarse):
        rest = told - shape
        middle = _weighted_median(rest, weight)
        misfit = np.abs(rest - middle[:, None]) @ weight
        better = misfit < best - 1e-12
        best[better], found[better], level[better] = misfit[better], i, middle[better]
    ratio = logs - np.stack(shapes)[found] - level[:, None] + math.log(math.log(2))  # the median of Exp(1) is ln 2
    return np.exp(ratio.max(1)), ratio.argmax(1), np.asarray(rho)[found], np.asarray(white)[found]


def _refined(power: np.ndarray, frequencies: np.ndarray, where: int) -> float:
    """The frequency of a peak, between those of the grid: the vertex of a parabola through three log powers."""
    if not 0 < where < len(power) - 1:
        return float(frequencies[where])
    a, b, c = np.log(power[where - 1 : where + 2] + 1e-300)
    bend = a - 2 * b + c
    shift = float(np.clip((a - c) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0
    return float(frequencies[where] + shift * (frequencies[1] - frequencies[0]))


def _bins(count: int) -> list[slice]:
    """Neighbouring frequencies taken together for the fit: one by one at the low end, at most a fortieth of all."""
    edges = [0]
    while edges[-1] < count:
        edges.append(min(count, edges[-1] + max(1, min(edges[-1] // 10, -(-count // 40)))))
    return [slice(a, b) for a, b in pairwise(edges)]


def _weighted_median(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Of each row."""
    order = x.argsort(1)
    place = (weight[order].cumsum(1) >= weight.sum() / 2).argmax(1)
    middle: np.ndarray = np.take_along_axis(x, np.take_along_axis(order, place[:, None], 1), 1)[:, 0]
    return middle


def _tail(null: np.ndarray, value: float) -> float:
    """P(null >= value): the share of draws; past the last ten an exponential tail, which power over noise has."""
    beaten = int((null >= value).sum())
    if beaten >= 10:
        return (1 + beaten) / (1 + len(null))
    high = np.sort(null)[-max(10, len(null) // 10) :]
    return float(len(high) / len(null) * math.exp(-(value - high[0]) / float((high - high[0]).mean())))


def _red(rng: np.random.Generator, m: int, n: int, rho: float) -> np.ndarray:
    """m stationary AR(1) series of n with unit steps."""
    from scipy.signal import lfilter

    steps = rng.standard_normal((m, n))
    steps[:, 0] /= math.sqrt(1 - rho**2)
    series: np.ndarray = lfilter([1.0], [1.0, -rho], steps, axis=1)
    return series


def mode_cycling(
    histograms: Sequence[Sequence[float]] | np.ndarray, *, rounds: Sequence[float] | None = None, draws: int = 999,
    seed: int = 0,
) -> Estimate:  # fmt: skip
    """Do modes take turns? The part of the histograms' movement over checkpoints that lies in one period.

        share = max_f sum_k I_k(f) / sum_f sum_k I_k(f),   I_k the periodogram of mode k's share, f >= 2 / T

    A straight line is taken out of each mode's series, so that a mode that is lost for good is no cycle. Null: the
    order of the checkpoints doesn't matter; p from `draws` orders. Details: `period` (in checkpoints, or in rounds
    where those are given), `changes` of the dominant mode, `returns` to a mode that had been dominant before, and
    `dominant modes`, how many ever were.

    Args:
        histograms: counts or shares (T, K) of samples by mode, one row per checkpoint.
        rounds: of the checkpoints.
        draws: permutations.
        seed: of the permutations.

    Raises:
        UserError: for fewer than 8 checkpoints or 2 modes, numbers that are no histogram, or one that never changes.
    """
    at_least("draws", draws, 19)
    h = np.asarray(histograms, dtype=float)
    if h.ndim != 2 or h.shape[0] < 8 or h.shape[1] < 2:
        raise UserError(f"histograms of shape {h.shape}; expected (T, K), at least 8 checkpoints and 2 modes")
    if not np.isfinite(h).all() or (h < 0).any() or not (h.sum(1) > 0).all():
        raise UserError("a histogram holds a negative number or one that is not finite, or is empty; give counts")
    h = h / h.sum(1, keepdims=True)
    T = len(h)
    line, _ = np.linalg.qr(np.vander(np.linspace(-1, 1, T), 2))
    if np.abs(h - line @ (line.T @ h)).max() < 1e-12:
        raise UserError("the histograms are alike at all checkpoints, or drift evenly; there is nothing to take turns")

    def strongest(series: np.ndarray) -> tuple[float, int]:
        power = (np.abs(np.fft.rfft(series - line @ (line.T @ series), axis=0)) ** 2).sum(1)[2:]
        return float(power.max() / power.sum()), int(power.argmax()) + 2

    share, cycles = strongest(h)
    rng = np.random.default_rng(seed)
    shuffled = np.array([strongest(h[rng.permutation(T)])[0] for _ in range(draws)])
    beaten = int((shuffled >= share - 1e-12).sum())
    order = h.argmax(1)
    turns = order[np.flatnonzero(np.diff(order, prepend=-1))]
    length = T if rounds is None else T * float(rounds[-1] - rounds[0]) / (T - 1)
    details = {"period": length / cycles, "changes": len(turns) - 1, "returns": len(turns) - len(set(turns.tolist())),
               "dominant modes": len(set(order.tolist()))}  # fmt: skip
    facts = {"checkpoints": T, "modes": h.shape[1], "draws": draws, "seed": seed}
    return Estimate("mode cycling", share, math.nan, T, "of the movement in one period", facts, None, (share, share),
                    p=(1 + beaten) / (1 + draws), details=details,
                    null=Null(float(shuffled.mean()), float(shuffled.std()), draws, "other orders"))  # fmt: skip
