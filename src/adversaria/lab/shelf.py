"""Which experiments there are, and what each says of itself, without importing torch."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from adversaria.errors import unknown

HERE = Path(__file__).parent / "experiments"
LECTURES = {
    "000": "Isachenko, Deep Generative Models, lecture 8",
    "001": "Courville, Generative Models II, summer school 2017",
    "002": "Risteski, lecture on generative adversarial networks",
    "003": "Isachenko, Deep Generative Models, course notes",
    "004": "An introduction to generative adversarial networks",
}
SHORT = {"000": "Isachenko's lecture", "001": "Courville's lecture", "002": "Risteski's lecture",
         "003": "Isachenko's course", "004": "the introduction"}  # fmt: skip


@dataclass(frozen=True)
class Card:
    """What an experiment's file says of it."""

    name: str
    path: Path
    question: str
    equation: str
    """Lines as they stand in the file; "" where there is none."""
    setup: str
    """What is done and what must be shown: paragraphs with an empty line between."""
    sources: tuple[str, ...]
    more: tuple[str, ...]
    slip: str

    @property
    def module(self) -> str:
        """Of the file."""
        return f"adversaria.lab.experiments.{self.path.stem}"

    def command(self, quick: bool) -> str:
        """What runs it."""
        return f"adversaria lab run {self.name}" + (" --quick" if quick else "")


@cache
def cards() -> dict[str, Card]:
    """Every experiment by its name, in order."""
    files = sorted(path for path in HERE.glob("*.py") if not path.stem.startswith("_"))
    return {card.name: card for card in map(_card, files)}


def find(name: str) -> Card:
    """The experiment of that name.

    Raises:
        UserError: where there is none.
    """
    found = cards()
    if name not in found:
        raise unknown("experiment", name, found, "see 'adversaria lab list'")
    return found[name]


def _card(path: Path) -> Card:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told: dict[str, Any] = {}
    for node in tree.body:
        name = getattr(node.targets[0], "id", "") if isinstance(node, ast.Assign) else ""
        if isinstance(node, ast.Assign) and name in ("SOURCES", "MORE", "SLIP"):
            told[name] = ast.literal_eval(node.value)
    question, *rest = (ast.get_docstring(tree) or "").split("\n\n")
    shown = [part for part in rest if all(line.startswith("    ") for line in part.splitlines())]
    setup = [" ".join(part.split()) for part in rest if part not in shown]
    equation = "\n".join(line[4:] for part in shown for line in part.splitlines())
    return Card(path.stem.replace("_", "-"), path, " ".join(question.split()), equation, "\n\n".join(setup),
                tuple(told.get("SOURCES", ())), tuple(told.get("MORE", ())), _named(told.get("SLIP", "")))  # fmt: skip


def _named(slip: str) -> str:
    """With lectures' names in the place of their numbers."""
    text = re.sub(r"(?:lectures? )?\b(00[0-4])\b", lambda found: SHORT[found[1]], slip)
    return text[:1].upper() + text[1:]
