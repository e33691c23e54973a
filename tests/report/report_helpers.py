"""Tiny run folders, built by hand: JSON and PNG, no torch."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from adversaria.report import write
from adversaria.runs.folder import RunFolder

RECIPE = '''"""TOY: a forger and a judge, for <tests> & nothing else.

    judge    max_J  E log J(x) + E log(1 - J(F(z)))
"""

REFERENCE = Reference(title="A Toy", authors="Nobody", year=2014, arxiv="1406.2661", venue="NowhereConf")
DEPARTURES = ("There is no paper.",)


class Toy(Recipe):
    """A toy."""

    width: Count = 16
    """Units (Section 2)."""
    adam: Adam = Adam(lr=1e-3, betas=(0.5, 0.9))
    """For both."""
'''
CONFIG: dict[str, Any] = {
    "format": 1, "adversaria": "0.1.0", "recipe": "/somewhere/my_toy.py", "recipe_sha256": "ab" * 32,
    "fields": {"width": 32, "adam": {"lr": 0.001, "clip": 0.0, "betas": [0.5, 0.9]}},
    "data": {"source": "/data/faces"}, "fingerprint": "cd" * 32, "seed": 7, "threads": 2, "device": "cpu",
    "stages": [["main", 40]], "command": "adversaria train ./my_toy.py --data /data/faces --rounds 40",
}  # fmt: skip
DATA: dict[str, Any] = {
    "name": "faces", "kind": "image", "shape": [1, 8, 8], "classes": 0,
    "sizes": {"train": 100, "valid": 30, "test": 30}, "fingerprint": "cd" * 32,
    "notes": ["split at random"], "skipped": [],
}  # fmt: skip
EXHIBITS: dict[str, Any] = {
    "round": 40, "seed": 7,
    "pictures": {"samples": "64 samples", "data": "64 held-out", "interpolation": "paths", "neighbours": "nearest"},
    "neighbours": {
        "protocol": "Euclidean distance to 100 training examples",
        "samples": {"mean": 1.0, "error": 0.1, "n": 30},
        "held_out": {"mean": 2.0, "error": 0.1, "n": 30},
    },
}  # fmt: skip
EVENTS = [(0, "started", ""), (40, "finished", "")]


def a_round(round: int, stage: str = "main", images: int | None = None, **changes: Any) -> dict[str, Any]:
    """A line of the log."""
    return {
        "kind": "round", "round": round, "stage": stage,
        "terms": {"judge": {"real": 1 / round, "fake": 0.5}, "forger": {"fooling": 2.0}},
        "gradient_norms": {"judge": 0.1 * round, "forger": 1.0}, "seconds": 0.01, "images_per_second": 3200.0,
        "images": images if images is not None else 32 * round, "skipped": {}, "time": 1.8e9 + round,
    } | changes  # fmt: skip


def a_score(round: int, value: float, **changes: Any) -> dict[str, Any]:
    """A score's line of the log."""
    return {"kind": "score", "round": round, "name": "sliced Wasserstein", "value": value, "error": 0.02, "n": 30,
            "unit": "", "protocol": "faces valid; 256 directions", "lower_is_better": True} | changes  # fmt: skip


def draw(path: Path, pixels: np.ndarray | None = None) -> None:
    """A PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 20, 3), 128, np.uint8) if pixels is None else pixels).save(path, "PNG")


class Run:
    """A run folder and its report."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def fill(self, *, rounds: list[dict] | None = None, scores: list[dict] | None = None, events: Any = EVENTS,
             config: dict | None = None, data: dict | None = None, exhibits: dict | None = None,
             sheets: tuple[int, ...] = (1, 20, 40)) -> "Run":  # fmt: skip
        """A finished run of 40 rounds, with changes."""
        self.begin(config)
        records = [a_round(r) for r in range(1, 41)] if rounds is None else rounds
        records = [*records, *([a_score(20, 0.4), a_score(40, 0.5)] if scores is None else scores)]
        records += [{"kind": "event", "round": r, "event": e, "text": t} for r, e, t in events]
        (self.path / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
        self.json("data.json", DATA | (data or {}))
        self.json("environment.json", {"python": "3.11.7", "gpu": None})
        told = EXHIBITS | (exhibits or {})
        self.json("exhibits/exhibits.json", told)
        for name in told["pictures"]:
            if "/" not in name:
                draw(self.path / f"exhibits/{name}.png")
        for round in sheets:
            draw(self.path / f"samples/round-{round:08d}.png")
        return self

    def begin(self, config: dict | None = None) -> "Run":
        """What a run has before its first round."""
        self.json("config.json", CONFIG | (config or {}))
        (self.path / "recipe.py").write_text(RECIPE)
        return self

    def json(self, name: str, values: Any) -> None:
        """A JSON file of the folder."""
        (self.path / name).parent.mkdir(exist_ok=True)
        (self.path / name).write_text(json.dumps(values))

    def report(self) -> str:
        """The page's text."""
        path = write(RunFolder(self.path))
        assert path == self.path / "report.html"
        return path.read_text(encoding="utf-8")


class Page(HTMLParser):
    """What a browser would make of a page: elements, attributes, text, headings; every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.headings: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        if tag == "h2":
            self.headings.append("")
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data
        if "h2" in self.open:
            self.headings[-1] += data

    def all(self, tag: str, key: str) -> list[str]:
        """The values of an attribute of an element."""
        return [value for t, k, value in self.attributes if (t, k) == (tag, key)]
