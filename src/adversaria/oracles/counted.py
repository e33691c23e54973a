"""Oracles of models with exact likelihoods of discrete data: probabilities, samples, and the law of each number."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from adversaria.data.spec import DataSpec
from adversaria.game.game import Game
from adversaria.oracles.judged import CHANCE, EXACT, Told
from adversaria.oracles.tiny import chances, moved, place
from adversaria.ordered import alphabet

SAMPLES = 10_000
SHAKES = 8
"""Draws of weights under which a number may be seen, the first as they are, each further from it."""
COARSE = 16
"""Levels in a table of two numbers, at most."""


def sums_to_one(game: Game, spec: DataSpec) -> Told:
    """Probabilities of all examples."""
    if not (spec.kind != "points" and game.can("log_prob")):
        return None
    p = chances(game, spec)
    return abs(float(p.sum()) - 1) < EXACT, f"all {len(p):,} examples have {float(p.sum()):.12g} together"


def sampler(game: Game, spec: DataSpec) -> Told:
    """Samples against probabilities: of all examples, of each number, of each two."""
    if not (spec.kind != "points" and game.can("log_prob") and game.condition is None):
        return None
    p = chances(game, spec).cpu().numpy()
    counts = np.bincount(place(game.sample(SAMPLES, seed=0), spec).numpy(), minlength=len(p))
    A = alphabet(spec)
    if len(counts) > len(p):
        return False, "samples aren't among the examples"
    shape = (A.levels,) * A.size
    both = zip(tables(counts.reshape(shape)), tables(p.reshape(shape) / p.sum() * SAMPLES), strict=True)
    chance = [one for seen, due in both if (one := fit(seen, due)) is not None]
    if not chance:
        return None, f"of {SAMPLES:,} samples nearly all are one example"
    least = min(1.0, min(chance) * len(chance))
    return (
        least > CHANCE,
        f"{SAMPLES:,} samples, chi-squared of {len(chance)} tables, least p = {least:.2g} (Bonferroni)",
    )


def tables(whole: np.ndarray) -> Iterator[np.ndarray]:
    """The table of all numbers, those of each, and those of each two by at most 16 levels."""
    axes = range(whole.ndim)
    yield whole
    for i in axes:
        yield whole.sum(tuple({*axes} - {i}))
    step = -(-whole.shape[0] // COARSE)
    starts = range(0, whole.shape[0], step)
    for i in axes:
        for j in range(i):
            two = whole.sum(tuple({*axes} - {i, j}))
            yield np.add.reduceat(np.add.reduceat(two, starts, 0), starts, 1)


def fit(seen: np.ndarray, due: np.ndarray) -> float | None:
    """Chi-squared's p of counts, those that are due less than 5 taken together, and None where that leaves one cell."""
    often = due >= 5
    seen, due = (np.append(v[often], v[~often].sum()) for v in (seen, due))
    if due[-1] < 5:
        least = int(due[:-1].argmin())
        seen[least], due[least] = seen[least] + seen[-1], due[least] + due[-1]
        seen, due = seen[:-1], due[:-1]
    if len(seen) < 2:
        return None
    return float(stats.chisquare(seen, due * seen.sum() / due.sum()).pvalue)


def looks_ahead(game: Game, spec: DataSpec) -> Told:
    """The law of each number, and what moves it."""
    if not (spec.kind != "points" and game.can("law")):
        return None
    order, seen = list(game.order or range(spec.size)), torch.zeros(spec.size, spec.size, dtype=torch.bool)
    if sorted(order) != list(range(spec.size)):
        return False, f"the order isn't one of the {spec.size} numbers, each once"
    for shake in range(SHAKES):
        with shaken(game, 0.15 * shake):
            wrong = _laws(game, spec, order, seen)
        if wrong:
            return False, wrong
        if int(seen.sum()) == spec.size * (spec.size - 1) // 2:
            break
    pairs, found = spec.size * (spec.size - 1) // 2, int(seen.sum())
    blind = "" if found == pairs else f", the rest under none of {SHAKES} draws of weights: its blind spot"
    return True, f"no law moves with later numbers; {found} of {pairs} pairs are seen{blind}"


def _laws(game: Game, spec: DataSpec, order: list[int], seen: Tensor) -> str:
    """What is wrong with the laws under the weights as they are; notes in `seen` which number moves which."""
    A = alphabet(spec)
    levels = torch.randint(0, A.levels, (6, A.size))
    law = game.law(A.from_levels(levels))
    if float(law.logsumexp(2).abs().max()) > EXACT:
        return f"laws add up to 1 within {float(law.logsumexp(2).exp().sub(1).abs().max()):.2g} only"
    gap = law.gather(2, levels[..., None])[..., 0].sum(1) - game.log_prob(A.from_levels(levels))
    if float(gap.abs().max()) > EXACT:
        return f"the product of the laws is off the probability by {float(gap.abs().max()):.2g} nats"
    for i, number in enumerate(order):
        other = levels.clone()
        other[:, number] = (other[:, number] + torch.randint(1, A.levels, (6,))) % A.levels
        change = (game.law(A.from_levels(other)) - law).abs().amax((0, 2))[order]
        if float(change[: i + 1].max()) > EXACT:
            first = int((change[: i + 1] > EXACT).nonzero()[0])
            return (f"in the model's order the law of number {first + 1} moves with number {i + 1}, which comes "
                    "after it or is it")  # fmt: skip
        seen[i, i + 1 :] |= change[i + 1 :] > EXACT
    return ""


@contextmanager
def shaken(game: Game, by: float) -> Iterator[None]:
    """Inside the block the weights have new noise on them, of such a scale; afterwards they are as before."""
    before = [weight.data for weight in game.networks.parameters()]
    try:
        moved(game, by)
        yield
    finally:
        for weight, data in zip(game.networks.parameters(), before, strict=True):
            weight.data = data
