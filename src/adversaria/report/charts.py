"""Line charts as SVG: thin enough to embed, light, the same colour for the same player everywhere."""

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from adversaria.report.reading import Span
from adversaria.report.wording import clip, figure

PALETTE = ("#2563a8", "#c2571a", "#2e8555", "#7a4fb0", "#b32d4b", "#117a85", "#80701a", "#5b6472")
"""Of the players, in the order in which they first move."""
DASHES = ("solid", "dashed", "dotted", "dashdot")
SHADES = (0.0, 0.42, -0.45)
PIXELS = 420
"""Columns a curve is thinned to; each keeps its least and greatest value."""
BAND = "#dfe5ee"
SIZE = (5.4, 2.75)
"""Inches."""
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "adversaria",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Segoe UI", "Helvetica Neue", "Arial"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#b9bec6",
    "axes.labelcolor": "#5b6472",
    "axes.grid": True,
    "axes.unicode_minus": True,
    "grid.color": "#eceef1",
    "xtick.color": "#5b6472",
    "ytick.color": "#5b6472",
    "lines.linewidth": 1.4,
    "lines.solid_joinstyle": "round",
    "path.simplify": True,
}


@dataclass(frozen=True)
class Line:
    """A curve over rounds."""

    name: str
    x: np.ndarray
    y: np.ndarray
    """Not finite where there is nothing to draw."""
    colour: str
    dashes: str = "solid"
    ends: tuple[np.ndarray, np.ndarray] | None = None
    """Lower and upper ends of intervals, drawn as bars."""
    band: tuple[np.ndarray, np.ndarray] | None = None
    """Lower and upper ends of what two real sets have, drawn as a shade."""
    noisy: bool = False
    """Whether a running mean is drawn over the pale curve."""


def shade(colour: str, index: int) -> tuple[str, str]:
    """The colour and dashes of a player's term: shades of the player's colour, then dashes."""
    amount = SHADES[index % len(SHADES)]
    mixed = np.array(to_rgb(colour)) * (1 - abs(amount)) + (amount > 0) * abs(amount)
    return to_hex(mixed.tolist()), DASHES[index // len(SHADES) % len(DASHES)]


def thin(x: np.ndarray, y: np.ndarray, pixels: int = PIXELS) -> tuple[np.ndarray, np.ndarray]:
    """The least and greatest value in each of so many columns, in their order; gaps stay gaps."""
    if len(x) <= 2 * pixels:
        return x, y
    edges = np.searchsorted(x, np.linspace(x[0], x[-1], pixels + 1)[1:-1])
    kept: list[int] = []
    for part in np.split(np.arange(len(x)), edges):
        finite = part[np.isfinite(y[part])]
        if len(finite):
            kept += sorted({int(finite[y[finite].argmin()]), int(finite[y[finite].argmax()])})
        else:
            kept += part[:1].tolist()
    return x[kept], y[kept]


def smooth(y: np.ndarray, fraction: float = 0.02) -> np.ndarray:
    """The mean over a window of this fraction of the curve, of what is finite in it."""
    window = np.ones(max(3, int(len(y) * fraction) | 1))
    known = np.isfinite(y)
    weight = np.convolve(known, window, "same")
    total = np.convolve(np.where(known, y, 0.0), window, "same")
    return np.where(weight > 0.5, total / np.maximum(weight, 1), np.nan)


def chart(lines: Sequence[Line], stages: Sequence[Span] = (), *, log: bool = False) -> bytes:
    """An SVG of the lines over rounds, with the stages' boundaries where there are several."""

    def paint(axes) -> None:
        for line in lines:
            _draw(axes, line)
        _scale(axes, lines, log)
        axes.set_xlabel("round")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
        if len(stages) > 1:
            _boundaries(axes, stages)

    return _svg(SIZE, paint)


Point = tuple[str, float, float, tuple[float, float], tuple[float, float], bool]
"""Name, x, y, the ends of x's and of y's interval, and whether it is what real sets have."""


def plane(points: Sequence[Point], x: str, y: str) -> bytes:
    """An SVG of points with intervals in the unit square."""

    def paint(axes) -> None:
        for name, left, up, ends_x, ends_y, real in points:
            bars = [np.nan_to_num(np.abs(np.array(e) - v))[:, None] for v, e in ((left, ends_x), (up, ends_y))]
            axes.errorbar([left], [up], bars[1], bars[0], color=PALETTE[-1 if real else 0], marker="s" if real else "o",
                          markersize=5, capsize=2, elinewidth=1, linestyle="none", label=name)  # fmt: skip
        axes.set(xlim=(-0.03, 1.06), ylim=(-0.03, 1.06), xlabel=x, ylabel=y)
        axes.legend(loc="lower left", frameon=False, fontsize=8)

    return _svg((4.2, 3.55), paint)


def _svg(size: tuple[float, float], paint: Callable[[Any], None]) -> bytes:
    stream = io.BytesIO()
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of glyphs that the measuring font lacks: the browser has its own
        canvas = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(canvas)
        paint(canvas.add_subplot())
        canvas.savefig(
            stream, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")), transparent=True
        )
    return stream.getvalue()[stream.getvalue().index(b"<svg") :]  # without the prologue and its DTD


def _draw(axes, line: Line) -> None:
    style = {"color": line.colour, "linestyle": line.dashes}
    if line.band is not None:
        known = np.isfinite(line.band[0]) & np.isfinite(line.band[1])
        low, high = line.band[0][known], line.band[1][known]
        if len(low) == 1:
            axes.axhspan(low[0], high[0], color=BAND, linewidth=0)
        elif len(low):
            axes.fill_between(line.x[known], low, high, color=BAND, linewidth=0)
    if line.ends is not None:
        reach = [np.maximum(np.nan_to_num(part, posinf=0, neginf=0), 0) for part in
                 (line.y - line.ends[0], line.ends[1] - line.y)]  # fmt: skip
        axes.errorbar(line.x, line.y, reach, **style, marker="o", markersize=3.5, capsize=2, elinewidth=1)
        return
    smoothed = line.noisy and len(line.x) > 100
    marker = {"marker": "o", "markersize": 3} if len(line.x) <= 30 else {}
    axes.plot(*thin(line.x, line.y), **style, **marker, alpha=0.28 if smoothed else 1.0,
              linewidth=0.8 if smoothed else None)  # fmt: skip
    if smoothed:
        axes.plot(*thin(line.x, smooth(line.y), PIXELS // 2), **style)


def _scale(axes, lines: Sequence[Line], log: bool) -> None:
    if not log:
        if max(map(abs, axes.get_ylim())) >= 1e4:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: figure(v)))
        return
    values = np.concatenate([line.y for line in lines])
    values = values[np.isfinite(values) & (values > 0)]
    axes.set_yscale("log", nonpositive="mask")
    near = len(values) > 0 and values.max() / values.min() < 50
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if near else (1,), numticks=8))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _boundaries(axes, stages: Sequence[Span]) -> None:
    """A line where each stage begins, and its name where it has room."""
    low, high = axes.get_xlim()
    axes.set_title(" ", fontsize=8)  # room for the names
    for stage in stages:
        left, right = max(stage.first - 0.5, low), min(stage.last + 0.5, high)
        room = int(66 * (right - left) / (high - low))
        if left > low and stage.first > stages[0].first and right > left:
            axes.axvline(left, color="#8a919c", linewidth=0.9, linestyle=(0, (3, 3)))
        if room >= 5:
            name = "".join(c if c.isprintable() else "·" for c in stage.name)
            label = axes.annotate(clip(name, room), (left, 1.0), (3, 2), xycoords=("data", "axes fraction"),
                                  textcoords="offset points", fontsize=8, color="#5b6472")  # fmt: skip
            label.set_in_layout(False)
    axes.set_xlim(low, high)
