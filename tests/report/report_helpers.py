"""Tiny run folders, built by hand: JSON and PNG, no torch."""

import base64
import json
import re
import xml.etree.ElementTree as ET
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


PROTOCOL = {"data": "faces", "data_fingerprint": "cdcdcdcdcdcd", "split": "test",
            "features": "trained classifier features", "features_hash": "ab12cd34ef56", "n_real": 180,
            "n_generated": 180, "d": 64, "seed": 0}  # fmt: skip


def an_estimate(metric: str, name: str, value: float, error: float = 0.02, **changes: Any) -> dict[str, Any]:
    """An estimate as evaluation.json has it."""
    return {"metric": metric, "name": name, "value": value, "error": error, "n": 180, "protocol": PROTOCOL,
            "lower_is_better": True, "fingerprint": "0123456789ab"} | changes  # fmt: skip


def a_null(mean: float, sd: float) -> dict[str, Any]:
    """What the same metric says of two real sets."""
    return {"mean": mean, "sd": sd, "draws": 20, "how": "disjoint pairs of real sets"}


EVALUATION: dict[str, Any] = {
    "format": 1, "round": 40, "time": 1.8e9, "n": 180, "against": "test",
    "features": {"name": "trained classifier features", "hash": "ab12cd34ef56", "d": 64, "accuracy": 0.971,
                 "note": "ranks the shipped corruptions as it should"},
    "estimates": [
        an_estimate("frechet", "Fréchet distance [trained classifier features]", 12.31, 0.62, null=a_null(0.41, 0.12),
                    bias="corrected to first order in 1/n", details={"uncorrected": 13.9}),
        an_estimate("kernel", "kernel distance", 0.00042, 0.00071, null=a_null(0.0001, 0.0006)),
        an_estimate("precision", "precision", 0.81, 0.03, lower_is_better=False, null=a_null(0.74, 0.03)),
        an_estimate("recall", "recall", 0.42, 0.04, lower_is_better=False, null=a_null(0.75, 0.03)),
        an_estimate("coverage", "coverage", 0.62, 0.02, lower_is_better=False, null=a_null(0.97, 0.012)),
        an_estimate("c2st", "classifier two-sample test", 0.71, 0.03, p=0.005, null=a_null(0.5, 0.026)),
        an_estimate("mmd", "MMD", 0.001, float("nan"), limits=[-0.002, 0.004], p=0.43, null=a_null(0.0, 0.0021)),
        an_estimate("nll", "importance-weighted NLL", 4.12, 0.03, unit="bits/dim",
                    protocol=PROTOCOL | {"kind": "importance-weighted, K = 100"}),
        an_estimate("birthday", "support by birthday pairs", 410.0, float("nan"), limits=[160.0, float("inf")],
                    lower_is_better=False, details={"pairs": 3}),
        an_estimate("of-my-own", "a metric of my own", 3.0, 0.5, lower_is_better=None),
    ],
    "undefined": {"modes": "the data have no known modes", "path length": "the recipe has no latent space"},
    "pictures": {"precision-recall": "180 samples and 180 test examples on two principal axes"},
}  # fmt: skip


def a_verdict(name: str, state: str, **changes: Any) -> dict[str, Any]:
    """A verdict of diagnosis.json."""
    return {"name": name, "state": state, "sentence": f"{name.capitalize()} says {state}.", "evidence": [],
            "advice": "", "caveat": ""} | changes  # fmt: skip


DIAGNOSIS: dict[str, Any] = {
    "format": 1, "round": 40, "time": 1.8e9,
    "verdicts": [
        a_verdict("memorisation", "pass", sentence="Samples are no closer to the training set than held-out data are.",
                  evidence=[{"name": "data-copying AUC", "said": "0.51 ± 0.03; 0.5 expected of a perfect model",
                             "speaks": "against"}],
                  caveat="A model that also lost modes can look like one that copies."),
        a_verdict("collapse", "fail", sentence="Samples cover 62% of the data where a perfect model covers 97%.",
                  evidence=[{"name": "coverage", "said": "0.62 ± 0.02; 0.97 expected", "speaks": "for"},
                            {"name": "recall", "said": "0.42 ± 0.04; 0.75 ± 0.03 between real sets", "speaks": "for"},
                            {"name": "birthday pairs", "said": "3 pairs of 180", "speaks": "neither"}],
                  advice="Give the judge mini-batch statistics, or take more of its moves to each of the forger's.",
                  caveat="Near-uniform loss of variety in every mode escapes the birthday count."),
        a_verdict("blur", "inconclusive", sentence="High frequencies carry 0.93 ± 0.06 of the data's."),
        a_verdict("vanishing gradient", "pass"),
        a_verdict("posterior collapse", "not applicable", sentence="The recipe has no encoder."),
        a_verdict("unused codes", "not applicable", sentence="The recipe has no codebook."),
    ],
}  # fmt: skip


def a_check(round: int, name: str, state: str, **changes: Any) -> dict[str, Any]:
    """A verdict's line of the log."""
    return {"kind": "verdict", "round": round, "name": name, "state": state,
            "sentence": f"{name.capitalize()} is {state} so far."} | changes  # fmt: skip


def a_row(metric: str, name: str, cells: list[Any], **changes: Any) -> dict[str, Any]:
    """A row of a comparison; a cell is a value, an estimate, or a reason."""
    made = [
        {"undefined": cell} if isinstance(cell, str)
        else cell if isinstance(cell, dict)
        else an_estimate(metric, name, cell)
        for cell in cells
    ]  # fmt: skip
    return {"metric": metric, "name": name, "unit": "", "lower_is_better": True, "cells": made,
            "verdict": "inconclusive (smallest difference that would have shown: 0.3)", "best": None,
            "pairs": []} | changes  # fmt: skip


def a_pair(a: int, b: int, state: str, difference: float = -3.0) -> dict[str, Any]:
    """Two runs of a row."""
    p = 0.2 if state == "inconclusive" else 0.002
    return {"a": a, "b": b, "difference": difference, "error": 0.4, "p": p, "p_holm": 2 * p, "state": state}


FLOOR = {"null": a_null(0.41, 0.12)}
FRECHET = "Fréchet distance [trained classifier features]"


def _seeded(value: float, spread: float) -> dict[str, Any]:
    per_seed = [value + spread * t for t in (-1.2, -0.5, -0.1, 0.2, 0.6, 1.0)]
    return an_estimate("frechet", FRECHET, value, 0.4 * spread, details={"per_seed": per_seed}, **FLOOR)


def _likelihood(value: float, kind: str) -> dict[str, Any]:
    return an_estimate("nll", "held-out NLL", value, 0.02, unit="bits/dim", protocol=PROTOCOL | {"kind": kind})


COMPARISON: dict[str, Any] = {
    "format": 1, "primary": "frechet", "protocol": PROTOCOL,
    "runs": [
        {"path": "runs/gan", "label": "gan", "recipe": "gan", "data": "faces", "seeds": [0, 1, 2, 3, 4, 5],
         "seconds": 301.0, "rounds": 4000, "images": 256000, "note": ""},
        {"path": "runs/vae", "label": "vae", "recipe": "vae", "data": "faces", "seeds": [0, 1, 2, 3, 4, 5],
         "seconds": 300.0, "rounds": 6100, "images": 390400, "note": ""},
        {"path": "runs/pixelcnn", "label": "gated-pixelcnn", "recipe": "gated-pixelcnn", "data": "faces",
         "seeds": [0, 1, 2, 3, 4, 5], "seconds": 302.0, "rounds": 900, "images": 57600, "note": "slow to sample"},
    ],
    "rows": [
        a_row("coverage", "coverage", [0.62, 0.64, 0.81], lower_is_better=False,
              pairs=[a_pair(0, 1, "inconclusive", -0.02), a_pair(0, 2, "worse", -0.19), a_pair(1, 2, "worse", -0.17)],
              verdict="gated-pixelcnn better than gan by 0.19 (p = 0.004) and than vae by 0.17 (p = 0.004)", best=2),
        a_row("frechet", FRECHET, [_seeded(12.3, 2.0), _seeded(18.6, 0.8), _seeded(6.1, 0.5)], best=2,
              verdict="gated-pixelcnn better than gan by 6.2 (p = 0.031) and than vae by 12.5 (p = 0.031)",
              pairs=[a_pair(0, 1, "better", -6.3), a_pair(0, 2, "worse", 6.2), a_pair(1, 2, "worse", 12.5)]),
        a_row("nll", "held-out NLL", ["a GAN has no likelihood", _likelihood(1.92, "bound"),
                                      _likelihood(1.61, "exact")], unit="bits/dim", best=2, verdict="never shown"),
        a_row("c2st", "classifier two-sample test", [0.71, 0.72, 0.7]),
    ],
    "verdicts": {"collapse": ["fail", "pass", "pass"], "blur": ["pass", "fail", "inconclusive"],
                 "posterior collapse": ["not applicable", "pass", "not applicable"]},
    "agreement": "The order of the runs agrees under pixels, PCA and trained features.",
    "seeds": {"n": 6, "min_p": 0.03125},
}  # fmt: skip


def draw(path: Path, pixels: np.ndarray | None = None) -> None:
    """A PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 20, 3), 128, np.uint8) if pixels is None else pixels).save(path, "PNG")


class Run:
    """A run folder and its report."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def judged(self, evaluation: Any = None, diagnosis: Any = None, checks: Any = ()) -> "Run":
        """The filled run with an evaluation, a diagnosis and checks while training."""
        self.json("evaluation.json", EVALUATION | (evaluation or {}))
        self.json("diagnosis.json", DIAGNOSIS | (diagnosis or {}))
        for name in (EVALUATION | (evaluation or {}))["pictures"]:
            if re.fullmatch("[a-z-]+", name):
                draw(self.path / f"exhibits/{name}.png")
        return self.log(*checks)

    def log(self, *records: dict[str, Any]) -> "Run":
        """Appends lines to the log."""
        with (self.path / "metrics.jsonl").open("a") as file:
            file.writelines(json.dumps(record) + "\n" for record in records)
        return self

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


ELEMENTS = """
    html head meta title style body header footer section h1 h2 h3 p b i span small a img figure figcaption div
    dl dt dd ul li pre code table thead tbody tfoot tr th td details summary svg path rect circle
"""
ATTRIBUTES = """
    charset http-equiv content name lang class src alt width height href rel style title colspan scope data-label
    role aria-label aria-hidden viewbox d x y cx cy r
"""
HOSTILE = "\"><img src=x onerror=alert(1)><script>alert(2)</script>' ${{}} \x00\ud800 \u202e 日本語"


def charts(page):
    found = [u for u in page.all("img", "src") if u.startswith("data:image/svg+xml;base64,")]
    return [base64.b64decode(u.split(",", 1)[1]).decode() for u in found]


def assert_harmless(page):
    assert page.elements <= {*ELEMENTS.split()}
    assert not [key for _, key, _ in page.attributes if key.startswith("on")]
    assert all(src.startswith("data:image/") for src in page.all("img", "src"))
    assert all(re.fullmatch(r"https://arxiv\.org/abs/[\w./-]+", href) for href in page.all("a", "href"))
    assert {key for _, key, _ in page.attributes} <= {*ATTRIBUTES.split()}
    for svg in charts(page):
        assert "script" not in {element.tag.split("}")[-1] for element in ET.fromstring(svg).iter()}
