"""The suite: every metric that applies to a model and its data, each beside its value between two real sets."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from adversaria.errors import UserError, unknown
from adversaria.evaluation import likelihoods
from adversaria.evaluation import measures as by
from adversaria.evaluation.sets import Sets
from adversaria.metrics.estimate import Estimate, Null

Found = Mapping[str, Estimate]


@dataclass(frozen=True)
class Metric:
    """One computation and the numbers it gives."""

    measure: Callable[[Sets], Found]
    gives: tuple[str, ...]
    quick: bool = False
    """Cheap enough to run at a checkpoint while training."""
    null: bool = False
    """Whether its null is measured, between real sets; others bring their own."""
    in_features: bool = True
    """Whether its number depends on the features, and is called by their name."""


METRICS: dict[str, Metric] = {
    "frechet": Metric(by.frechet, ("frechet",), quick=True, null=True),
    "kernel": Metric(by.kernel, ("kernel",), null=True),
    "sliced": Metric(by.sliced, ("sliced",), null=True),
    "wasserstein": Metric(by.exact_wasserstein, ("wasserstein",), null=True),
    "manifold": Metric(by.manifold, ("precision", "recall", "density", "coverage"), quick=True, null=True),
    "vendi": Metric(by.vendi, ("vendi",), quick=True, null=True),
    "classifier-score": Metric(by.class_score, ("classifier-score",), null=True),
    "classifier-test": Metric(by.classifier, ("classifier-test",)),
    "mmd": Metric(by.mmd, ("mmd",)),
    "energy": Metric(by.energy, ("energy",)),
    "nearest-neighbour": Metric(by.neighbour_test, ("nearest-neighbour",)),
    "bins": Metric(by.bins, ("bins",), quick=True),
    "modes": Metric(by.modes, ("modes", "high-quality", "modes-kl", "modes-jsd"), quick=True, in_features=False),
    "stacks": Metric(by.stacks, ("stack-modes", "stack-kl"), in_features=False),
    "classes": Metric(by.classes, ("classes",), quick=True),
    "detail": Metric(by.detail, ("detail",), quick=True, in_features=False),
    "birthday": Metric(by.birthday, ("birthday",)),
    "copies": Metric(by.copies, ("copying", "near-copies", "authenticity", "train-against-test"), quick=True),
    "path-length": Metric(by.path, ("path-length",)),
    "likelihood": Metric(likelihoods.likelihood, ("likelihood", "likelihood-given-labels"), in_features=False),
    "floors": Metric(likelihoods.floors,
                     tuple(f"floor-{name}" for name in ("uniform", "gaussian", "bernoulli", "chow-liu")),
                     in_features=False),
    "classification": Metric(by.classification, ("classification",), quick=True, in_features=False),
    "latents": Metric(by.latents, ("active-units", "mutual-information", "marginal-kl", "rate", "distortion"),
                      quick=True, in_features=False),
    "codes": Metric(by.codes, ("code-perplexity", "unused-codes"), quick=True, in_features=False),
}  # fmt: skip
"""Metrics by the name they are asked for; a number's own name asks for the computation that gives it."""


@dataclass(frozen=True)
class Measured:
    """The estimates that could be had, by name, and why the others couldn't."""

    estimates: dict[str, Estimate]
    undefined: dict[str, str]


def wanted(names: Iterable[str]) -> dict[str, Metric]:
    """The computations that give these numbers.

    Raises:
        UserError: for a name that nothing gives.
    """
    owner = {number: metric for metric, entry in METRICS.items() for number in (metric, *entry.gives)}
    chosen = []
    for name in names:
        if name.lower() in ELSEWHERE:
            raise UserError(
                f"unknown metric '{name}'; here it is '{ELSEWHERE[name.lower()]}', and named by its features"
            )
        if name not in owner:
            raise unknown("metric", name, owner)
        chosen.append(owner[name])
    return {name: METRICS[name] for name in METRICS if name in chosen}


ELSEWHERE = {"fid": "frechet", "fd": "frechet", "kid": "kernel", "is": "classifier-score", "inception-score":
             "classifier-score", "c2st": "classifier-test", "ndb": "bins", "ppl": "path-length", "nll": "likelihood",
             "1-nn": "nearest-neighbour", "1nn": "nearest-neighbour", "prdc": "manifold", "swd": "sliced", "accuracy":
             "classification", "test-error": "classification"}  # fmt: skip
"""What others call some of them."""
QUICK = tuple(name for name, metric in METRICS.items() if metric.quick)


def measure(sets: Sets, names: Iterable[str] | None = None, draws: int = 20,
            nulls: dict[str, Null] | None = None) -> Measured:  # fmt: skip
    """Measures what is asked for, or everything.

    Args:
        sets: what is compared.
        names: of metrics, or of the numbers they give; None for all.
        draws: real sets that each measured null is taken over; 0 for no nulls.
        nulls: nulls known from before with the same reference, sizes and features; those measured now are added.

    Raises:
        UserError: for an unknown name. A metric that doesn't apply is undefined, with the reason, and no error.
    """
    asked = None if names is None else list(names)
    chosen = METRICS if asked is None else wanted(asked)
    found: dict[str, Estimate] = {}
    undefined: dict[str, str] = {}
    for name, metric in chosen.items():
        try:
            found |= metric.measure(sets)
        except UserError as error:
            undefined[name] = str(error)
    numbers = {key: name for name, metric in chosen.items() for key in metric.gives}
    known = {} if nulls is None else nulls
    missing = [name for name, metric in chosen.items()
               if metric.null and any(key in found and found[key].null is None and key not in known
                                      for key in metric.gives)]  # fmt: skip
    if draws and missing:
        known |= _nulls(sets, missing, draws)
    estimates = {}
    for name, metric in chosen.items():
        for key in metric.gives:
            if key in found and (asked is None or key in asked or name in asked):
                estimates[key] = _dressed(found[key], known.get(key), sets, metric)
    undefined |= {key: _lacking(owner) for key, owner in numbers.items()
                  if owner not in undefined and key not in estimates and key in (asked or ())}  # fmt: skip
    return Measured(estimates, undefined)


def _lacking(owner: str) -> str:
    return f"'{owner}' doesn't give it for these sets: too few examples, or a model without it"


def _nulls(sets: Sets, names: list[str], draws: int) -> dict[str, Null]:
    values: dict[str, list[float]] = {}
    for real in sets.nulls(draws):
        for name in names:
            try:
                numbers = METRICS[name].measure(real)
            except UserError:
                continue
            for key, estimate in numbers.items():
                values.setdefault(key, []).append(estimate.value)
    how = "the reference against as many other real examples"
    return {
        key: Null(statistics.fmean(told), statistics.stdev(told), len(told), how)
        for key, told in values.items()
        if len(told) > 1 and all(map(math.isfinite, told))
    }


def _dressed(estimate: Estimate, null: Null | None, sets: Sets, metric: Metric) -> Estimate:
    name = f"{estimate.name} [{sets.features.name}]" if metric.in_features else estimate.name
    facts = sets.facts if metric.in_features else {k: v for k, v in sets.facts.items() if "features" not in k}
    dressed = replace(estimate, name=name).under(**facts)
    return replace(dressed, null=null) if dressed.null is None and null is not None else dressed
