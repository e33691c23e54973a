"""Evaluating a run: its samples against held-out data, kept as evaluation.json beside the pictures that go with it."""

import json
import math
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adversaria.data import Dataset
from adversaria.data.splits import generator
from adversaria.errors import UserError
from adversaria.evaluation.features import Features
from adversaria.evaluation.sets import Sets, prepare, reference
from adversaria.evaluation.suite import METRICS, Measured, measure
from adversaria.game import Game
from adversaria.runs.folder import RunFolder

FORMAT = 1
MOST = 5_000
"""Samples, where the user doesn't say how many."""
PIECE = 500


class DivergedError(UserError):
    """A model whose weights or samples aren't finite."""


def samples_of(game: Game, data: Dataset, n: int, seed: int = 0) -> Tensor:
    """`n` samples as their user gets them, in game form: images are rounded to 8 bits.

    A model that takes labels is given them as often as they occur in the training set; one that takes images, held-out
    ones.

    Raises:
        DivergedError: where some aren't finite.
    """
    given = conditions(game, data, n, seed)
    try:
        parts = [
            game.sample(min(PIECE, n - i), None if given is None else given[i : i + PIECE], seed=seed + 1000 + i).cpu()
            for i in range(0, n, PIECE)
        ]
    except RuntimeError:  # tokens can't be drawn from probabilities that are no numbers
        if all(torch.isfinite(values).all() for values in game.state_dict().values() if values.is_floating_point()):
            raise
        told = "the model's weights are not finite: it diverged"
        raise DivergedError(f"{told}; train again at lower learning rates") from None
    x = torch.cat(parts)
    if broken := int((~torch.isfinite(x.float()).flatten(1).all(1)).sum()):
        told = f"{broken} of {n} samples are not finite: the model diverged"
        raise DivergedError(f"{told}; train again at lower learning rates")
    return data.spec.to_game(data.spec.to_user(x)) if data.spec.kind == "image" else x


def conditions(game: Game, data: Dataset, n: int, seed: int) -> Tensor | None:
    """What the samples are made from, distributed as in the data."""
    rng = generator(seed, 21)
    if game.condition == "label" and data.labels is not None:
        return torch.from_numpy(rng.choice(data.labels[data.members("train")[0]], n))
    if game.condition == "image":
        split = "test" if data.size("test") else "train"
        x = data.examples(min(n, data.size(split)), split, seed=seed).x
        return x[torch.arange(n) % len(x)]
    return None


def sets_of(game: Game, data: Dataset, features: Features, *, n: int | None = None, against: str = "test",
            seed: int = 0) -> Sets:  # fmt: skip
    """The model's samples beside a reference of as many real examples, 5,000 at most where `n` isn't given."""
    if n is None:
        n = min(MOST, len(reference(data, against)[0]))
    return prepare(data, samples_of(game, data, n, seed), features, against=against, seed=seed, game=game)


def draws_for(n: int) -> int:
    """Real sets that a null is taken over: fewer for larger ones, which vary less and cost more."""
    return 20 if n <= 1000 else 10 if n <= 2500 else 5


def evaluate(sets: Sets, metrics: Iterable[str] | None = None, round: int | None = None) -> dict[str, Any]:
    """The account that evaluation.json holds."""
    started = time.perf_counter()
    measured = measure(sets, metrics, draws_for(len(sets.real)))
    return account(sets, measured, round) | {"seconds": round_(time.perf_counter() - started)}


def account(sets: Sets, measured: Measured, round: int | None) -> dict[str, Any]:
    """Estimates and what they rest on, JSON-ready."""
    features = sets.features
    return {
        "format": FORMAT,
        "round": round,
        "time": round_(time.time()),
        "n": len(sets.generated_x),
        "n_real": len(sets.real_x),
        "against": sets.facts["split"],
        "data": sets.facts["data"],
        "seed": sets.seed,
        "features": {"name": features.name, "hash": features.hash, "d": features.d, "accuracy": features.accuracy,
                     "note": features.note},
        "estimates": [{"metric": key} | plain(estimate.to_dict()) for key, estimate in measured.estimates.items()],
        "undefined": measured.undefined,
    }  # fmt: skip


ALIKE = ("format", "round", "n", "against", "seed")


def joined(before: Any, told: dict[str, Any]) -> dict[str, Any]:
    """The account with what an earlier one of the same protocol measured besides."""
    if not isinstance(before, dict) or any(before.get(key) != told.get(key) for key in ALIKE):
        return told
    if before["features"]["hash"] != told["features"]["hash"]:
        return told
    found = {estimate["metric"]: estimate for estimate in before["estimates"] + told["estimates"]}
    order = [key for metric in METRICS.values() for key in metric.gives]
    keys = sorted(found, key=lambda key: order.index(key) if key in order else len(order))
    left = {name: why for name, why in before["undefined"].items()
            if name in METRICS and not found.keys() & {*METRICS[name].gives}}  # fmt: skip
    undefined = left | told["undefined"]
    return told | {"estimates": [found[key] for key in keys], "undefined": undefined,
                   "pictures": before.get("pictures", {}) | told["pictures"]}  # fmt: skip


def round_(seconds: float) -> float:
    """A time to the millisecond."""
    return round(seconds, 3)


def plain(value: Any) -> Any:
    """The value in JSON's own types; nan becomes None, an infinite number "inf" or "-inf"."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | Tensor):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def keep(folder: RunFolder, name: str, told: dict[str, Any]) -> None:
    """Writes an account into the run folder."""
    folder.write(name, json.dumps(told, indent=1, allow_nan=False).encode())
