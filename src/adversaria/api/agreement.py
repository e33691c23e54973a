"""Whether models come in the same order in other features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, pairwise
from statistics import stdev

from adversaria.evaluation.features import Features, pca, pixels
from adversaria.evaluation.sets import Sets
from adversaria.metrics.kernel import kernel_distance


def agreement(labels: Sequence[str], systems: Sequence[Sequence[Sets]], chosen: Features) -> str:
    """Whether kernel distance orders models alike in pixels, principal components and the chosen features.

    Distances within two standard errors of one another are no order.

    Args:
        labels: of the models.
        systems: sets of each model, one for each of its seeds.
        chosen: the features that the rest is measured in.
    """
    data = systems[0][0].data
    spaces = {f.name: f for f in (pixels(data.spec), pca(data), chosen)}
    if len(spaces) < 2:
        return ""
    words, signs = [], []
    for name, space in spaces.items():
        cells = []
        for sets in systems:
            told = [kernel_distance(real=space(s.real_x), generated=space(s.generated_x)) for s in sets]
            n = len(told)
            values = [e.value for e in told]
            error = stdev(values) / math.sqrt(n) if n > 1 else told[0].error
            cells.append((sum(values) / n, error))
        words.append(f"{name}: {_ordered(cells, labels)}")
        signs.append([_sign(x, y) for x, y in combinations(cells, 2)])
    said = "; ".join(words)
    if any(min(told) < 0 < max(told) for told in zip(*signs, strict=True)):
        return f"warning: the order by kernel distance depends on the features ({said})"
    if all(sign == 0 for told in signs for sign in told):
        return f"kernel distance tells no order, in any features ({said})"
    return f"kernel distance orders the models alike in all features ({said}; ~ where it can't tell)"


def _sign(x: tuple[float, float], y: tuple[float, float]) -> int:
    """-1 where x is less than y, 1 where it is more, 0 where that can't be told."""
    apart = x[0] - y[0]
    return 0 if abs(apart) <= 2 * math.hypot(x[1], y[1]) else -1 if apart < 0 else 1


def _ordered(cells: list[tuple[float, float]], labels: Sequence[str]) -> str:
    order = sorted(range(len(cells)), key=lambda i: cells[i][0])
    said = labels[order[0]]
    for i, j in pairwise(order):
        said += f" {'<' if _sign(cells[i], cells[j]) else '~'} {labels[j]}"
    return said
