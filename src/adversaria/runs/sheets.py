"""Pictures of examples: a grid of images, a scatter of points, rows of tokens."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from adversaria.data import DataSpec


def sheet(spec: DataSpec, examples: np.ndarray, columns: int | None = None, beside: np.ndarray | None = None) -> bytes:
    """A PNG of examples in user form.

    Args:
        spec: what they are.
        examples: (n, H, W, C) uint8 images, (n, d) points or bits, (n, T) tokens.
        columns: images in a row; about a square without.
        beside: for points, others to show behind them, such as data.
    """
    if spec.kind == "image":
        return png(grid(examples, columns))
    if spec.kind == "points":
        return scatter(examples, beside, spec.columns)
    return png(rows(examples, max(spec.categories, 2)))


def grid(images: np.ndarray, columns: int | None = None, least: int = 64) -> np.ndarray:
    """Images (n, H, W, C) side by side, enlarged by a whole factor until the shorter side has `least` pixels."""
    n, h, w, _ = images.shape
    columns = columns or math.ceil(n**0.5)
    lines = math.ceil(n / columns)
    factor = max(1, least // max(1, min(h, w)))
    gap = max(2, factor)
    canvas = np.full((lines * (h * factor + gap) + gap, columns * (w * factor + gap) + gap, 3), 255, np.uint8)
    for i, image in enumerate(colour(images)):
        y, x = gap + (i // columns) * (h * factor + gap), gap + (i % columns) * (w * factor + gap)
        canvas[y : y + h * factor, x : x + w * factor] = image.repeat(factor, 0).repeat(factor, 1)
    return canvas


def colour(images: np.ndarray) -> np.ndarray:
    """Images of any number of channels as RGB: one is grey, of two or more than three the first three are shown."""
    c = images.shape[-1]
    if c == 1:
        return images.repeat(3, -1)
    if c == 2:
        return np.concatenate([images, np.zeros_like(images[..., :1])], -1)
    return images[..., :3]


def rows(tokens: np.ndarray, categories: int) -> np.ndarray:
    """Rows of tokens or bits (n, T) as coloured cells."""
    import matplotlib

    palette = matplotlib.colormaps["viridis"](np.linspace(0, 1, categories))[:, :3]
    cells = (palette[tokens] * 255).astype(np.uint8)
    return cells.repeat(8, 0).repeat(max(1, 640 // max(1, tokens.shape[1])), 1)


def scatter(points: np.ndarray, beside: np.ndarray | None, columns: tuple[str, ...]) -> bytes:
    """Points (n, d): the plane for d = 2, a histogram for d = 1, the first two principal axes of the data above."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    labels = columns[:2] if len(columns) >= 2 and points.shape[1] == 2 else ("", "")
    if points.shape[1] > 2:
        axis = beside if beside is not None else points
        centre = axis.mean(0)
        _, _, v = np.linalg.svd(axis - centre, full_matrices=False)
        points, beside = (points - centre) @ v[:2].T, None if beside is None else (beside - centre) @ v[:2].T
        labels = ("first principal axis of the data", "second")
    if points.shape[1] == 1:
        edges = np.histogram_bin_edges(beside if beside is not None else points, 60).tolist()
        if beside is not None:
            axes.hist(beside[:, 0], edges, density=True, color="0.8", label="data")
        axes.hist(points[:, 0], edges, density=True, histtype="step", color="C0", label="samples")
    else:
        if beside is not None:
            axes.scatter(beside[:, 0], beside[:, 1], s=3, color="0.8", linewidths=0, label="data")
            low, high = beside.min(0), beside.max(0)
            margin = 0.15 * (high - low) + 1e-6
            axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
            axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
        axes.scatter(points[:, 0], points[:, 1], s=4, color="C0", alpha=0.6, linewidths=0, label="samples")
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    if beside is not None:
        axes.legend(loc="upper right", frameon=False, markerscale=3)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def png(pixels: np.ndarray) -> bytes:
    """A picture (H, W, 3) uint8 as a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
