"""A verdict: what was found, in words, with the numbers that decided it and what to change."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["pass", "fail", "inconclusive", "not applicable"]
Side = Literal["for", "against", "neither"]


@dataclass(frozen=True)
class Evidence:
    """One number, and whether it speaks for the fault, against it, or for neither."""

    name: str
    said: str
    speaks: Side = "neither"


@dataclass(frozen=True)
class Verdict:
    """`fail`: the fault is there; `pass`: it was looked for with power to find it, and isn't."""

    name: str
    state: State
    sentence: str
    evidence: tuple[Evidence, ...] = ()
    advice: str = ""
    """What to change where it fails."""
    caveat: str = ""
    """How this verdict is known to err."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Verdict":
        """The verdict that `to_dict` wrote."""
        evidence = tuple(Evidence(**item) for item in values.get("evidence", ()))
        return cls(**{**values, "evidence": evidence})

    def __str__(self) -> str:
        lines = [f"{self.state.upper():<14} {self.name}: {self.sentence}"]
        marks = {"for": "!", "against": "-", "neither": " "}
        lines += [f"    {marks[item.speaks]} {item.name}: {item.said}" for item in self.evidence]
        if self.advice and self.state == "fail":
            lines.append(f"    > {self.advice}")
        return "\n".join(lines)


def votes(evidence: tuple[Evidence, ...], side: Side) -> int:
    """How many pieces of evidence speak for a side."""
    return sum(item.speaks == side for item in evidence)
