"""What a likelihood is: how it was computed, of what data, in which unit, and which two may be set side by side."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.data.spec import DataSpec
from adversaria.errors import UserError, unknown
from adversaria.metrics.estimate import Z95, Estimate, comparable, difference

NAME = "negative log-likelihood"
UNITS = {"8-bit pixels": "bits/dim", "continuous": "nats", "binary": "nats", "tokens": "nats/token"}
"""Kinds of data, and the unit in which their likelihood is told."""
ABOVE, BELOW, BOTH = "from above", "from below", "from both sides"
SIDES = {
    "exact": BOTH,
    "dequantised": ABOVE,
    "lower bound": ABOVE,
    "importance weighted": ABOVE,
    "annealed importance sampling": ABOVE,
    "reverse annealing": BELOW,
}
"""Kinds of computation, and from which side the number holds the true negative log-likelihood, in expectation."""


def kind(name: str, **parameters: Any) -> str:
    """A kind of likelihood with the parameters that decide its slack, as it stands in a protocol.

    >>> kind("importance weighted", K=500)
    'importance weighted (K=500)'
    >>> kind("exact")
    'exact'

    Raises:
        UserError: for a name that isn't one of `SIDES`.
    """
    if name not in SIDES:
        raise unknown("kind of likelihood", name, SIDES)
    said = ", ".join(f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
                     for key, value in parameters.items() if value is not None)  # fmt: skip
    return f"{name} ({said})" if said else name


def of_spec(spec: DataSpec) -> str:
    """The kind of data here that data of this spec are."""
    if spec.kind == "image" and spec.levels == 2:
        return "binary"
    return {"image": "8-bit pixels", "points": "continuous", "binary": "binary", "sequence": "tokens"}[spec.kind]


def in_unit(nats: Tensor | float, data: str, dims: int) -> Any:
    """Nats per example in the unit of the data: bits/dim of 8-bit pixels, nats, or nats/token.

    Raises:
        UserError: for data that isn't one of `UNITS`.
    """
    if data not in UNITS:
        raise unknown("kind of data", data, UNITS)
    divisor = {"bits/dim": dims * math.log(2), "nats": 1.0, "nats/token": float(dims)}[UNITS[data]]
    return nats / divisor


def dequantised_bits(
    log_density: Float[Tensor, " n"], *, dims: int, span: float = 1.0, levels: int = 256
) -> Float[Tensor, " n"]:
    """Bits/dim of the discrete data from log-densities (nats) of dequantised data, an upper bound.

        bits/dim = -log p(x + u) / (d ln 2) + log2(levels / span),   u uniform on one level's width

    Args:
        log_density: of x + u, summed over the dimensions.
        dims: d.
        span: length of the interval on which the levels lie: 1 for [0, 1], 2 for [-1, 1].
        levels: of the discrete data.

    Theis, van den Oord, Bethge (2016), arXiv:1511.01844, Eq. 5 to 7.
    """
    if dims < 1 or not span > 0:
        raise UserError(f"dims {dims} and span {span} give no bits/dim; both must be positive")
    return -log_density.double() / (dims * math.log(2)) + math.log2(levels / span)


def likelihood_estimate(
    log_p: Float[Tensor, " n"], *, kind: str, data: str, dims: int, scale: str = "as given", bias: str = "",
    details: Mapping[str, Any] | None = None, protocol: Mapping[str, Any] | None = None,
    rows: Sequence[str] = (),
) -> Estimate:  # fmt: skip
    """The negative log-likelihood of examples with all that must be known to read it; lower is better.

    The standard error is over examples: it holds for the mean over the data the examples were drawn from. A point
    without a finite log-likelihood is neither dropped nor clipped: the value isn't finite either and the note names it.

    Args:
        log_p: log-likelihood of each example in nats.
        kind: from `kind(...)`.
        data: one of `UNITS`.
        dims: numbers, or tokens, in an example.
        scale: of continuous data: a density changes by d ln c when the data are divided by c.
        bias: note.
        details: numbers it was made from.
        protocol: further facts.
        rows: what each example is called; its place in `log_p` without.

    Raises:
        UserError: for fewer than two examples, or an unknown kind of data or likelihood.
    """
    if log_p.ndim != 1 or len(log_p) < 2:
        raise UserError(f"log-likelihoods have shape {tuple(log_p.shape)}; expected (n,) with n of 2 or more")
    _base(kind)
    values = in_unit(-log_p.detach().double().cpu(), data, dims)
    facts = {"kind": kind, "data_kind": data, "n": len(values), "d": dims, **(protocol or {})}
    if data == "continuous":
        facts["scale"] = scale
    found = dict(details or {})
    broken = torch.nonzero(~values.isfinite()).flatten().tolist()
    error, influence = float(values.std()) / len(values) ** 0.5, (values - values.mean()).numpy()
    if broken:
        called = [rows[i] for i in broken[:10]] if rows else broken[:10]
        found |= {"not_finite": len(broken), "not_finite_examples": called}
        named = ", ".join(map(str, called[:5])) + (", ..." if len(broken) > 5 else "")
        note = f"{len(broken)} of {len(values)} examples have no finite log-likelihood (rows {named})"
        bias, error, influence = f"{note}; {bias}" if bias else note, math.nan, None
    return Estimate(NAME, float(values.mean()), error, len(values), UNITS[data], facts, bias=bias, details=found,
                    on_reference=influence)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """What two likelihoods say of each other."""

    words: str
    better: Literal["first", "second"] | None
    """The one whose true likelihood is higher, where the intervals certify it."""
    ordered: bool
    """Whether a theorem orders the two expectations, for one model: negative bound >= IW_K >= IW_K' >= exact."""

    @property
    def certified(self) -> bool:
        """Whether the order of the true likelihoods follows from the two intervals."""
        return self.better is not None


def compare_likelihoods(
    a: Estimate, b: Estimate, *, same_model: bool = False, names: Sequence[str] = ("the first", "the second")
) -> Comparison:
    """Says in words whether the order of two true likelihoods, or of two kinds of estimate, is known.

        bound <= IW_K <= IW_K' <= log p  (K <= K'),   AIS <= log p <= reverse annealing,   all in expectation

    One model beats another for certain where the highest its negative log-likelihood can be lies below the lowest the
    other's can be; a bound knows one of the two only. Between AIS and an importance-weighted bound there is no theorem:
    AIS is tighter given temperatures enough. Burda et al. (2016), arXiv:1509.00519, Theorem 1; Grosse et al. (2015),
    arXiv:1511.02543.

    Args:
        a: a likelihood.
        b: another.
        same_model: both are of one model.
        names: what to call them.
    """
    try:
        comparable(_without_kind(a), _without_kind(b))
    except UserError as problem:
        return Comparison(f"not comparable: {problem}", None, False)
    if same_model:
        return _ordering(a, b, names)
    x, y = _known(a), _known(b)
    one, two = str(a.protocol.get("kind")), str(b.protocol.get("kind"))
    better: Literal["first", "second"] | None = "first" if x[1] < y[0] else "second" if y[1] < x[0] else None
    if _base(one) == _base(two) == "exact":
        gap = difference(replace(a, protocol={}), replace(b, protocol={}))
        better = "first" if gap.interval[1] < 0 else "second" if gap.interval[0] > 0 else None
        told = f"{gap.value:+.4g} +- {gap.error:.2g} {a.unit}"
        return Comparison(f"{_outcome(better, names)}: both are exact and differ by {told}", better, False)
    if better:
        simulated = any("bdmc_gap" in e.details for e in (a, b))
        if_so = ", if the gap measured on simulated data holds on these" if simulated else ""
        return Comparison(f"{_outcome(better, names)}, certified{if_so}: {_spans(a, b, x, y, names)}", better, False)
    if one == two:
        reason = f"both are '{one}' and the slack of each is unknown, so the lower number need not be the better model"
    else:
        reason = f"'{one}' holds {names[0]} {SIDES[_base(one)]} and '{two}' holds {names[1]} {SIDES[_base(two)]}"
    return Comparison(f"not decided: {reason}; {_spans(a, b, x, y, names)}", None, False)


def _outcome(better: str | None, names: Sequence[str]) -> str:
    if better is None:
        return "no difference shown"
    return f"{names[0]} is better" if better == "first" else f"{names[1]} is better"


def _spans(a: Estimate, b: Estimate, x: tuple[float, float], y: tuple[float, float], names: Sequence[str]) -> str:
    told = [f"{name} in [{low:.4g}, {high:.4g}]" for name, (low, high) in zip(names, (x, y), strict=True)]
    return f"true values {' and '.join(told)} {a.unit} at 95%"


def _ordering(a: Estimate, b: Estimate, names: Sequence[str]) -> Comparison:
    """The order of two numbers of one model."""
    one, two = str(a.protocol.get("kind")), str(b.protocol.get("kind"))
    sign = _theorem(one, two)
    if not sign:
        why = "the same kind" if one == two else "no theorem orders them; with temperatures enough annealing is tighter"
        return Comparison(f"'{one}' and '{two}' of one model: {why}", None, False)
    high, low = (a, b) if sign > 0 else (b, a)
    words = f"of one model '{high.protocol['kind']}' is at least '{low.protocol['kind']}' in expectation"
    gap = difference(replace(high, protocol={}), replace(low, protocol={}))
    if gap.value < -3 * gap.error:
        words += f", yet measured lower by {-gap.value:.3g} +- {gap.error:.2g} {a.unit}: one of the two is wrong"
    else:
        words += f"; here by {gap.value:.3g} +- {gap.error:.2g} {a.unit}"
    return Comparison(words, None, True)


def _theorem(one: str, two: str) -> int:
    """+1 where `one` is the larger negative log-likelihood in expectation, -1 the smaller, 0 where nobody knows."""
    sides, tight = (SIDES[_base(one)], SIDES[_base(two)]), (_tightness(one), _tightness(two))
    if sides[0] != sides[1]:
        place = {ABOVE: 2, BOTH: 1, BELOW: 0}
        return 1 if place[sides[0]] > place[sides[1]] else -1
    if tight[0] is None or tight[1] is None or tight[0] == tight[1]:
        return 0
    return 1 if tight[0] < tight[1] else -1


def _tightness(kind: str) -> int | None:
    """K of the multi-sample bound, 1 for the bound itself; None where the theorem doesn't speak of it."""
    if _base(kind) == "lower bound":
        return 1
    found = re.search(r"K=(\d+)", kind)
    return int(found.group(1)) if found and _base(kind) == "importance weighted" else None


def _base(kind: str) -> str:
    for name in SIDES:
        if kind.startswith(name):
            return name
    raise unknown("kind of likelihood", kind, SIDES)


def _without_kind(e: Estimate) -> Estimate:
    return replace(e, protocol={key: value for key, value in e.protocol.items() if key not in ("kind", "seed")})


def _known(e: Estimate) -> tuple[float, float]:
    """Where the true negative log-likelihood of the data can lie."""
    side = SIDES[_base(str(e.protocol.get("kind")))]
    low, high = e.value - Z95 * e.error, e.value + Z95 * e.error
    if e.limits is not None:
        low, high = e.limits
    low = low if side != ABOVE or "bdmc_gap" in e.details else -math.inf
    high = high if side != BELOW else math.inf
    return (-math.inf if math.isnan(low) else low), (math.inf if math.isnan(high) else high)
