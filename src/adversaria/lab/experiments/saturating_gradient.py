"""How do the two losses of the generator teach it, when the discriminator is sure of its samples?

    l = logit D(G(z)),   D = sigmoid(l)
    d/dl  log(1 - D) = -D            -> 0 as D -> 0: saturates
    d/dl -log D      = -(1 - D)      -> -1 as D -> 0: does not

A small DCGAN, whose discriminator learns 25 times as fast as the recipe's, is stopped on the images, and a fresh
discriminator learns to tell its samples. On the way the derivatives of both losses in the logits, taken through the
library's losses, must agree with the closed forms to 1e-6. Where mean D(G(z)) is below 1 %, the minimax loss's gradient
in theta must be a tenth of the non-saturating one's or less (the closed forms say D / (1 - D), about 0.01). The
non-saturating gradient, taken on batches of 8 samples, must grow: the norm of its mean and its variance must at least
double from the first look where mean D(G(z)) is below 1/4, when the discriminator has begun to tell them, to the last
quarter.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.diagnose.critics import renew
from adversaria.diagnose.untouched import alone, opponents
from adversaria.game import Game, play
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, curve, labelled, panels
from adversaria.objectives.losses import Loss, Minimax, NonSaturating

SOURCES = ("000", "001")
MORE = (
    "Goodfellow et al. (2014), arXiv:1406.2661, Section 3",
    "Arjovsky and Bottou (2017), arXiv:1701.04862",
)
LOSSES: dict[str, Loss] = {"minimax": Minimax(), "non-saturating": NonSaturating()}
BATCH = 8


def run(bench: Bench) -> Outcome:
    steps = bench.pick(120, 800)
    every, batches = steps // bench.pick(20, 40), bench.pick(16, 64)

    def once(trial: Trial) -> dict[str, Any]:
        recipe = make("dcgan", width=16, batch=64, parts={"ratio": 25.0})
        game = trial.play(recipe, rounds=bench.pick(60, 400))
        found: dict[str, Any] = {"D": [], "minimax": [], "non-saturating": [], "variance": [], "off": []}
        stage = game.stage()
        D = opponents(stage, None)[1]
        renew(D, game, None, trial.seed)
        data = trial.data.batches(64, seed=100 + trial.seed)
        for record in play(alone(stage, D, steps), data, rounds=steps):
            if record.number % every == 0 or record.number == 1:
                look(game, batches, found)
        return found

    runs = bench.each(once)
    ratios, growth, spread = [], [], []
    for run in runs:
        D, weak, strong, variance = (np.array(run[n]) for n in ("D", "minimax", "non-saturating", "variance"))
        sure = D < 0.01
        ratios.append(float((weak / strong)[sure].max()) if sure.any() else float("nan"))
        early, late = int(np.argmax(D < 0.25)), len(D) - len(D) // 4
        growth.append(float(strong[late:].mean() / strong[early]))
        spread.append(float(variance[late:].mean() / variance[early]))
    return Outcome(
        (
            below("largest error of the derivatives in the logit against the closed forms",
                  [max(run["off"]) for run in runs], 1e-6),
            below("minimax over non-saturating gradient norm where mean D(G(z)) is below 0.01, most", ratios, 0.1),
            above("growth of the mean non-saturating gradient's norm while D trains", growth, 2.0),
            above("growth of its variance over batches", spread, 2.0),
        ),
        {"step": [1, *range(every, steps + 1, every)],
         **{name: [run[name] for run in runs] for name in ("D", "minimax", "non-saturating", "variance")}},
        "The surer the discriminator, the smaller the minimax loss's gradient; the non-saturating one stays, and gets "
        "larger and noisier as the discriminator trains on.",
    )  # fmt: skip


def look(game: Game, batches: int, found: dict[str, Any]) -> None:
    """Mean and variance of both losses' gradients in the generator's parameters, over batches of samples."""
    theta = [p for p in game.networks["generator"].parameters() if p.requires_grad]
    gradients: dict[str, list[Tensor]] = {name: [] for name in LOSSES}
    sure, off = [], 0.0
    for _ in range(batches):
        logits = game.abilities["score"](game.abilities["sample"](BATCH))
        D = logits.detach().sigmoid()
        sure.append(float(D.mean()))
        for name, closed in (("minimax", -D), ("non-saturating", D - 1)):
            loss = torch.stack(list(LOSSES[name].generator(logits).values())).sum()
            of_logit, *of_theta = torch.autograd.grad(loss, [logits, *theta], retain_graph=True)
            off = max(off, float((BATCH * of_logit - closed).abs().max()))
            gradients[name].append(torch.cat([g.flatten() for g in of_theta]))
    found["off"].append(off)
    found["D"].append(float(np.mean(sure)))
    for name, rows in gradients.items():
        found[name].append(float(torch.stack(rows).mean(0).norm()))
    found["variance"].append(float(torch.stack(gradients["non-saturating"]).var(0).sum()))


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    logit, sure, time = panels(figure, 3)
    l = torch.linspace(-6, 6, 121)
    logit.plot(l, l.sigmoid(), color=COLOURS[0], label="log(1 - D)")
    logit.plot(l, 1 - l.sigmoid(), color=COLOURS[1], label="-log D")
    logit.set_ylim(-0.05, 1.45)
    labelled(logit, "logit of a sample", "|derivative in the logit|", "closed forms")
    for name, colour in (("minimax", 0), ("non-saturating", 1)):
        sure.plot(np.ravel(told["D"]), np.ravel(told[name]), ".", color=COLOURS[colour], label=name)
    sure.set(xscale="log", yscale="log")
    labelled(sure, "mean D(G(z))", "norm of the mean gradient in theta", "against how sure D is")
    curve(time, told["step"], told["non-saturating"], "norm of the mean", COLOURS[1])
    curve(time, told["step"], told["variance"], "variance", COLOURS[3])
    time.set_yscale("log")
    labelled(time, "training steps of D", "", "non-saturating gradient")
