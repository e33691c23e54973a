"""What was measured of a recipe's claims: one JSON file a recipe and data set, written by `adversaria zoo verify`.

In a checkout they lie in its folder results/, which an installed package carries; there what a user measures goes to
results/ in the working folder, and is read before what came with the package.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from adversaria.catalogue import Entry
from adversaria.errors import UserError
from adversaria.zoo import code

FORMAT = 1
CLAIMS = code.PACKAGE / "claims"
SIDES = {"above": ">=", "below": "<=", "within": "within"}


@dataclass(frozen=True, kw_only=True)
class Result:
    """One check's outcome, as it is written down."""

    claim: str
    quantity: str
    data: str
    quick: bool
    """Whether it was measured with the small settings."""
    verdict: str
    threshold: float | Sequence[float]
    holds: str
    mean: float
    interval: tuple[float, float]
    interval_of: str
    seeds: Sequence[int]
    """Those that gave a value."""
    values: Sequence[float | bool]
    against: Sequence[float] | None = None
    """The ablation's, where the claim is about the difference."""
    facts: Sequence[Mapping[str, Any]] = ()
    """Further numbers, a seed each."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Seeds that gave none, and why."""
    trained: Mapping[str, Any] = field(default_factory=dict)
    """The recipes' hyperparameters."""
    fingerprint: str = ""
    """Of the data."""
    seconds: Sequence[float] = ()
    """Of each seed, on one core."""
    machine: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    commit: str = ""
    date: str = ""
    code: str = ""
    """Of the code it rests on, see `zoo.code`."""

    @property
    def key(self) -> tuple[str, str, bool]:
        """Claim, quantity and whether it was quick: what a later result of the same replaces."""
        return self.claim, self.quantity, self.quick

    def __str__(self) -> str:
        return f"{self.verdict}: {self.measured}"

    @property
    def measured(self) -> str:
        """The number, its interval, the threshold, and on how much of what."""
        n = len(self.seeds)
        lost = f" ({len(self.failed)} failed)" if self.failed else ""
        quick = ", quick" if self.quick else ""
        return (
            f"{_number(self.mean)} [{_number(self.interval[0])}, {_number(self.interval[1])}] {self.limit}, "
            f"{n} seed{'s' * (n != 1)}{lost}, {self.data}{quick} ({self.date}); {self.quantity}"
        )

    @property
    def limit(self) -> str:
        """The threshold and its side.

        >>> from adversaria.zoo.results import limit
        >>> limit(0.95, "above"), limit((0.9, 1.1), "within")
        ('>= 0.95', 'within [0.9, 1.1]')
        """
        return limit(self.threshold, self.holds)


def limit(threshold: float | Sequence[float], holds: str) -> str:
    """A threshold and its side, as it is told."""
    said = f"{threshold:g}" if isinstance(threshold, float | int) else f"[{threshold[0]:g}, {threshold[1]:g}]"
    return f"{SIDES[holds]} {said}"


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else f"{value:g}"


def places() -> list[Path]:
    """Folders of results, those to be read first in front; the first is the one to write to."""
    root = code.PACKAGE.parents[1]
    if (root / "pyproject.toml").is_file() and code.PACKAGE.parent.name == "src":
        return [root / "results"]
    return [Path("results"), code.PACKAGE / "results"]


def place_of_page(name: str, folder: Path, default: bool) -> Path:
    """Where a page made from `folder` goes: to docs/ of the checkout where that is the folder by default, else here."""
    docs = folder.resolve().parent / "docs"
    return docs / name if default and docs.is_dir() else Path(name)


def rests_on(entry: Entry) -> str:
    """The hash of the code that a recipe's results rest on: its file, its claims' file, and what they import."""
    claims = CLAIMS / entry.path.name
    return code.fingerprint([entry.path, *([claims] if claims.is_file() else [])])


def read(entry: Entry, folders: Iterable[Path] | None = None) -> list[Result]:
    """All that was measured of a recipe, in order of data.

    Raises:
        UserError: for a file that `zoo verify` didn't write.
    """
    files: dict[str, Path] = {}
    for folder in places() if folders is None else folders:
        for path in sorted((folder / entry.name).glob("*.json")):
            files.setdefault(path.name, path)
    return [result for name in sorted(files) for result in _read(files[name])]


def _read(path: Path) -> list[Result]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["format"] != FORMAT:
            raise ValueError(f"format {told['format']}, expected {FORMAT}")
        return [Result(**_plain(row, "null")) for row in told["checks"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        said = f"{type(error).__name__}: {error}"
        raise UserError(f"{path} can't be read ({said}); remove it, and 'adversaria zoo verify' anew") from None


def write(folder: Path, name: str, data: str, results: Iterable[Result], current: Iterable[tuple[str, str]]) -> Path:
    """Adds results to the file of a recipe and data set, in place of older ones of the same; returns its path.

    Args:
        folder: of all results.
        name: the recipe's.
        data: the data set's.
        results: new ones.
        current: claim and quantity of every check there is; what was measured for others is dropped.
    """
    path = folder / name / f"{data}.json"
    known = set(current)
    old = _read(path) if path.is_file() else []
    kept = {result.key: result for result in old if result.key[:2] in known}
    kept |= {result.key: result for result in results}
    rows = [_plain(asdict(result), "inf") for _, result in sorted(kept.items())]
    text = json.dumps({"format": FORMAT, "recipe": name, "data": data, "checks": rows}, indent=1, allow_nan=False)
    replace_file(path, text)
    return path


def replace_file(path: Path, text: str) -> None:
    """Writes a file in one go: whoever reads it, or is killed meanwhile, finds the old one or the new one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(text + "\n", encoding="utf-8")
    fresh.replace(path)


def _plain(row: Mapping[str, Any], way: str) -> dict[str, Any]:
    """JSON has no infinity: an unbounded end is null there. `way` says which of the two is turned into the other."""
    low, high = row["interval"]
    mean = row["mean"]
    if way == "inf":
        ends = [end if math.isfinite(end) else None for end in (low, high)]
        return {**row, "mean": mean if math.isfinite(mean) else None, "interval": ends}
    return {
        **row, "mean": math.nan if mean is None else mean,
        "interval": (-math.inf if low is None else low, math.inf if high is None else high),
    }  # fmt: skip


@dataclass(frozen=True)
class State:
    """How a claim stands."""

    claim: str
    lines: tuple[str, ...]
    """A line a check and data set; one, "unchecked", where there is none."""
    word: str
    """The least favourable of its checks."""


WORDS = ("does not hold", "inconclusive", "stale", "holds")


def states(entry: Entry, folders: Iterable[Path] | None = None) -> list[State]:
    """Each of a recipe's claims with its state: of a check and data set what is fresh, and full rather than quick."""
    results = read(entry, folders) if entry.built_in else []
    now = rests_on(entry) if results else ""
    found = []
    for claim in entry.claims:
        best: dict[tuple[str, str], Result] = {}
        for result in sorted((r for r in results if r.claim == claim), key=lambda r: (r.code == now, not r.quick)):
            best[result.quantity, result.data] = result
        told = [(_word(result, now), result) for result in best.values()]
        lines = tuple(
            str(result) if word != "stale" else f"stale, its code has changed since: {result}" for word, result in told
        )
        word = min((word for word, _ in told), key=WORDS.index, default="unchecked")
        found.append(State(claim, lines or ("unchecked",), word))
    return found


def _word(result: Result, now: str) -> str:
    return result.verdict if result.code == now else "stale"
