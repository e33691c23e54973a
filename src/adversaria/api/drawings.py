"""Pictures of what the latent tools give: rows of images with their captions, trails and clouds of points."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from torch import Tensor

from adversaria.data import Dataset
from adversaria.runs import sheets

Style = Literal["trails", "clouds", "panels", "numbers"]
"""How points are drawn: a line through each row, a cloud of each, a plot of each, or each point with its number; the
first of a trail or a cloud is open."""
BESIDE = 2000
"""Data points shown behind others, at most."""


@dataclass(frozen=True)
class Shown:
    """What a latent tool found: rows of examples in game form, a caption for each, and what there is to tell."""

    data: Dataset = field(repr=False)
    rows: Sequence[Tensor]
    """(c, *shape) each."""
    captions: Sequence[str]
    said: tuple[str, ...]
    """Sentences, the first on what is shown."""
    codes: Tensor | None = None
    style: Style = "trails"

    @property
    def examples(self) -> list[np.ndarray]:
        """The rows in user form."""
        return [self.data.spec.to_user(row) for row in self.rows]

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What an archive keeps: all examples in user form under `samples`, row after row, each one's `row`, codes."""
        rows = np.repeat(np.arange(len(self.rows)), [len(row) for row in self.rows])
        kept = {"samples": np.concatenate(self.examples), "row": rows}
        return kept if self.codes is None else {**kept, "codes": self.codes.cpu().numpy()}

    @property
    def png(self) -> bytes:
        """The picture, as a PNG file."""
        kind = self.data.spec.kind
        if kind == "image":
            numbers = self.style == "numbers"
            return sheets.png(captioned(self.examples, [] if numbers else self.captions, numbers=numbers))
        if kind != "points":
            return sheets.sheet(self.data.spec, np.concatenate(self.examples))
        split = max(("test", "train"), key=lambda name: min(self.data.size(name), BESIDE))
        beside = self.data.examples(min(BESIDE, self.data.size(split)), split, seed=0).x
        return plot(self.examples, self.captions, self.data.spec.to_user(beside), self.style, self.data.spec.columns)


def captioned(rows: Sequence[np.ndarray], captions: Sequence[str], *, numbers: bool = False) -> np.ndarray:
    """Rows of images (c, H, W, C) below one another, each row's caption on its left, or each image's number on it."""
    from PIL import Image, ImageDraw, ImageFont

    most = max(map(len, rows))
    blank = np.full((1, *rows[0].shape[1:]), 255, np.uint8)
    filled = [np.concatenate([row, blank.repeat(most - len(row), 0)]) for row in rows]
    pixels = sheets.grid(np.concatenate(filled), most)
    across, down = pixels.shape[1] / most, pixels.shape[0] / len(rows)
    font = ImageFont.load_default(max(11, min(18, round(down / 4))))
    longest = max((font.getlength(line) for text in captions for line in text.splitlines()), default=0)
    margin = int(longest) + 12 if longest else 0
    canvas = np.full((pixels.shape[0], pixels.shape[1] + margin, 3), 255, np.uint8)
    canvas[:, margin:] = pixels
    picture = Image.fromarray(canvas)
    draw = ImageDraw.Draw(picture)
    for i, text in enumerate(captions):
        draw.multiline_text((6, (i + 0.5) * down), text, (0, 0, 0), font, anchor="lm")
    for place in range(len(rows) * most if numbers else 0):
        at = (place % most * across + 4, place // most * down + 3)
        draw.text(at, str(place), (255, 255, 255), font, stroke_width=2, stroke_fill=(0, 0, 0))
    return np.asarray(picture)


def plot(
    rows: Sequence[np.ndarray], captions: Sequence[str], beside: np.ndarray, style: Style,
    columns: tuple[str, ...] = (),
) -> bytes:  # fmt: skip
    """Points (c, d) in rows: the plane for d = 2, the data's first two principal axes above, place and value for 1."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = style == "panels"
    across = min(3, len(rows)) if panels else 1
    down = -(-len(rows) // across) if panels else 1
    figure = Figure(figsize=(3.2 * across, 3.2 * down) if panels else (6, 6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True).ravel()
    groups, behind = _flat(rows, beside)
    for plane in axes[: len(rows) if panels else 1]:
        plane.scatter(*behind.T, s=3, color="0.8", linewidths=0, label="data")
    for i, (group, caption) in enumerate(zip(groups, captions, strict=True)):
        if panels:
            axes[i].scatter(*group.T, s=4, color="C0", alpha=0.6, linewidths=0)
            axes[i].set_title(caption, fontsize=9)
        else:
            _row(axes[0], group, caption, f"C{i % 10}", style)
    for spare in axes[len(rows) if panels else 1 :]:
        spare.set_axis_off()
    names = columns[:2] if len(columns) >= 2 and rows[0].shape[1] == 2 else ("", "")
    names = ("first principal axis of the data", "second") if rows[0].shape[1] > 2 else names
    figure.supxlabel(names[0], fontsize=9)
    figure.supylabel(names[1], fontsize=9)
    if not panels and len(captions) <= 12:
        axes[0].legend(loc="upper right", fontsize=8, framealpha=0.8)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def _row(axes: Any, group: np.ndarray, caption: str, colour: str, style: Style) -> None:
    if style == "trails":
        axes.plot(*group.T, "-", color=colour, linewidth=1, alpha=0.7)
    axes.scatter(*group.T, s=14, color=colour, linewidths=0, label=caption)
    if style == "numbers":
        for number, point in enumerate(group):
            axes.annotate(str(number), point, fontsize=7, xytext=(3, 3), textcoords="offset points")
    else:
        axes.scatter(*group[:1].T, s=46, facecolors="white", edgecolors=colour, zorder=3)


def _flat(rows: Sequence[np.ndarray], beside: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Rows and data as points of the plane."""
    if beside.shape[1] == 1:
        places = [np.stack([np.arange(len(row)), row[:, 0]], 1) for row in rows]
        return places, np.stack([np.full(len(beside), -1.0), beside[:, 0]], 1)
    if beside.shape[1] == 2:
        return list(rows), beside
    centre = beside.mean(0)
    axes = np.linalg.svd(beside - centre, full_matrices=False)[2][:2].T
    return [(row - centre) @ axes for row in rows], (beside - centre) @ axes
