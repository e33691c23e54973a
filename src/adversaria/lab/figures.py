"""One style for all figures of the lab: colours that differ for colour-blind eyes too, axes that say their units."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import torch
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from adversaria.report.charts import STYLE

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a8a8a")
"""Okabe and Ito's, then a grey."""
MAP = "viridis"
"""For values over a plane; `cividis` and `RdBu_r` are the other two that may be used."""
SIZE = (7.2, 3.0)
"""Inches."""
DPI = 110
LOOK: dict[Any, Any] = {
    **STYLE, "text.parse_math": True, "axes.prop_cycle": cycler(color=COLOURS), "image.cmap": MAP,
    "axes.titlesize": 9, "legend.edgecolor": "none", "legend.fontsize": 8, "axes.labelcolor": "#33383f",
    "axes.edgecolor": "#8b919a", "lines.linewidth": 1.5, "axes.axisbelow": True, "legend.framealpha": 0.85,
}  # fmt: skip


def png(draw: Callable[[Figure, Mapping[str, Any]], None], series: Mapping[str, Any]) -> bytes:
    """The figure that `draw` makes, as a PNG file; it may set another size."""
    stream = io.BytesIO()
    with matplotlib.rc_context(LOOK):
        figure = Figure(figsize=SIZE, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure, series)
        figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return stream.getvalue()


def panels(figure: Figure, columns: int, rows: int = 1, **options: Any) -> list[Axes]:
    """Axes in a row, or in several, from left to right and down."""
    figure.set_size_inches(SIZE[0], SIZE[1] * rows)
    return list(np.ravel(figure.subplots(rows, columns, **options)))


def labelled(axes: Axes, x: str, y: str, title: str = "", legend: bool = True) -> None:
    """Names the axes with their units, and shows a legend where there is something to name."""
    axes.set(xlabel=x, ylabel=y, title=title)
    if legend and axes.get_legend_handles_labels()[0]:
        axes.legend()


def curve(axes: Axes, x: Sequence[float], runs: Any, label: str, colour: str, **options: Any) -> None:
    """The median of runs (seeds, points), with a band from the least to the greatest where there are several."""
    y = np.atleast_2d(np.asarray(runs, dtype=float))
    axes.plot(x, np.median(y, 0), color=colour, label=label, **options)
    if len(y) > 1:
        axes.fill_between(x, y.min(0), y.max(0), color=colour, alpha=0.18, linewidth=0)


def field(f: Callable[[torch.Tensor], torch.Tensor], reach: float, points: int = 60) -> dict[str, Any]:
    """Values of a function of the plane, (n, 2) -> (n,), over [-reach, reach] x [-reach, reach], for `level_sets`."""
    line = torch.linspace(-reach, reach, points)
    with torch.no_grad():
        values = f(torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).reshape(-1, 2))
    return {"line": line, "values": values.view(points, points)}


def level_sets(axes: Axes, field: Mapping[str, Any]) -> None:
    """Lines on which a field has one value each."""
    axes.contour(field["line"], field["line"], field["values"], levels=14, linewidths=0.9)
    axes.set_aspect("equal")


def sheet(axes: Axes, images: Any, columns: int = 10) -> None:
    """Images (n, c, h, w) in [-1, 1] or (n, h, w, c) uint8, side by side."""
    x = np.asarray(images)
    if x.dtype != np.uint8:
        x = np.round((np.clip(x, -1, 1) + 1) * 127.5).astype(np.uint8).transpose(0, 2, 3, 1)
    n, h, w, c = x.shape
    rows = -(-n // columns)
    page = np.full((rows * (h + 1) - 1, columns * (w + 1) - 1, c), 255, dtype=np.uint8)
    for i, image in enumerate(x):
        top, left = (i // columns) * (h + 1), (i % columns) * (w + 1)
        page[top : top + h, left : left + w] = image
    axes.imshow(page if c == 3 else page[..., 0], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    for side in axes.spines.values():
        side.set_visible(False)
