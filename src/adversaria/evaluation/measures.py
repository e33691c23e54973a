"""From sets to the arguments of each metric. One that doesn't apply raises UserError with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from adversaria.data import made
from adversaria.data.stacked import Stacks, base_of
from adversaria.errors import UserError
from adversaria.evaluation.controls import gather
from adversaria.evaluation.likelihoods import held_out, model_of
from adversaria.evaluation.stacks import StackClassifier, stack_classifier, stack_coverage
from adversaria.metrics.balls import manifold as precision_and_the_like
from adversaria.metrics.bins import bins_test
from adversaria.metrics.c2st import classifier_test
from adversaria.metrics.class_score import classifier_score
from adversaria.metrics.classification import classification_error
from adversaria.metrics.copying import (
    Matches,
    authenticity,
    closest_pairs,
    data_copying,
    detectable_copies,
    neighbour_ratio,
)
from adversaria.metrics.estimate import Estimate, Null, difference
from adversaria.metrics.frechet import frechet_distance
from adversaria.metrics.kernel import kernel_distance
from adversaria.metrics.modes import class_coverage, mode_coverage
from adversaria.metrics.nearest_test import nearest_neighbour_test
from adversaria.metrics.paths import path_length
from adversaria.metrics.spectrum import high_frequency_ratio
from adversaria.metrics.support import birthday as birthday_pairs
from adversaria.metrics.support import closest
from adversaria.metrics.surgery import codebook_use, game_surgery
from adversaria.metrics.transport import sliced_wasserstein, wasserstein
from adversaria.metrics.two_sample import energy_test, mmd_test
from adversaria.metrics.vendi import vendi_score

if TYPE_CHECKING:
    from adversaria.evaluation.sets import Sets

Found = Mapping[str, Estimate]
_CLASSIFIERS: dict[str, StackClassifier] = {}
"""Of stacked data, by the fingerprint of what is stacked: trained once in a process."""

LOST = 0.2
"""A bin or class is lost where its share is below this part of the real one,"""
ENOUGH = 10
"""and so many of it were to be expected: with none at all by chance once in 20,000 times."""


def frechet(sets: Sets) -> Found:
    """Fréchet distance."""
    return {"frechet": frechet_distance(real=sets.real, generated=sets.generated)}


def kernel(sets: Sets) -> Found:
    """Kernel distance."""
    return {"kernel": kernel_distance(real=sets.real, generated=sets.generated)}


def sliced(sets: Sets) -> Found:
    """Sliced Wasserstein distance."""
    return {"sliced": sliced_wasserstein(real=sets.real, generated=sets.generated)}


def exact_wasserstein(sets: Sets) -> Found:
    """Wasserstein distance of subsamples."""
    return {"wasserstein": wasserstein(real=sets.real, generated=sets.generated, most=500, seed=sets.seed)}


def manifold(sets: Sets) -> Found:
    """Precision, recall, density, coverage."""
    return precision_and_the_like(real=sets.real, generated=sets.generated, seed=sets.seed, passes=sets.passes)


def vendi(sets: Sets) -> Found:
    """Vendi score."""
    found = vendi_score(generated=sets.generated)  # more than the data's is no better than less
    return {"vendi": replace(found, lower_is_better=None)}


def class_score(sets: Sets) -> Found:
    """Classifier score by the features' own classifier."""
    logits = sets.logits
    if logits is None:
        raise UserError("needs features trained as a classifier: data with labels, --features trained")
    return {"classifier-score": classifier_score(probabilities=logits.double().softmax(1))}


def classes(sets: Sets) -> Found:
    """Classes that the features' classifier sees among the samples, against those it sees among real examples."""
    real, generated = sets.logits_of(sets.real_x), sets.logits
    if real is None or generated is None:
        raise UserError("needs features trained as a classifier: data with labels, --features trained")
    k = real.shape[1]
    law = torch.bincount(real.argmax(1), minlength=k).double()
    counts = torch.bincount(generated.argmax(1), minlength=k)
    found = class_coverage(labels=generated.argmax(1), classes=k, weights=law, seed=sets.seed)["KL"]
    expected = law / law.sum() * len(generated)
    missing = [int(i) for i in range(k) if expected[i] >= ENOUGH and counts[i] < LOST * expected[i]]
    told = {"lost": len(missing), "missing": missing, "counts": counts.tolist(), "expected": expected.tolist()}
    return {"classes": replace(found, name="KL over classes told", details={**found.details, **told})}


def classifier(sets: Sets) -> Found:
    """Classifier two-sample test."""
    return {"classifier-test": classifier_test(real=sets.real, generated=sets.generated, seed=sets.seed)}


def mmd(sets: Sets) -> Found:
    """Maximum mean discrepancy."""
    return {"mmd": mmd_test(real=sets.real, generated=sets.generated, seed=sets.seed)}


def energy(sets: Sets) -> Found:
    """Energy distance."""
    return {"energy": energy_test(real=sets.real, generated=sets.generated, seed=sets.seed)}


def neighbour_test(sets: Sets) -> Found:
    """1-nearest-neighbour test."""
    found = nearest_neighbour_test(real=sets.real, generated=sets.generated, seed=sets.seed, passes=sets.passes)
    return {"nearest-neighbour": within(found)}


def bins(sets: Sets) -> Found:
    """Number of different bins, of bins that the training set makes."""
    found = bins_test(train=_training(sets), real=sets.real, generated=sets.generated, seed=sets.seed)
    lost = sum(bin["ratio"] is not None and bin["ratio"] < LOST for bin in found.details["different"])
    return {"bins": within(replace(found, details={**found.details, "lost": lost}))}


def within(share: Estimate) -> Estimate:
    """The share with its interval cut to what a share can be."""
    low, high = share.interval
    return replace(share, limits=(max(low, 0.0), min(high, 1.0)))


def modes(sets: Sets) -> Found:
    """Modes of made data."""
    if sets.data.name not in ("ring8", "grid25"):
        raise UserError("these data have no known modes")
    known = made.modes(sets.data.name)
    centres = torch.from_numpy(known.centres)
    found = mode_coverage(generated=sets.generated_x.double(), centres=centres, sd=known.sd, seed=sets.seed)
    names = {"modes": "modes", "high-quality": "high quality", "modes-kl": "KL", "modes-jsd": "JSD"}
    return {key: found[name] for key, name in names.items()}


def detail(sets: Sets) -> Found:
    """High-frequency power."""
    if sets.data.spec.kind != "image":
        raise UserError("only images have spatial frequencies")
    return {"detail": high_frequency_ratio(real=sets.real_x, generated=sets.generated_x)}


def birthday(sets: Sets) -> Found:
    """Support by colliding pairs."""
    found = birthday_pairs(generated=sets.generated, real=sets.real, passes=sets.passes)
    told = {"train": len(sets.data.members("train")[-1]),
            "closest": listed(closest(generated=sets.generated, passes=sets.passes))}  # fmt: skip
    return {"birthday": replace(found, details={**found.details, **told})}


def listed(pairs: Matches) -> list[list[float]]:
    """Pairs as rows (first, second, distance)."""
    columns = (pairs.first.tolist(), pairs.second.tolist(), pairs.distance.tolist())
    return [list(row) for row in zip(*columns, strict=True)]


def copies(sets: Sets) -> Found:
    """Copies of training examples."""
    train, real, generated, passes = _training(sets), sets.real, sets.generated, sets.passes
    near = neighbour_ratio(train=train, test=real, generated=generated, passes=passes)
    told = {
        "closest": listed(closest_pairs(train=train, generated=generated, passes=passes)),
        "detectable": detectable_copies(generated=len(generated), test=len(real)),
    }
    found = {
        "copying": replace(
            data_copying(train=train, test=real, generated=generated, seed=sets.seed, passes=passes),
            unit="0 for copies, 1 for far off",
        ),
        "near-copies": replace(near, details={**near.details, **told}),
        "authenticity": replace(authenticity(train=train, test=real, generated=generated, passes=passes),
                                lower_is_better=None),  # noise is authentic too
    }  # fmt: skip
    with suppress(UserError):  # too few examples for the Fréchet distance: the others stand
        found["train-against-test"] = _asymmetry(sets, train)
    return found


def _asymmetry(sets: Sets, train: Tensor) -> Estimate:
    """Fréchet distance to held-out examples less that to as many training examples: above 0 where train is nearer."""
    chosen = torch.randperm(len(train), generator=torch.Generator().manual_seed(sets.seed))[: len(sets.real)]
    to_test = frechet_distance(real=sets.real, generated=sets.generated)
    to_train = frechet_distance(real=train[chosen], generated=sets.generated)
    found = difference(replace(to_test, on_reference=None), replace(to_train, on_reference=None))
    null = Null(0.0, found.error, 0, "as far from both; its sd is the error here")
    return replace(found, name="Fréchet distance to test less that to train", lower_is_better=None, null=null)


def _training(sets: Sets) -> Tensor:
    if sets.train is None:
        raise UserError("needs a training set apart from the reference; measure against test")
    return sets.train


def path(sets: Sets) -> Found:
    """Path length in the features."""
    game = model_of(sets, "latent", "decode")
    n = min(500, len(sets.generated))
    with game.at_rest():
        found = path_length(
            game.abilities["decode"], z0=game.latent(n, seed=sets.seed), z1=game.latent(n, seed=sets.seed + 1),
            features=lambda x: sets.features.function(x.cpu()),
        )  # fmt: skip
    return {"path-length": found}


def classification(sets: Sets) -> Found:
    """Share of the reference's split that the model itself puts into a wrong class."""
    game, data = model_of(sets, "classify"), sets.data
    if data.labels is None:
        raise UserError("these data have no labels")
    places = np.concatenate([data.splits[split] for split in sets.facts["split"].split(" and ")])
    parts = np.array_split(places, len(places) // 500 + 1)
    told = [game.classify(gather(data, part).to(game.device)) for part in parts]
    found = classification_error(logits=torch.cat(told).cpu(), labels=torch.from_numpy(data.labels[places]))
    shown = data.splits["train"] if data.labelled is None else data.labelled
    return {"classification": replace(found, details={"labels_used": len(shown), **found.details})}


def latents(sets: Sets) -> Found:
    """The bound taken apart, and active units."""
    game = model_of(sets)
    found = game_surgery(game, held_out(sets).to(game.device), seed=sets.seed)
    named = {name.replace(" ", "-").lower(): estimate for name, estimate in found.items()}
    active = named.get("active-units")
    if active is not None:
        dims = len(active.details["variances"])
        named["active-units"] = replace(active, details={**active.details, "dims": dims})
    return named


def codes(sets: Sets) -> Found:
    """Use of a codebook."""
    game = model_of(sets, "tokens")
    x = held_out(sets).to(game.device)
    tokens = torch.cat([game.ask("tokens", part).cpu() for part in x.split(500)])
    found = codebook_use(tokens, game.codebook, seed=sets.seed)
    return {"code-perplexity": found["perplexity"], "unused-codes": found["unused"]}


def stacks(sets: Sets) -> Found:
    """Classes of stacked data by a classifier for each channel."""
    if not isinstance(sets.data.store, Stacks):
        raise UserError("these data are no stacks of labelled images (train on stacked-digits, or with --stacked)")
    key = base_of(sets.data).fingerprint
    if key not in _CLASSIFIERS:
        _CLASSIFIERS[key] = stack_classifier(sets.data)
    found = stack_coverage(images=sets.generated_x, classifier=_CLASSIFIERS[key], seed=sets.seed)
    return {"stack-modes": found["modes"], "stack-kl": found["KL"]}
