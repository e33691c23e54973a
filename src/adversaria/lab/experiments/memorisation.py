"""Can a model that copies its training images be told from a good one and from a poor one?

    AUC = P(L(y) > L(x')) + P(L(y) = L(x')) / 2,   L(z) = way to the nearest training image, x' held out
    1/2: as new as new data;   towards 0: copies;   towards 1: misses the data

Three models: a memoriser, which draws training images and adds noise of sd 0.02 to their pixels; a good one, for which
the other half of the real images stands, so that what it draws is new and right; and an underfit one, a VAE stopped
after a few rounds. Each draws as many as there are held-out images; the training set is the first half of the images.
The memoriser's AUC must be 0.1 or less, the underfit model's 0.75 or more, the good one's 1/2 +- 0.1. A DCGAN, trained
on all of the images, stands beside them without a limit.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.lab.bench import Bench, Outcome, above, below, near
from adversaria.lab.figures import COLOURS, SIZE, labelled, sheet
from adversaria.metrics import data_copying

SOURCES = ("002",)
MORE = ("Meehan, Chaudhuri and Dasgupta (2020), arXiv:2004.05675",)
SHOWN = 8


def run(bench: Bench) -> Outcome:
    underfit = make("vae", latent=8, rounds=30)
    good = make("dcgan", width=16, rounds=bench.pick(400, 2_000), adam={"lr": 1e-3})
    shown: dict[str, Any] = {}

    def once(trial: Trial) -> tuple[dict[str, float], dict[str, Tensor]]:
        images = trial.data.examples(min(trial.data.size(), 10_000), "train", seed=trial.seed).x
        test = trial.data.examples(min(trial.data.size("test"), 1_000), "test").x
        half = len(images) // 2
        train, n = images[:half], min(len(test), half)
        torch.manual_seed(trial.seed)
        copies = train[torch.randint(half, (n,))]
        models = {
            "memoriser": copies + 0.02 * torch.randn_like(copies),
            "new real images": images[half : half + n],
            "underfit VAE": trial.play(underfit).sample(n, seed=1).cpu(),
            "DCGAN": trial.play(good).sample(n, seed=1).cpu(),
        }
        found, ways = {}, {}
        for name, y in models.items():
            seen = images if name == "DCGAN" else train
            rows = {"train": seen.flatten(1), "test": test.flatten(1), "generated": y.flatten(1)}
            found[name] = data_copying(train=rows["train"], test=rows["test"], generated=rows["generated"]).value
            near_, at = torch.cdist(rows["generated"], rows["train"]).min(1)
            ways[name] = near_
            if trial.seed == 0:
                shown[name] = torch.cat([y[:SHOWN], seen[at[:SHOWN]]])
        ways["held-out images"] = torch.cdist(test.flatten(1), train.flatten(1)).min(1).values
        return found, ways

    runs = bench.each(once)
    values = {name: [found[name] for found, _ in runs] for name in runs[0][0]}
    return Outcome(
        (
            below("AUC of the memoriser", values["memoriser"], 0.1),
            near("AUC of new real images", values["new real images"], 0.5, 0.1),
            above("AUC of the underfit VAE", values["underfit VAE"], 0.75),
        ),
        {"ways": runs[0][1], "shown": shown, "AUC": values},
        "In each sheet the samples are above, their nearest training images below. The memoriser's are the same; those "
        "of new images differ as new images do; the underfit model's are blurs near nothing.",
    )


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    figure.set_size_inches(SIZE[0], 5.4)
    grid = figure.add_gridspec(3, 2, height_ratios=(2.6, 1, 1))
    axes = figure.add_subplot(grid[0, :])
    for i, (name, ways) in enumerate(told["ways"].items()):
        x = np.sort(np.asarray(ways))
        style = "dashed" if name == "held-out images" else "solid"
        auc = f", AUC {np.median(told['AUC'][name]):.2f}" if name in told["AUC"] else ""
        axes.plot(x, np.arange(1, len(x) + 1) / len(x), color=COLOURS[i], linestyle=style, label=f"{name}{auc}")
    labelled(axes, "way to the nearest training image (pixels in [-1, 1])", "share that is nearer")
    for i, (name, images) in enumerate(told["shown"].items()):
        place = figure.add_subplot(grid[1 + i // 2, i % 2])
        sheet(place, images, SHOWN)
        place.set_title(name)
