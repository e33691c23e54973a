"""Does a pair of equal samples in a batch of s say that a model knows about s^2 different ones?

    P(no two of s draws are equal) = prod_{i < s} (1 - i / N)      even chances at s = 1.18 sqrt(N)
    N^ = s (s - 1) / (2 C),   C equal pairs among s draws          1 / sum p^2: N for a uniform law

First on laws whose support is known: uniform on N of the images. In 400 batches of the s at which a duplicate is as
likely as not, the share with one must be 1/2 +- 0.1, 4 standard errors, and N^ from 1,500 draws within 30 % of N. Then
on trained models, where two samples count as one below the distance that 1 % of real images have another within, in
pixels. A GAN that is given 50 codes only must be found out: N^ at most 50, with a fifth more for chance. The whole GAN
and a VAE must have at least four times that. Their closest pairs are shown, for a person to confirm that they are the
same picture; a VAE's samples are blurred, and come near each other without being equal.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.lab.bench import Bench, Outcome, above, below, near
from adversaria.lab.figures import COLOURS, SIZE, labelled, sheet
from adversaria.metrics import birthday
from adversaria.metrics.support import closest, even_draws

SOURCES = ("002",)
MORE = ("Arora and Zhang (2017), arXiv:1706.08224",)
CODES, BATCHES, PAIRS = 50, 400, 10


def run(bench: Bench) -> Outcome:
    sizes = [16, 64, 256, 1_024]
    models = {
        "GAN": make("dcgan", width=16, rounds=bench.pick(400, 2_000), adam={"lr": 1e-3}),
        "VAE": make("vae", latent=8, rounds=bench.pick(150, 2_000)),
    }
    shown: dict[str, Any] = {}

    def once(trial: Trial) -> dict[str, Any]:
        x = trial.data.examples(sizes[-1], "train").x.flatten(1)
        torch.manual_seed(trial.seed)
        shares, estimates = [], []
        for N in sizes:
            s = even_draws(N)
            shares.append(float(np.mean([len(torch.randint(N, (s,)).unique()) < s for _ in range(BATCHES)])))
            estimates.append(birthday(generated=x[torch.randint(N, (1_500,))], threshold=0).value)
        held = trial.data.examples(trial.data.size("test"), "test").x.flatten(1)
        support, limits = {}, {}
        for name, recipe in models.items():
            game = trial.play(recipe)
            samples = {name: game.sample(1_500, seed=1).cpu()}
            if name == "GAN":
                few = game.decode(game.latent(CODES, seed=2)).cpu()
                samples[f"GAN of {CODES} codes"] = few[torch.randint(CODES, (1_500,))]
            for kind, y in samples.items():
                found = birthday(generated=y.flatten(1), real=held)
                support[kind], limits[kind] = found.value, found.interval
                if trial.seed == 0 and kind in models:
                    pairs = closest(generated=y.flatten(1), count=PAIRS)
                    shown[kind] = torch.cat([y[pairs.first], y[pairs.second]])
        real = birthday(generated=held, real=held)
        return {"shares": shares, "estimates": estimates, "support": support | {"real images": real.value},
                "limits": limits | {"real images": real.interval}}  # fmt: skip

    runs = bench.each(once)
    off = [float(np.max(np.abs(np.array(run["estimates"]) / sizes - 1))) for run in runs]
    few = [run["support"][f"GAN of {CODES} codes"] for run in runs]
    found = [
        near("share of batches with a duplicate, furthest from 1/2 of all N",
             [max(run["shares"], key=lambda share: abs(share - 0.5)) for run in runs], 0.5, 0.1, exact="by counting"),
        below("largest relative error of N^ on known supports", off, 0.3),
        below(f"N^ of the GAN of {CODES} codes", few, 1.2 * CODES, "examples"),
    ]  # fmt: skip
    for name in models:
        ratio = [run["support"][name] / n for run, n in zip(runs, few, strict=True)]
        found.append(above(f"N^ of the whole {name}, over that", ratio, 4.0))
    return Outcome(
        tuple(found),
        {"N": sizes, "estimates": [run["estimates"] for run in runs], "support": runs[0]["support"],
         "limits": runs[0]["limits"], "pairs": shown},
        "On known supports the estimate is right from 16 to 1,024. Below are the closest pairs among 1,500 samples, "
        "one above the other: are they the same picture?",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    figure.set_size_inches(SIZE[0], 6.0)
    grid = figure.add_gridspec(2, 2, height_ratios=(3, 2))
    known, trained = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    known.plot(told["N"], told["N"], color=COLOURS[7], label="truth")
    known.plot(told["N"], np.median(told["estimates"], 0), "o", color=COLOURS[0], label="N^")
    known.set(xscale="log", yscale="log")
    labelled(known, "images N in the support", "estimate N^", "known supports")
    for i, (kind, value) in enumerate(told["support"].items()):
        low, high = told["limits"][kind]
        if np.isfinite(value):
            trained.plot([low, min(high, 1e8)], [i, i], color=COLOURS[i])
        trained.plot([value if np.isfinite(value) else low], [i], "o" if np.isfinite(value) else ">", color=COLOURS[i])
    trained.set(xscale="log", yticks=range(len(told["support"])), yticklabels=list(told["support"]), ylim=(-0.5, 3.5))
    labelled(trained, "N^ with its 95 % interval", "", "trained models (> from here on)")
    for j, (kind, pairs) in enumerate(told["pairs"].items()):
        axes = figure.add_subplot(grid[1, j])
        sheet(axes, pairs, PAIRS)
        axes.set_title(f"{kind}: the ten closest pairs")
