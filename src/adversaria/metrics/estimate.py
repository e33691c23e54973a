"""A measured number and what must be known to read it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError

Z95 = 1.959963984540054
"""Half-width of a normal 95% interval in standard errors."""


@dataclass(frozen=True)
class Null:
    """The same metric between two real sets of the same sizes: what it would say of a perfect model."""

    mean: float
    sd: float
    draws: int
    """Pairs of sets, or permutations, it was taken over."""
    how: str = "disjoint pairs of real sets"


@dataclass(frozen=True)
class Estimate:
    """A value with its uncertainty, the number of examples, and the protocol it was measured by."""

    name: str
    value: float
    error: float
    """Standard error; nan where only an interval is known."""
    n: int
    """Examples measured: generated ones, or held-out ones for a likelihood."""
    unit: str = ""
    protocol: Mapping[str, Any] = field(default_factory=dict)
    """What must agree before two such numbers may be compared: data, split, features, sizes, seed, parameters."""
    lower_is_better: bool | None = True
    """None where neither is."""
    limits: tuple[float, float] | None = None
    """A 95% interval, where it isn't value +- 1.96 error."""
    bias: str = ""
    """What is known of its bias."""
    p: float | None = None
    """For a test: the probability of so extreme a value were both samples of one distribution."""
    null: Null | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    """Numbers it was made from."""
    on_reference: np.ndarray | None = field(default=None, repr=False, compare=False)
    """Contribution (n_real,) of each reference example to the value's deviation (its influence, mean about 0), where
    it is known: two numbers on the same reference are paired by it."""

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval."""
        return self.limits or (self.value - Z95 * self.error, self.value + Z95 * self.error)

    @property
    def excess(self) -> float:
        """How far the value lies from its null, in the null's standard deviations; nan where there is no null."""
        if self.null is None or not self.null.sd > 1e-9 * max(1.0, abs(self.null.mean)):
            return math.nan
        return (self.value - self.null.mean) / self.null.sd

    @property
    def fingerprint(self) -> str:
        """12 hex digits of the name and the protocol."""
        said = json.dumps([self.name, dict(self.protocol)], sort_keys=True, default=str)
        return hashlib.sha256(said.encode()).hexdigest()[:12]

    def under(self, **facts: Any) -> Estimate:
        """The same number with further facts of its protocol."""
        return replace(self, protocol={**self.protocol, **facts})

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; `from_dict` reads them back."""
        values = asdict(replace(self, on_reference=None))
        del values["on_reference"]
        return {key: value for key, value in values.items() if value not in (None, "", {})} | {
            "fingerprint": self.fingerprint
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Estimate:
        """The estimate that `to_dict` wrote."""
        known = {key: value for key, value in values.items() if key in cls.__dataclass_fields__ and value is not None}
        for key in ("value", "error"):
            if key in known:
                known[key] = float(known[key])
        if known.get("null"):
            known["null"] = Null(**known["null"])
        if known.get("limits"):
            low, high = (math.nan if limit is None else float(limit) for limit in known["limits"])
            known["limits"] = (low, high)
        return cls(**{"value": math.nan, "error": math.nan, "lower_is_better": None} | known)

    def __str__(self) -> str:
        spread = f"+- {self.error:.2g}" if math.isfinite(self.error) else "in [{:.4g}, {:.4g}]".format(*self.interval)
        parts = [f"n = {self.n}"]
        if self.p is not None:
            parts.append(f"p = {self.p:.2g}")
        if self.null is not None:
            parts.append(f"null {self.null.mean:.4g} +- {self.null.sd:.2g}, {self.null.how}")
        parts += [self.bias] if self.bias else []
        parts += [words(self.protocol)] if self.protocol else []
        return f"{self.name} {self.value:.4g} {spread}{f' {self.unit}' if self.unit else ''} ({'; '.join(parts)})"


def words(protocol: Mapping[str, Any]) -> str:
    """A protocol on one line.

    >>> words({"data": "digits", "n_real": 180})
    'data digits, n real 180'
    """
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in protocol.items())


def comparable(a: Estimate, b: Estimate) -> None:
    """Checks that two numbers were measured in the same way.

    Raises:
        UserError: naming what differs.
    """
    if a.name != b.name:
        raise UserError(f"'{a.name}' and '{b.name}' are different numbers; compare one with itself")
    if a.unit != b.unit:
        raise UserError(f"{a.name}: one is in '{a.unit}', the other in '{b.unit}'; measure both alike")
    keys = sorted({*a.protocol, *b.protocol})
    differ = [
        f"{key} {a.protocol.get(key, 'unsaid')} against {b.protocol.get(key, 'unsaid')}"
        for key in keys
        if a.protocol.get(key) != b.protocol.get(key)
    ]
    if differ:
        raise UserError(f"{a.name}: measured differently ({'; '.join(differ)}); measure both under one protocol")


def difference(a: Estimate, b: Estimate) -> Estimate:
    """a - b with its standard error; paired where both say what each example of their common reference contributed.

    Raises:
        UserError: where they were not measured in the same way.
    """
    comparable(a, b)
    variance, paired = a.error**2 + b.error**2, False
    x, y = a.on_reference, b.on_reference
    if x is not None and y is not None and len(x) == len(y) > 1:
        variance = max(variance - 2 * float(np.cov(x, y)[0, 1]) / len(x), 0.0)
        paired = True
    facts = {**a.protocol, "paired": "on the reference" if paired else "no"}
    return Estimate(f"difference in {a.name}", a.value - b.value, math.sqrt(variance), min(a.n, b.n), a.unit, facts,
                    a.lower_is_better)  # fmt: skip


def mean(
    name: str, values: Float[Tensor, " n"], unit: str, protocol: Mapping[str, Any], *, lower_is_better: bool = True
) -> Estimate:
    """The mean of independent values, with the standard error of a mean.

    Raises:
        ValueError: for fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"{len(values)} values give no standard error; at least 2")
    x = values.double()
    error = float(x.std() / len(x) ** 0.5)
    broken = int((~x.isfinite()).sum())
    return Estimate(
        name, float(x.mean()), error, len(x), unit, protocol, lower_is_better,
        details={"not_finite": broken} if broken else {}, on_reference=(x - x.mean()).cpu().numpy(),
    )  # fmt: skip
