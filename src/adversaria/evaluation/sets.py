"""What is compared: a reference of real examples, generated ones, and the training set, in one space of features."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adversaria.data import Dataset
from adversaria.data.splits import generator
from adversaria.errors import UserError, unknown
from adversaria.evaluation.controls import gather
from adversaria.evaluation.features import Features
from adversaria.game import Game
from adversaria.metrics.neighbours import Passes

FEW = 1000
"""A test split smaller than this is joined by the validation split."""
TRAIN = 60_000
"""Training examples that copies are looked for among, at most."""
MOST_OTHERS = 30_000
"""Real examples that null sets are drawn from, at most."""


@dataclass(frozen=True, eq=False)
class Sets:
    """Features of real, generated and training examples, and all that a metric may want beside them."""

    real: Tensor
    """(n, d) of the reference."""
    generated: Tensor
    """(m, d) of the model's samples."""
    train: Tensor | None
    """(t, d) of the training set, none of them in the reference; None where the reference is the training set."""
    data: Dataset
    features: Features
    facts: dict[str, Any]
    """Protocol: data, split, features, seed."""
    real_x: Tensor
    generated_x: Tensor
    train_places: np.ndarray
    """Of the rows of `train` in the store."""
    real_places: np.ndarray
    game: Game | None = None
    seed: int = 0

    @cached_property
    def passes(self) -> Passes:
        """Nearest neighbours within and between the sets, shared by all metrics that look at them."""
        return Passes()

    @cached_property
    def logits(self) -> Tensor | None:
        """Class logits of the samples by the features' classifier, where there is one."""
        return self.logits_of(self.generated_x)

    @torch.no_grad()
    def logits_of(self, x: Tensor) -> Tensor | None:
        """Class logits (n, K) of examples."""
        if self.features.logits is None:
            return None
        return torch.cat([self.features.logits(part).cpu() for part in x.split(500)])

    def with_samples(self, x: Tensor, game: Game) -> "Sets":
        """The same reference beside other samples, in game form and finite."""
        return replace(self, generated=self.features(finite(x)), generated_x=x, game=game)

    def nulls(self, draws: int) -> "Iterator[Sets]":
        """The same reference against other real examples in place of the samples, as many; drawn anew each time.

        Nothing where there are too few real examples outside of the reference.
        """
        m = len(self.generated)
        places = np.concatenate([self.data.members(split)[-1] for split in self.data.splits])
        others = generator(self.seed, 17).permutation(np.setdiff1d(places, self.real_places))[:MOST_OTHERS]
        if m > len(others):
            return
        x = gather(self.data, others)
        rows = self.features(x)
        for i in range(draws):
            chosen = torch.from_numpy(generator(self.seed, 18, i).permutation(len(others))[:m])
            yield replace(self, generated=rows[chosen], generated_x=x[chosen], train=None, game=None)


def reference(data: Dataset, against: str) -> tuple[np.ndarray, str]:
    """Places of the reference examples, and what they are called.

    Raises:
        UserError: for a split that isn't train, valid or test.
    """
    if against not in ("train", "valid", "test"):
        raise unknown("reference", against, ("train", "valid", "test"))
    places = data.members(against)[-1]
    if against == "test" and len(places) < FEW:
        return np.concatenate([places, data.members("valid")[-1]]), "test and valid"
    return places, against


def prepare(data: Dataset, generated_x: Tensor, features: Features, *, against: str = "test", seed: int = 0,
            game: Game | None = None, most: int = TRAIN) -> Sets:  # fmt: skip
    """Sets of as many reference examples as samples, or as there are.

    Args:
        data: where the reference and the training set come from.
        generated_x: samples in game form (m, *shape).
        features: the space they are compared in.
        against: the reference's split.
        seed: which reference examples, where there are more than samples.
        game: of the model, where there is one.
        most: training examples to look for copies among.

    Raises:
        UserError: where samples aren't of the data's shape, or aren't finite, or there are fewer than ten.
    """
    if tuple(generated_x.shape[1:]) != tuple(data.spec.shape):
        raise UserError(
            f"samples have shape {tuple(generated_x.shape[1:])} each, {data.name} has {tuple(data.spec.shape)}; "
            "give the data at the samples' size (--size), or samples of these data"
        )
    finite(generated_x)
    places, split = reference(data, against)
    chosen = generator(seed, 11).permutation(places)[: len(generated_x)]
    if min(len(chosen), len(generated_x)) < 10:
        raise UserError(f"{len(generated_x)} samples and {len(places)} real examples; 10 of each at least")
    train_places = np.empty(0, np.int64)
    if against != "train":
        train_places = np.sort(generator(seed, 12).permutation(data.members("train")[-1])[:most])
    real_x = gather(data, chosen)
    facts = {"data": data.name, "data_fingerprint": data.whole.fingerprint[:12], "split": split, "seed": seed,
             **features.facts, "resize": "none"}  # fmt: skip
    return Sets(
        real=features(real_x), generated=features(generated_x),
        train=_in_pieces(data, train_places, features) if len(train_places) else None,
        data=data, features=features, facts=facts, real_x=real_x, generated_x=generated_x,
        train_places=train_places, real_places=chosen, game=game, seed=seed,
    )  # fmt: skip


def finite(x: Tensor) -> Tensor:
    """The samples themselves.

    Raises:
        UserError: where some are not finite.
    """
    broken = int((~torch.isfinite(x.float()).flatten(1).all(1)).sum())
    if broken:
        raise UserError(f"{broken} of {len(x)} samples are not finite: the model diverged; nothing is measured")
    return x


def _in_pieces(data: Dataset, places: np.ndarray, features: Features, piece: int = 2000) -> Tensor:
    return torch.cat([features(gather(data, places[i : i + piece])) for i in range(0, len(places), piece)])
