"""Estimates as the report reads them: from JSON, with patience, without what measured them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from adversaria.report.markup import Html, join, table, tag
from adversaria.report.reading import Record, mapping_of
from adversaria.report.wording import clip, figure, number, protocol

Z95 = 1.959963984540054
MOST = 40
"""Facts of a protocol, and numbers of details, that are listed."""
FAMILIES: dict[str, tuple[str, ...]] = {
    "distances": ("frechet", "kernel", "sliced", "wasserstein"),
    "manifold": ("precision", "recall", "density", "coverage", "vendi"),
    "tests": ("classifier-test", "c2st", "mmd", "energy", "nearest-neighbour", "bins"),
    "samples": ("classifier-score", "detail", "path-length"),
    "likelihoods": ("likelihood", "nll", "annealed", "annealing", "floor"),
    "copies & support": ("birthday", "copying", "near-copies", "authenticity", "train-against-test"),
    "modes": ("modes", "high-quality", "classes", "stack"),
    "latents & codes": ("active-units", "mutual-information", "marginal-kl", "rate", "distortion", "code-perplexity",
                        "unused-codes"),
}  # fmt: skip
"""Metrics by what they are about; the longest name that a metric's key begins with decides."""
OTHER = "others"
LIKELIHOODS = "likelihoods"
UNITS = {"nats", "nat", "bits", "bits/dim", "nats/dim", "nats/token", "bits/token"}
"""Of likelihoods."""


@dataclass(frozen=True)
class Null:
    """The same metric between two real sets."""

    mean: float
    sd: float
    draws: Any
    how: str


@dataclass(frozen=True)
class Told:
    """An estimate, as far as its record is one."""

    name: str
    metric: str
    value: float
    error: float
    low: float
    high: float
    """95% interval; nan where none is known."""
    n: float
    unit: str
    protocol: Any
    lower: bool | None
    """Whether lower is better; None where neither is."""
    null: Null | None
    p: float
    """nan without a test."""
    bias: str
    details: Record
    fingerprint: str

    @property
    def excess(self) -> float:
        """How far the value lies from its null, in the null's standard deviations; nan where that can't be told."""
        return (self.value - self.null.mean) / self.null.sd if self.null and 0 < self.null.sd < math.inf else math.nan

    @property
    def finite(self) -> bool:
        """Whether there is a value."""
        return math.isfinite(self.value)


def told(record: Any) -> Told:
    """An estimate from its JSON; what is missing is nan or empty."""
    said = mapping_of(record)
    value, name = number(said.get("value")), str(said.get("name") or "unnamed")
    low, high = _limits(said, value)
    lower = said.get("lower_is_better")
    return Told(
        name, str(said.get("metric") or name), value, abs(number(said.get("error"))), low, high,
        number(said.get("n")), str(said.get("unit") or ""), said.get("protocol"),
        lower if isinstance(lower, bool) else None, _null(said.get("null")),
        number(said.get("p")), str(said.get("bias") or ""), mapping_of(said.get("details")),
        str(said.get("fingerprint") or ""),
    )  # fmt: skip


def _limits(said: Record, value: float) -> tuple[float, float]:
    limits = said.get("limits")
    if isinstance(limits, list) and len(limits) == 2:
        low, high = map(number, limits)
        return (low, high) if low <= high else (math.nan, math.nan)
    reach = Z95 * abs(number(said.get("error")))
    return value - reach, value + reach


def _null(said: Any) -> Null | None:
    values = mapping_of(said)
    mean, sd = number(values.get("mean")), number(values.get("sd"))
    if not math.isfinite(mean):
        return None
    return Null(mean, sd, values.get("draws"), str(values.get("how") or "how it was made is unknown"))


def family(metric: str, unit: str = "") -> str:
    """What a metric is about, from its key; one that says nothing but has a likelihood's unit is a likelihood.

    >>> family("frechet"), family("modes-kl"), family("near-copies"), family("mine"), family("mine", "bits/dim")
    ('distances', 'modes', 'copies & support', 'others', 'likelihoods')
    """
    key = metric.lower().replace("_", "-").replace(" ", "-").replace("é", "e")
    fitting = [
        (len(start), title)
        for title, starts in FAMILIES.items()
        for start in starts
        if key == start or key.startswith(start + "-")
    ]
    if not fitting:
        return LIKELIHOODS if unit in UNITS else OTHER
    return max(fitting)[1]


def families(found: Iterable[str]) -> list[str]:
    """The families that were found, in their order; unknown metrics at the end."""
    titles = set(found)
    return [title for title in (*FAMILIES, OTHER) if title in titles]


def better(lower: bool | None) -> str:
    """Which way is better, in words."""
    return {True: "lower is better", False: "higher is better", None: "neither way is better"}[lower]


def null_words(null: Null) -> str:
    """The null floor: its mean and spread."""
    spread = f" ± {null.sd:.2g}" if math.isfinite(null.sd) else " (spread unknown)"
    return f"{figure(null.mean)}{spread}"


def account(estimate: Told) -> Html:
    """How a number was measured, folded: protocol, bias, null, details."""
    rows: list[tuple[str, ...]] = []
    if isinstance(estimate.protocol, dict):
        rows += [(_spoken(key), fact(value)) for key, value in list(estimate.protocol.items())[:MOST]]
    else:
        rows.append(("protocol", protocol(estimate.protocol)))
    if estimate.null:
        draws = f", {figure(estimate.null.draws)} draws" if number(estimate.null.draws) > 0 else ""
        rows.append(("between real sets", estimate.null.how + draws))
    rows += [("bias", estimate.bias)] if estimate.bias else []
    rows += [(_spoken(key), fact(value)) for key, value in list(estimate.details.items())[:MOST]]
    rows += [("fingerprint", estimate.fingerprint)] if estimate.fingerprint else []
    return tag("details", tag("summary", "how it was measured"), join(table((), rows, "pairs")))


def _spoken(key: Any) -> str:
    return clip(str(key).replace("_", " "), 80)


def fact(value: Any) -> str:
    """A value of a protocol or of details on one line."""
    if isinstance(value, list):
        return clip(", ".join(fact(part) for part in value[:12]) + (", …" if len(value) > 12 else ""), 200)
    if isinstance(value, dict):
        return clip(", ".join(f"{key} {fact(part)}" for key, part in list(value.items())[:12]), 200)
    if isinstance(value, float):
        return figure(value)
    return {True: "yes", False: "no", None: "none"}[value] if isinstance(value, bool | None) else clip(str(value), 200)
