"""Which modes a model gives, how often, and how well: around known centres, or by a classifier's labels."""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import special, stats
from torch import Tensor

from adversaria.errors import UserError, at_least
from adversaria.metrics.checks import checked, facts
from adversaria.metrics.estimate import Estimate, Null

QUALITY = 1 - math.exp(-4.5)
"""The mass of a normal law in two dimensions within 3 standard deviations, 0.98889."""
_DRAWS = 1000


def mode_coverage(
    *, generated: Float[Tensor, "n d"], centres: Float[Tensor, "k d"], sd: float, quantile: float = QUALITY,
    seed: int = 0,
) -> dict[str, Estimate]:  # fmt: skip
    """Coverage of K equal normal modes with known centres and common standard deviation.

        high quality    |y - c| <= sd sqrt(chi2_d^-1(quantile)),   c the nearest centre; 3 sd in two dimensions
        modes           with at least one sample of high quality
        modes in force  with at least max(1, n / (10 K)) of them
        KL              sum_k p_k log(K p_k),   p_k the share of all samples nearest to centre k
        JSD             of p and the uniform law

    Each has its null: what a perfect sampler gives at this n, exact for the first three. A perfect sampler's share of
    high quality is `quantile`, not 1, and its KL about (K - 1) / (2 n), not 0.

    Srivastava et al. (2017), arXiv:1705.07761, Section 4.1; Lin et al. (2018), arXiv:1712.04086, Section 4.1.

    Args:
        generated: samples.
        centres: of the modes.
        sd: of a mode, along each coordinate.
        quantile: mass of a mode that counts as of high quality.
        seed: of the null of KL and JSD.

    Raises:
        UserError: for samples or modes that can't be used.
    """
    checked(1, generated=generated, centres=centres.to(generated))
    if len(centres) < 2 or not 0 < sd < math.inf or not 0 < quantile < 1:
        raise UserError(f"{len(centres)} centres, sd {sd:g}, quantile {quantile:g}; 2 or more, above 0, within 0 to 1")
    n, k, d = len(generated), len(centres), generated.shape[1]
    radius = sd * math.sqrt(float(stats.chi2.ppf(quantile, d)))
    near = [torch.cdist(piece.detach().double().cpu(), centres.detach().double().cpu(),
                        compute_mode="donot_use_mm_for_euclid_dist").min(1)
            for piece in generated.split(4096)]  # fmt: skip
    at, good = torch.cat([v.indices for v in near]), torch.cat([v.values for v in near]) <= radius
    hits = np.bincount(at[good].numpy(), minlength=k)
    force = max(1, math.ceil(n / (10 * k)))
    said = {**facts(generated=generated), "modes": k, "sd": sd, "radius_sd": round(radius / sd, 6)}
    right = int(good.sum())
    limits = stats.binomtest(right, n).proportion_ci(0.95, "exact")
    uniform = np.full(k, 1 / k)
    return {
        "high quality": Estimate(
            "samples of high quality", right / n, math.sqrt(right * (n - right) / n) / n, n, "share", said, False,
            (float(limits.low), float(limits.high)), f"{quantile:.4g} for a perfect sampler, not 1",
            null=Null(quantile, math.sqrt(quantile * (1 - quantile) / n), 0, "exact, a perfect sampler"),
        ),
        "modes": _hit("modes", hits, uniform * quantile, 1, n, said),
        "modes in force": _hit("modes in force", hits, uniform * quantile, force, n, said),
        **_divergences(np.bincount(at.numpy(), minlength=k), uniform, uniform, said, seed),
    }  # fmt: skip


def class_coverage(
    *, labels: Int[Tensor, " n"], classes: int, weights: Float[Tensor, " k"] | None = None,
    confusion: Float[Tensor, "c c"] | None = None, channels: int = 1, seed: int = 0,
) -> dict[str, Estimate]:  # fmt: skip
    """Coverage of modes told by a classifier's labels.

        modes   classes that occur;   E = sum_k 1 - (1 - w_k)^n for a perfect sampler
        KL      sum_k p_k log(p_k / w_k),   p_k the share of class k
        JSD     of p and w

    For stacks of three digits, 1000 classes: a perfect sampler's KL is 0.0192 + 0.0002 at n = 26,000, and 2,500 samples
    can hit but 918 modes. A classifier errs: given its `confusion` on one channel, the nulls are those of a perfect
    sampler seen through it, and `details` says how many samples it misreads (1 - a^channels of them) and how many of
    the modes it found could be misread samples of others alone (Poisson tail above 0.05, told counts taken for true).

    Srivastava et al. (2017), arXiv:1705.07761, Section 4.1; Metz et al. (2016), arXiv:1611.02163, Section 3.3.1.

    Args:
        labels: of the generated samples, 0 to classes - 1.
        classes: number of modes.
        weights: their probabilities in the data; equal without. KL and JSD are from these.
        confusion: counts or shares, true class by row, told class by column, of one channel's classifier.
        channels: a label is made of so many digits, the first the most significant.
        seed: of the null of KL and JSD.

    Raises:
        UserError: for labels, weights or a confusion that don't fit.
    """
    _check_labels(labels, classes)
    n, w = len(labels), _weights(weights, classes)
    counts = np.bincount(labels.cpu().numpy(), minlength=classes)
    if (counts[w == 0] > 0).any():
        raise UserError(f"{int((counts[w == 0] > 0).sum())} classes of weight 0 occur; weigh each class above 0")
    said: dict[str, Any] = {"n_generated": n, "classes": classes, "weights": "equal" if weights is None else "given"}
    seen, details = w, {}
    if confusion is not None:
        read = _shares(confusion, classes, channels)
        seen = _through(w, read, channels)
        details = _misread(counts, read, channels)
        said |= {"classifier_accuracy": round(float(np.diag(read).mean()), 6), "channels": channels}
    return {
        "modes": _hit("modes", counts, seen, 1, n, said, details),
        **_divergences(counts, w, seen, said, seed),
    }


def expected_modes(n: int, weights: np.ndarray, least: int = 1) -> tuple[float, float]:
    """Mean and standard deviation of the number of modes that `n` independent samples hit `least` times; exact.

    Weights below a sum of 1 leave the rest for samples that hit none.

    >>> round(expected_modes(2500, np.full(1000, 1e-3))[0])
    918
    """
    w = np.asarray(weights, np.float64)
    one = stats.binom.sf(least - 1, n, w)
    kinds, times = np.unique(w, return_counts=True)
    if least > 1 and len(kinds) > 1:
        return float(one.sum()), math.sqrt(float((one * (1 - one)).sum()))  # above the truth: hits compete
    if least > 1:
        p, r = float(one[0]), float(kinds[0])
        j = np.arange(least, n + 1)
        both = float((stats.binom.pmf(j, n, r) * stats.binom.sf(least - 1, n - j, min(r / (1 - r), 1.0))).sum())
        variance = len(w) * p * (1 - p) + len(w) * (len(w) - 1) * (both - p * p)
        return float(one.sum()), math.sqrt(max(variance, 0.0))
    missed = (1 - kinds) ** n
    pairs = np.clip(1 - kinds[:, None] - kinds[None], 0, 1) ** n - missed[:, None] * missed[None]
    own = pairs.diagonal()
    variance = float(times @ pairs @ times - times @ own + times @ (missed * (1 - missed)))
    return float(one.sum()), math.sqrt(max(variance, 0.0))


def _hit(
    name: str, counts: np.ndarray, weights: np.ndarray, least: int, n: int, said: dict[str, Any],
    details: dict[str, Any] | None = None,
) -> Estimate:  # fmt: skip
    """The number of modes with `least` hits; the error is that of drawing the samples anew from what they show."""
    hit = counts >= least
    again = stats.binom.sf(least - 1, n, counts / n)
    mean, sd = expected_modes(n, weights, least)
    missing = np.flatnonzero(~hit)
    seen = max(float(-math.log(0.05) / n), 0.0)
    return Estimate(
        name, float(hit.sum()), math.sqrt(float((again * (1 - again)).sum())), n, f"of {len(counts)}",
        {**said, "least": least}, False, bias=f"{mean:.5g} for a perfect sampler of this n",
        null=Null(mean, sd, 0, "exact, a perfect sampler"),
        details={"missing": missing.tolist(), "smallest_mode_sure_to_be_seen": seen} | (details or {}),
    )  # fmt: skip


def _divergences(
    counts: np.ndarray, target: np.ndarray, law: np.ndarray, said: dict[str, Any], seed: int
) -> dict[str, Estimate]:  # fmt: skip
    """KL and JSD of the shares from `target`, with their null under samples of `law`."""
    n, k = int(counts.sum()), len(counts)
    drawn = np.random.default_rng(seed).multinomial(n, law / law.sum(), size=_DRAWS) / n
    p = counts / n
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = {"KL": np.log(p / target), "JSD": np.log(2 * p / (p + target)) / 2}
    floor = (int((target > 0).sum()) - 1) / (2 * n)
    found = {}
    for name, rows, least in (("KL", _kl, floor), ("JSD", _jsd, floor / 4)):
        null = rows(drawn, target)
        score = np.where(p > 0, parts[name], 0.0)
        spread = float(p @ score**2 - (p @ score) ** 2)  # delta method
        value, sd = float(rows(p[None], target)[0]), float(null.std())
        found[name] = Estimate(
            f"{name} over modes", value, math.sqrt(max(spread / n, sd**2)), n, "nats", said | {"seed": seed},
            bias=f"a perfect sampler's is about {least:.2g}, not 0",
            null=Null(float(null.mean()), sd, _DRAWS, "a perfect sampler, simulated"),
            details={"most": math.log(1 / float(target[target > 0].min())) if name == "KL" else math.log(2), "k": k},
        )  # fmt: skip
    return found


def _kl(p: np.ndarray, target: np.ndarray) -> np.ndarray:
    """KL(p | target) of rows of shares."""
    total: np.ndarray = special.rel_entr(p, target).sum(1)
    return total


def _jsd(p: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence of rows of shares from `target`."""
    middle = (p + target) / 2
    total: np.ndarray = (special.rel_entr(p, middle) + special.rel_entr(target, middle)).sum(1) / 2
    return total


def _check_labels(labels: Tensor, classes: int) -> None:
    at_least("classes", classes, 2)
    if labels.ndim != 1 or labels.is_floating_point() or len(labels) == 0:
        raise UserError(f"labels are {labels.dtype} of shape {tuple(labels.shape)}; expected whole numbers (n,), n > 0")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise UserError(f"labels go from {low} to {high}; expected 0 to {classes - 1}: give the right classes=")


def _weights(weights: Tensor | None, classes: int) -> np.ndarray:
    if weights is None:
        return np.full(classes, 1 / classes)
    w = weights.detach().double().cpu().numpy()
    if w.shape != (classes,) or not (w >= 0).all() or not 0 < w.sum() < math.inf:
        raise UserError(f"weights have shape {w.shape}; expected ({classes},), none below 0, some above")
    found: np.ndarray = w / w.sum()
    return found


def _shares(confusion: Tensor, classes: int, channels: int) -> np.ndarray:
    """Probability of each told class by true class, (c, c)."""
    c = confusion.detach().double().cpu().numpy()
    at_least("channels", channels, 1)
    if c.ndim != 2 or c.shape[0] != c.shape[1] or c.shape[0] ** channels != classes:
        raise UserError(f"a confusion of shape {c.shape} and {channels} channels make no {classes} classes; c^channels")
    if not ((c >= 0).all() and np.isfinite(c).all() and (c.sum(1) > 0).all()):
        raise UserError("confusion has a row without counts, or a number below 0; count every true class")
    found: np.ndarray = c / c.sum(1, keepdims=True)
    return found


def _through(law: np.ndarray, read: np.ndarray, channels: int) -> np.ndarray:
    """What `law` (K,) over true classes looks like once each channel is read through `read`."""
    table = law.reshape((len(read),) * channels)
    for _ in range(channels):
        table = np.tensordot(table, read, axes=(0, 0))  # the axis read goes last; after all, the order is the old one
    return table.reshape(-1)


def _misread(counts: np.ndarray, read: np.ndarray, channels: int) -> dict[str, Any]:
    """How many samples the classifier misreads, and the modes that these alone explain."""
    kept = _through(counts, np.diag(np.diag(read)), channels)
    stray = _through(counts, read, channels) - kept
    hit = counts > 0
    alone = hit & (stats.poisson.sf(counts - 1, np.maximum(stray, 0.0)) > 0.05)
    return {
        "misread": float(counts.sum() - kept.sum()), "misread_share": float(1 - kept.sum() / counts.sum()),
        "modes_that_misreading_explains": int(alone.sum()), "modes_beyond_misreading": int((hit & ~alone).sum()),
    }  # fmt: skip
