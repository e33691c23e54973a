"""Which earlier pixels does a stack of masked convolutions never see, however deep it is?

    p(x) = prod_i p(x_i | x_<i),   i in raster order;   pixel i sees j where d log p(x_i | x_<i) / d x_j is not 0
    one layer of 3 x 3 sees the row above and the pixel left: a step to the right costs a row up
    first layer of 7 x 7, so that i never sees the pixel r rows up and c columns right of it if c > r + 2

Gradients of the law of every pixel of a 13 x 13 image, in double precision, summed in size over random images, of fresh
pixelcnn and gated-pixelcnn recipes of several depths: masks are exact, so that what isn't seen has gradient 0 to the
last bit, and with 16 channels no path runs through dead units alone. The pixelcnn's map must be, for every depth and
every pair of pixels, the one that follows from walking its kernels through the image, and at 12 layers, enough to cross
the image, the missed pairs must be those of the formula. With two stacks, one for the rows above and one for the row
itself, no earlier pixel may be missed at that depth. No pixel of either may ever see itself or a later one.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.data import DataSpec
from adversaria.game import seeded
from adversaria.lab.bench import Bench, Outcome, near
from adversaria.lab.figures import COLOURS, SIZE

SOURCES = ("001",)
MORE = ("van den Oord et al. (2016), arXiv:1606.05328, Figure 1", "van den Oord et al. (2016), arXiv:1601.06759")
SIDE, SHOWN = 13, (8, 5)
"""Pixels on a side; row and column of the pixel that is drawn."""
Y, X = torch.arange(SIDE**2) // SIDE, torch.arange(SIDE**2) % SIDE
NAMES = ("pixelcnn", "gated-pixelcnn")


def sight(name: str, layers: int, seed: int) -> Tensor:
    """Whether pixel i's law has a gradient at pixel j, bool (i, j)."""
    with seeded(seed):
        game = make(name, width=16, layers=layers).build(DataSpec("image", (1, SIDE, SIDE), levels=2)).double()
        x = torch.randn(4, 1, SIDE, SIDE).double().requires_grad_()
    law = game.abilities["law"](x)[..., 0].sum(0)
    rows = [torch.autograd.grad(one, x, retain_graph=True)[0].abs().sum(0).flatten() for one in law]
    return torch.stack(rows) > 0


def walks(layers: int) -> Tensor:
    """What the pixelcnn's kernels reach, bool (i, j): 7 x 7 without the middle, then `layers` times 3 x 3 with it."""

    def step(reach: int, itself: bool) -> Tensor:
        up, right = (place[None, :] - place[:, None] for place in (Y, X))
        near = (up.abs() <= reach) & (right.abs() <= reach)
        return near & ((up < 0) | ((up == 0) & ((right <= 0) if itself else (right < 0))))

    seen = torch.eye(SIDE**2)
    for _ in range(layers):
        seen = ((seen @ step(1, itself=True).float()) > 0).float()
    return (seen @ step(3, itself=False).float()) > 0


def run(bench: Bench) -> Outcome:
    depths = bench.pick([1, 12], [1, 2, 4, 8, 12])
    up, right = Y[:, None] - Y, X - X[:, None]
    earlier = torch.ones(SIDE**2, SIDE**2, dtype=torch.bool).tril(-1)
    formula = earlier & (up > 0) & (right > up + 2)

    def once(trial: Trial) -> dict[str, Tensor]:
        return {name: torch.stack([sight(name, layers, trial.seed) for layers in depths]) for name in NAMES}

    runs = bench.each(once)
    known = torch.stack([walks(layers) for layers in depths])

    def count(pairs: Any) -> list[float]:
        return [float(pairs(found).sum()) for found in runs]

    missed = {name: (earlier & ~runs[0][name]).sum((1, 2)).tolist() for name in NAMES}
    at = SHOWN[0] * SIDE + SHOWN[1]
    return Outcome(
        (
            near("pairs of pixels where pixelcnn's gradients and its kernels' walks differ",
                 count(lambda found: found["pixelcnn"] ^ known), 0.0, 0.0),
            near(f"pairs missed by pixelcnn at {depths[-1]} layers", count(lambda f: earlier & ~f["pixelcnn"][-1]),
                 float(formula.sum()), 0.0, exact="by the formula"),
            near("pairs where they and the formula differ", count(lambda f: formula ^ (earlier & ~f["pixelcnn"][-1])),
                 0.0, 0.0),
            near(f"pairs missed by gated-pixelcnn at {depths[-1]} layers",
                 count(lambda f: earlier & ~f["gated-pixelcnn"][-1]), 0.0, 0.0),
            near("pairs of a pixel and itself or a later one that are seen, all depths of both",
                 count(lambda f: torch.stack([f[name] & ~earlier for name in NAMES])), 0.0, 0.0),
        ),
        {"layers": depths, "missed": missed, "of": int(earlier.sum())}
        | {name: runs[0][name][:, at].view(-1, SIDE, SIDE).int() for name in NAMES},
        "The wedge above the pixel and right of it is missed by masked convolutions at any depth: the blind spot. "
        "Two stacks see all rows above and all of the row to the left as soon as they are deep enough.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    depths = told["layers"]
    figure.set_size_inches(SIZE[0], 2 * SIZE[0] / max(len(depths), 4) + 0.9)
    colours = ("#ffffff", COLOURS[5], COLOURS[1], COLOURS[6])
    for row, name in zip(figure.subplots(2, len(depths)), NAMES, strict=True):
        for axes, layers, seen, missed in zip(row, depths, np.asarray(told[name]), told["missed"][name], strict=True):
            place = np.arange(SIDE**2).reshape(SIDE, SIDE)
            at = place[SHOWN]
            what = np.where(place == at, 3, np.where(seen > 0, 1, np.where(place < at, 2, 0)))
            axes.imshow(what, cmap=ListedColormap(colours), vmin=0, vmax=3, interpolation="nearest")
            axes.set_title(
                f"{layers} layer{'s' * (layers > 1)}\n{100 * missed / told['of']:.0f}% of pairs missed", fontsize=8
            )
            axes.set(xticks=np.arange(SIDE + 1) - 0.5, yticks=np.arange(SIDE + 1) - 0.5, xticklabels=[], yticklabels=[])
            axes.tick_params(length=0)
        row[0].set_ylabel(name)
    words = ("later", "earlier, seen", "earlier, not seen", "the pixel itself")
    marks = [Patch(facecolor=c, edgecolor=COLOURS[7], label=w) for c, w in zip(colours, words, strict=True)]
    figure.legend(handles=marks, loc="outside lower center", ncols=4)
