"""Likelihoods of held-out examples, and what the same examples cost under closed forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from adversaria.errors import UserError
from adversaria.evaluation.controls import gather
from adversaria.metrics.estimate import Estimate
from adversaria.metrics.floors import closed_forms
from adversaria.metrics.kinds import of_spec
from adversaria.metrics.likelihood import negative_log_likelihood, over_labels

if TYPE_CHECKING:
    from adversaria.evaluation.sets import Sets
    from adversaria.game import Game

Found = Mapping[str, Estimate]
HELD = 1000
"""Held-out examples that a likelihood is averaged over, at most."""
FITTED = 20_000
"""Training examples that a floor is fitted to, at most."""
TOLD = ("log_prob", "bound", "infer")
"""Abilities of which a model has one where it has a likelihood."""
CODED = "pixels were JPEG-coded: it compares with no published number on them as they were before"
"""Said beside every likelihood of such images."""


def model_of(sets: Sets, *abilities: str) -> Game:
    """The model, with the abilities that a metric needs.

    Raises:
        UserError: where there is none, or it lacks one.
    """
    if sets.game is None:
        raise UserError("needs the model, not its samples alone")
    if not all(map(sets.game.can, abilities)):
        missing = ", ".join(ability for ability in abilities if not sets.game.can(ability))
        raise UserError(f"the model lacks what this needs: {missing}")
    return sets.game


def held_out(sets: Sets, most: int = HELD) -> Tensor:
    """Real examples that likelihoods and posteriors are measured on."""
    return sets.real_x[:most]


def rows_of(sets: Sets, most: int = HELD) -> list[str]:
    """What held-out examples are called: the row of each in its split, as the data have it."""
    called = {place: f"{row} of {split}" for split in sets.data.splits
              for row, place in enumerate(sets.data.members(split)[-1].tolist())}  # fmt: skip
    return [called[place] for place in sets.real_places[:most].tolist()]


def likelihood(sets: Sets) -> Found:
    """Negative log-likelihood by the tightest means the model has.

    Of a model that is given labels there are two: that of examples given their own labels, and that of examples alone,
    log p(x) = log sum_y p(y) p(x given y) with the labels' shares of the training split, as samples are drawn.
    """
    game = model_of(sets)
    x = held_out(sets).to(game.device)
    if not any(map(game.can, TOLD)):
        raise UserError("the model has no likelihood; a decoder's can be annealed: adversaria evaluate RUN --anneal 50")
    facts: Any = {k: v for k, v in sets.facts.items() if "features" not in k}
    how: Any = {"data": of_spec(sets.data.spec), "protocol": facts, "rows": rows_of(sets)}
    if game.condition != "label" or not game.can("log_prob"):
        return {"likelihood": _of_pixels(negative_log_likelihood(game, x, **how), sets)}
    given = negative_log_likelihood(game, x, given=torch.from_numpy(_labels(sets, sets.real_places[: len(x)])), **how)
    shares = np.bincount(_labels(sets, sets.data.members("train")[0]), minlength=sets.data.spec.classes)
    alone = negative_log_likelihood({"log_prob": over_labels(game, (shares / shares.sum()).tolist())}, x, **how)
    alone = replace(alone, details={**alone.details, "labels_summed_over": int((shares > 0).sum())})
    return {"likelihood": _of_pixels(alone, sets), "likelihood-given-labels": _of_pixels(given, sets)}


def _labels(sets: Sets, places: np.ndarray) -> np.ndarray:
    assert sets.data.labels is not None
    labels: np.ndarray = sets.data.labels[places]
    return labels


def _of_pixels(found: Estimate, sets: Sets) -> Estimate:
    """The estimate, with a warning where the pixels aren't those that others publish numbers of."""
    if not sets.data.lossy:
        return found
    return replace(found, bias=f"{CODED}; {found.bias}" if found.bias else CODED)


def floors(sets: Sets) -> Found:
    """What the same held-out examples cost under models in closed form."""
    game = model_of(sets)
    if not any(map(game.can, TOLD)):
        raise UserError("the model has no likelihood to set a floor beside")
    places = sets.data.members("train")[-1][:FITTED]
    facts = {k: v for k, v in sets.facts.items() if "features" not in k}
    found = closed_forms(gather(sets.data, places), held_out(sets), sets.data.spec, protocol=facts, rows=rows_of(sets))
    return {f"floor-{name}": _of_pixels(estimate, sets) for name, estimate in found.items()}
