"""Does a good likelihood mean good samples, or good samples a good likelihood?

    memoriser   p1(x) = mean_i N(x; x_i, eps^2 I) over the training images: training images and a little noise
    spoiler     p2 = 0.01 p + 0.99 noise:   log p2(x) >= log p(x) - log 100 for every x, and 99 % of samples are noise

Real images with pixels in [-1, 1]. As eps falls, the distance of p1's samples to the nearest training image must fall
in proportion, to less than 2 % of the distance between a held-out image and its nearest training image, while the
held-out log-likelihood must fall with every step of eps below the best one, to less than -100 nats a pixel. The
spoiler's p is p1 at the eps that held-out data like best, its noise is uniform on the cube; the loss must be at most
log 100 for each held-out image, log2(100) / d bits a pixel (0.104 for 64 pixels), while at least 98 % of its samples
are noise. Densities are exact sums; only samples are drawn.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from adversaria.claims.check import Trial
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, curve, labelled, panels, sheet
from adversaria.metrics.parzen import log_parzen

SOURCES = ("000", "003")
MORE = ("Theis, van den Oord and Bethge (2016), arXiv:1511.01844, Sections 3.1 to 3.3",)
SHARE = 0.01


def nearest(x: Tensor, train: Tensor) -> Tensor:
    return torch.cdist(x.flatten(1), train.flatten(1)).min(1).values


def run(bench: Bench) -> Outcome:
    widths = [10 ** (-k / bench.pick(2, 4)) for k in range(0, bench.pick(7, 13))]
    train = bench.images.examples(min(bench.images.size(), 5_000)).x
    held = bench.images.examples(min(bench.images.size("test"), 1_000), "test").x
    x, y, d = train.flatten(1), held.flatten(1), train[0].numel()
    log_p = torch.stack([log_parzen(y, samples=x, sigma=s) for s in widths])
    best = int(log_p.mean(1).argmax())
    far = float(nearest(held, train).median())
    log_noise = -d * math.log(2)  # uniform on [-1, 1]^d
    log_p2 = torch.logaddexp(log_p[best] + math.log(SHARE), torch.tensor(math.log1p(-SHARE) + log_noise).double())
    limit = math.log2(1 / SHARE) / d
    loss = (log_p[best] - log_p2) / (d * math.log(2))

    def copies(n: int, sd: float) -> Tensor:
        base = train[torch.randint(len(train), (n,))]
        return base + sd * torch.randn_like(base)

    def once(trial: Trial) -> dict[str, Any]:
        torch.manual_seed(trial.seed)
        real = torch.rand(2_000) < SHARE
        noise = torch.rand(2_000, *train.shape[1:]) * 2 - 1
        spoilt = torch.where(real.view(-1, 1, 1, 1), copies(2_000, widths[best]), noise)
        distance = [float(nearest(copies(500, s), train).median()) for s in widths]
        return {"distance": distance, "noise": 1 - float(real.float().mean()),
                "memoriser": copies(20, widths[-1]).clamp(-1, 1), "spoiler": spoilt[:20]}  # fmt: skip

    runs = bench.each(once)
    per_pixel = (log_p.mean(1) / d).tolist()
    return Outcome(
        (
            below("memoriser: distance of samples from the training images, over that of held-out ones",
                  [run["distance"][-1] / far for run in runs], 0.02),
            below("memoriser: held-out log-likelihood at the smallest eps", per_pixel[-1], -100, "nats a pixel"),
            above("memoriser: least fall of the likelihood from one eps to the next, below the best",
                  float(-np.diff(per_pixel[best:]).max()), 0.0, "nats a pixel"),
            below("spoiler: largest loss of a held-out image", float(loss.max()), limit + 1e-9, "bits/dim"),
            above("spoiler: share of samples that are noise", [run["noise"] for run in runs], 0.98),
        ),
        {"eps": widths, "log-likelihood": per_pixel, "distance": [run["distance"] for run in runs], "far": far,
         "loss": loss, "limit": limit, "images": torch.cat([runs[0]["memoriser"], runs[0]["spoiler"]])},
        "Above: the sharper the copies, the better they look and the worse the likelihood. Below: a model that loses "
        "at most a tenth of a bit a pixel (8x8 digits), and draws noise 99 times in 100.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    likelihood, distance, losses, images = panels(figure, 2, 2)
    eps = np.asarray(told["eps"]).tolist()
    likelihood.plot(eps, told["log-likelihood"], color=COLOURS[0], marker="o", ms=4, label="memoriser")
    likelihood.set(xscale="log", yscale="symlog", ylim=(-1e5, 3), yticks=[0, -1, -10, -100, -1e3, -1e4, -1e5])
    labelled(
        likelihood,
        "eps (pixels are in [-1, 1])",
        "held-out log-likelihood (nats a pixel)",
        "smaller eps, less likely",
    )
    curve(distance, eps, told["distance"], "the memoriser's samples", COLOURS[1], marker="s", ms=4)
    distance.axhline(told["far"], color=COLOURS[6], lw=0.8, linestyle="dotted", label="held-out images")
    distance.set(xscale="log", yscale="log")
    labelled(
        distance, "eps (pixels are in [-1, 1])", "distance to the nearest training image", "smaller eps, nearer copies"
    )
    losses.hist(np.asarray(told["loss"]), bins=30, color=COLOURS[0], label="held-out images")
    losses.axvline(told["limit"], color=COLOURS[1], label="limit log2(100) / d")
    labelled(losses, "bits a pixel lost by mixing in 99 % noise", "images", "the spoiler loses hardly anything")
    losses.legend(loc="upper left")
    sheet(images, told["images"])
    images.set_title("memoriser (above), spoiler (below)")
