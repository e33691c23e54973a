"""What an experiment is given, and what it gives back."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from adversaria.claims.check import Trial
from adversaria.data import Dataset, load

T = TypeVar("T")
SEEDS, QUICK_SEEDS = 5, 1


@dataclass(frozen=True)
class Bench:
    """The budget, the seeds and the images of an experiment; everything random in it comes from a trial's seed."""

    quick: bool
    source: str
    """Images, where the experiment takes any: a name or a path."""
    folder: Path
    """For what must lie in a file; it goes afterwards."""
    seeds: int = 0
    """How many random trials; 0 for 5, or 1 where it must be quick."""
    tiny: bool = False
    """Narrow networks at the full budget, in experiments that take hours with wide ones."""

    def pick(self, quick: T, full: T) -> T:
        """The quick budget's value or the full one's."""
        return quick if self.quick else full

    @cached_property
    def images(self) -> Dataset:
        """The images."""
        return load(self.source)

    def trial(self, seed: int = 0, source: str | None = None) -> Trial:
        """One seed: `play` trains a recipe, `data` are the images or another source's."""
        folder = self.folder / f"trial-{seed}"
        folder.mkdir(exist_ok=True)
        return Trial(seed, self.source if source is None else source, folder, quick=self.quick)

    def each(self, once: Callable[[Trial], T], source: str | None = None) -> list[T]:
        """What `once` says of every seed, from 0 on."""
        count = self.seeds or self.pick(QUICK_SEEDS, SEEDS)
        return [once(self.trial(seed, source)) for seed in range(count)]


@dataclass(frozen=True)
class Finding:
    """A number that the claim is about, of every seed, and the limits it must lie between."""

    quantity: str
    """What was measured, in a few words."""
    values: tuple[float, ...]
    """One a seed; one alone where nothing is random."""
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""
    exact: str = ""
    """What the limits are taken from, where that is known exactly: "11/6 by linear programming"."""

    @property
    def value(self) -> float:
        """The median over seeds."""
        return statistics.median(self.values)

    @property
    def agreed(self) -> int:
        """How many seeds lie between the limits."""
        return sum(self.low <= value <= self.high for value in self.values)

    @property
    def holds(self) -> bool:
        """Whether the median lies between the limits."""
        return self.low <= self.value <= self.high

    @property
    def limits(self) -> str:
        """The limits in words.

        >>> Finding("x", (1.0,), 0.95, 1.05).limits, Finding("x", (1.0,), high=2.0).limits
        ('1 ± 0.05', 'at most 2')
        """
        if self.low == -math.inf:
            return f"at most {self.high:.4g}"
        if self.high == math.inf:
            return f"at least {self.low:.4g}"
        return f"{(self.low + self.high) / 2:.6g} ± {(self.high - self.low) / 2:.2g}"

    def __str__(self) -> str:
        told = f"{self.value:.4g}{self.unit and ' ' + self.unit}"
        if len(self.values) > 1:
            told += (
                f" ({min(self.values):.4g} to {max(self.values):.4g}; {self.agreed} of {len(self.values)} seeds agree)"
            )
        return f"{self.quantity}: {told}; must be {self.limits}{'' if self.holds else ', and is not'}"


def near(quantity: str, values: float | list[float], truth: float, tolerance: float, unit: str = "",
         exact: str = "") -> Finding:  # fmt: skip
    """A finding that must lie within `tolerance` of what it is known to be."""
    told = f"{truth:.6g}{exact and ', ' + exact}"
    return Finding(quantity, _all(values), truth - tolerance, truth + tolerance, unit, told)


def above(quantity: str, values: float | list[float], low: float, unit: str = "") -> Finding:
    """A finding that must be at least `low`."""
    return Finding(quantity, _all(values), low=low, unit=unit)


def below(quantity: str, values: float | list[float], high: float, unit: str = "") -> Finding:
    """A finding that must be at most `high`."""
    return Finding(quantity, _all(values), high=high, unit=unit)


def _all(values: float | list[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in (values if isinstance(values, list) else [values]))


@dataclass(frozen=True)
class Outcome:
    """What an experiment found."""

    findings: tuple[Finding, ...]
    series: Mapping[str, Any] = field(default_factory=dict)
    """What the figure shows: numbers, and lists, arrays or tensors of them, by name; also in mappings."""
    said: str = ""
    """What a reader should see in the figure, in a sentence or two."""

    @property
    def holds(self) -> bool:
        """Whether all findings do."""
        return all(finding.holds for finding in self.findings)
