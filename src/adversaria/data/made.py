"""Data that need no file: points in the plane with known densities, four binary images, scikit-learn's 8 x 8 digits."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from adversaria.data.splits import generator
from adversaria.errors import UserError, unknown

Drawn = tuple[np.ndarray, np.ndarray | None]
"""Points (n, 2) and, where they come in modes, the mode of each (n,)."""


class Modes(NamedTuple):
    """The centres (k, 2) of equal Gaussians and their common standard deviation."""

    centres: np.ndarray
    sd: float


_TURN = 2 * np.pi * np.arange(8) / 8
_LINE = np.arange(-4.0, 5.0, 2.0)
_MODES = {
    "ring8": Modes(2 * np.stack([np.cos(_TURN), np.sin(_TURN)], 1), 0.02),
    "grid25": Modes(np.stack(np.meshgrid(_LINE, _LINE, indexing="ij"), -1).reshape(-1, 2), 0.05),
}


def modes(name: str) -> Modes:
    """The modes of `ring8` (radius 2, sd 0.02) or `grid25` ({-4, -2, 0, 2, 4} squared, sd 0.05).

    Raises UserError for data without known modes.
    """
    if name not in _MODES:
        raise unknown("data with modes", name, _MODES)
    return _MODES[name]


def _mixture(name: str) -> Callable[[int, np.random.Generator], Drawn]:
    def draw_mixture(n: int, rng: np.random.Generator) -> Drawn:
        centres, sd = _MODES[name]
        labels = rng.integers(len(centres), size=n)
        return centres[labels] + sd * rng.standard_normal((n, 2)), labels

    return draw_mixture


def _spiral(n: int, rng: np.random.Generator) -> Drawn:
    """Two arms of one and a half turns out to radius 3, sd 0.1; the label is the arm."""
    labels = rng.integers(2, size=n)
    angle = 3 * np.pi * np.sqrt(rng.random(n))
    radius = np.where(labels == 0, 1.0, -1.0) * angle / np.pi
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return points + 0.1 * rng.standard_normal((n, 2)), labels


def _swiss_roll(n: int, rng: np.random.Generator) -> Drawn:
    """One arm from 1.5 pi to 4.5 pi, in units of 5, sd 0.1."""
    angle = 1.5 * np.pi * (1 + 2 * rng.random(n))
    points = np.stack([angle * np.cos(angle), angle * np.sin(angle)], 1) / 5
    return points + 0.1 * rng.standard_normal((n, 2)), None


def _two_moons(n: int, rng: np.random.Generator) -> Drawn:
    """Two interleaved half circles of radius 1, sd 0.1; the label is the moon."""
    labels = rng.integers(2, size=n)
    angle = np.pi * rng.random(n)
    upper = np.stack([np.cos(angle), np.sin(angle)], 1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], 1)
    points = np.where(labels[:, None] == 0, upper, lower)
    return points + 0.1 * rng.standard_normal((n, 2)), labels


def _checkerboard(n: int, rng: np.random.Generator) -> Drawn:
    """Uniform on the 8 dark squares, of side 2, of the board [-4, 4] squared."""
    x = rng.uniform(-2, 2, n)
    y = rng.random(n) - 2 * rng.integers(2, size=n) + np.floor(x) % 2
    return 2 * np.stack([x, y], 1), None


def _parallel_lines(n: int, rng: np.random.Generator) -> Drawn:
    """The vertical unit segments x = 0 and x = 1 (arXiv:1701.07875, example 1); the label is the segment."""
    labels = rng.integers(2, size=n)
    return np.stack([labels.astype(float), rng.random(n)], 1), labels


POINTS: dict[str, Callable[[int, np.random.Generator], Drawn]] = {
    "ring8": _mixture("ring8"),
    "grid25": _mixture("grid25"),
    "spiral": _spiral,
    "swiss-roll": _swiss_roll,
    "two-moons": _two_moons,
    "checkerboard": _checkerboard,
    "parallel-lines": _parallel_lines,
}
"""The data sets of points in the plane."""


def draw(name: str, n: int, seed: int) -> Drawn:
    """`n` fresh points of a made set, float32 (n, 2), with their modes, int64 (n,), or None.

    Raises UserError for an unknown name or a negative number.
    """
    if name not in POINTS:
        raise unknown("made data", name, POINTS)
    if n < 0:
        raise UserError(f"{n} points asked for; ask for 0 or more")
    points, labels = POINTS[name](n, generator(seed))
    return points.astype(np.float32), labels


def four_points(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The 2 x 2 binary images with one pixel on (arXiv:1701.04722, Section 6.1): 0/1 (n, 4), and which is on (n,).

    Each of the four equally often, to within one, in an order that `seed` decides. Their entropy is log 4 nats, so no
    model's mean log-likelihood is above -1.386.

    Raises UserError for a negative number.
    """
    if n < 0:
        raise UserError(f"{n} points asked for; ask for 0 or more")
    labels = generator(seed).permutation(np.arange(n) % 4)
    return np.eye(4, dtype=np.float32)[labels], labels


def digits() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's 1,797 handwritten digits, uint8 (n, 8, 8, 1) scaled from 0..16 to 0..255, and labels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images = np.rint(found.images * (255 / 16)).astype(np.uint8)
    return images[..., None], found.target.astype(np.int64)
