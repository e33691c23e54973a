"""What does a grid of a two-dimensional code show of the data?

    x_ij = G(Phi^-1(u_i), Phi^-1(u_j)),   u_i = (i - 1/2) / n,   Phi the standard normal's distribution function
    q(z | x) = N(mu(x), sigma(x)^2 I),   p(z) = N(0, I),   z in the plane

The cells of the grid hold equal shares of the prior. A vae is trained on images and the grid decoded. It is a map of
the data if it is smooth and has room for all classes: neighbours on the grid must differ by a quarter of what two cells
at random differ by, at most, in mean squared pixels. Each cell is given the label of the nearest training image; 0.6 of
all neighbours must agree in it where chance is a tenth, and 7 of the classes of 10 must be seen. Held-out codes must
tell labels: the nearest training code's label is right in half of them. Limits for ten classes; others in proportion.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, SIZE, labelled, panels, sheet

SOURCES = ("001",)
MORE = ("Kingma and Welling (2014), arXiv:1312.6114",)


def run(bench: Bench) -> Outcome:
    side = bench.pick(12, 20)
    rounds = bench.pick(600, 4_000)

    def once(trial: Trial) -> dict[str, Any]:
        recipe = make("vae", "small", latent=2, network="mlp", hidden=bench.pick(128, 256), rounds=rounds,
                      adam={"lr": bench.pick(3e-3, 1e-3)})  # fmt: skip
        game = trial.play(recipe)
        train = trial.data.examples(min(trial.data.size(), 5_000), seed=trial.seed)
        held = trial.data.examples(min(trial.data.size("test"), 1_000), "test")
        assert train.labels is not None and held.labels is not None
        q = torch.special.ndtri((torch.arange(side) + 0.5) / side)
        images = game.decode(torch.cartesian_prod(-q, q).flip(1))  # z_1 to the right, z_2 upwards
        nearest = torch.cdist(images.flatten(1), train.x.flatten(1)).argmin(1)
        labels, cells = train.labels[nearest].view(side, side), images.view(side, side, -1)
        steps = torch.cat([(cells[1:] - cells[:-1]).square().mean(2).flatten(),
                           (cells[:, 1:] - cells[:, :-1]).square().mean(2).flatten()])  # fmt: skip
        flat = cells.flatten(0, 1)
        same = torch.cat([(labels[1:] == labels[:-1]).flatten(), (labels[:, 1:] == labels[:, :-1]).flatten()])
        codes, own = game.encode(held.x), game.encode(train.x)
        told = train.labels[torch.cdist(codes, own).argmin(1)]
        return {
            "images": images, "codes": codes, "labels": held.labels, "classes": len(labels.unique()),
            "of": trial.data.spec.classes, "agree": float(same.double().mean()),
            "steps": float(steps.mean() / (2 * flat.var(0).mean())),
            "told": float((told == held.labels).double().mean()),
        }  # fmt: skip

    runs = bench.each(once)
    return Outcome(
        (
            below("difference of neighbours on the grid, over that of two cells", [f["steps"] for f in runs], 0.25),
            above("share of neighbours with one label", [f["agree"] for f in runs], 0.6),
            above("share of classes on the grid", [f["classes"] / f["of"] for f in runs], 0.7),
            above("share of held-out codes with the nearest training code's label", [f["told"] for f in runs], 0.5),
        ),
        {"images": runs[0]["images"], "side": side, "codes": runs[0]["codes"], "labels": runs[0]["labels"]},
        "Left, the plane decoded: classes have their regions, and turn into one another where these meet. Right, where "
        "held-out images lie: neighbouring classes are those that look alike.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    grid, plane = panels(figure, 2)
    figure.set_size_inches(SIZE[0], 3.9)
    sheet(grid, told["images"], told["side"])
    grid.set(title="decoded grid of normal quantiles", xlabel="z_1", ylabel="z_2")
    codes, labels = np.asarray(told["codes"]), np.asarray(told["labels"])
    for k in np.unique(labels):
        here = codes[labels == k]
        plane.plot(*here.T, ".", color=f"C{k % len(COLOURS)}", markersize=3, alpha=0.5)
        x, y = np.median(here, 0)
        plane.text(x, y, str(k), weight="bold", ha="center", va="center",
                   bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1})  # fmt: skip
    plane.set(xlim=(-3.5, 3.5), ylim=(-3.5, 3.5), aspect="equal")
    labelled(plane, "z_1", "z_2", "mean codes of held-out images, by label")
