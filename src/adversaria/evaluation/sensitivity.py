"""Which metric sees which fault: every metric on real data spoilt in known ways, beside unspoilt ones."""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from torch import Tensor

from adversaria.data import Dataset
from adversaria.data.splits import generator
from adversaria.errors import UserError
from adversaria.evaluation.controls import CONTROLS, pool_of
from adversaria.evaluation.features import Features
from adversaria.evaluation.sets import prepare, reference
from adversaria.evaluation.suite import METRICS, measure, wanted
from adversaria.metrics.estimate import Estimate, Null

MOST = 2_000
SEEN = 3.0
"""Excess, in standard deviations of the null, beyond which a metric is said to see a fault."""
SEEN_P = 0.01
SKIPPED = ("likelihood", "floors", "latents", "codes", "path-length", "modes", "stacks", "classification")
"""Metrics of a model rather than of samples, or of data with known modes."""


def sensitivity(data: Dataset, features: Features, metrics: Iterable[str] | None = None, *, n: int | None = None,
                seed: int = 0) -> dict[str, Any]:  # fmt: skip
    """The sensitivity table: a row for each number, a cell for each control, and one for unspoilt data.

    Raises:
        UserError: where the data are too few, or of a kind that can't be spoilt.
    """
    if data.spec.kind not in ("image", "points"):
        raise UserError(f"the controls spoil images and points; {data.name} holds {data.spec.kind} data")
    asked = [name for name in METRICS if name not in SKIPPED] if metrics is None else list(metrics)
    wanted(asked)
    places, split = reference(data, "test")
    n = min(MOST, len(places)) if n is None else n
    chosen = generator(seed, 11).permutation(places)[:n]
    pool = pool_of(data, chosen)
    train = features(pool.train)
    n = min(n, len(pool.x))
    n = min(len(spoilt) for _, spoilt in _spoilt(pool, n))  # a null is for one size
    nulls: dict[str, Null] = {}
    columns: dict[str, dict[str, Estimate]] = {}
    for name, spoilt in _spoilt(pool, n):
        # the rest of the training split is among what is spoilt, so it can't be where copies are looked for
        sets = replace(prepare(data, spoilt, features, seed=seed), train=train, train_places=pool.train_places)
        columns[name] = measure(sets, asked, 20 if not nulls else 0, nulls).estimates
    keys = [key for key in dict.fromkeys(k for found in columns.values() for k in found)]
    rows = []
    for key in keys:
        cells = {name: _cell(found.get(key)) for name, found in columns.items()}
        rows.append({"metric": key, "name": next(f[key].name for f in columns.values() if key in f), "cells": cells})
    return {
        "format": 1, "data": data.name, "against": split, "n": n, "n_real": min(n, len(places)),
        "features": {"name": features.name, "hash": features.hash, "d": features.d, "note": features.note},
        "controls": {name: CONTROLS[name].said for name in columns if name != "real"}, "rows": rows,
        "said": f"figures are excess over real data in standard deviations of the null, or p; * marks beyond {SEEN:g} "
                f"and below {SEEN_P:g}. 'real' is the false alarm: other real data, unspoilt.",
    }  # fmt: skip


def _spoilt(pool: Any, n: int) -> Iterable[tuple[str, Tensor]]:
    yield "real", pool.take(n)
    for name, control in CONTROLS.items():
        if not control.images_only or pool.image:
            yield name, control.spoil(pool, n, control.strength)


def _cell(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    value = estimate.value if math.isfinite(estimate.value) else str(estimate.value)
    if estimate.p is not None:
        return {"value": value, "excess": None, "p": estimate.p, "by": "p", "seen": estimate.p < SEEN_P}
    if estimate.null is None:
        return None
    excess = _excess(estimate, estimate.null)
    if math.isfinite(excess):
        return {"value": value, "excess": excess, "p": None, "by": "excess", "seen": abs(excess) > SEEN}
    low, high = estimate.interval
    return {"value": value, "excess": 0.0, "p": None, "by": "excess", "seen": not low <= estimate.null.mean <= high}


def _excess(estimate: Estimate, null: Null) -> float:
    """Of a size that has limits and no standard error, the excess of its logarithm: it errs by factors."""
    if math.isnan(estimate.error) and null.sd > 0 and min(estimate.value, null.mean) > 0:
        return math.log(estimate.value / null.mean) * null.mean / null.sd
    return estimate.excess
