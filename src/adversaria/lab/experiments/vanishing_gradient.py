"""What does a discriminator that has been trained to its best leave for the generator to learn from?

    |grad_theta E log(1 - D(G_theta(z)))|  -> 0   as D -> D*, where data and samples can be told apart
    |grad_theta E f(G_theta(z))|           stays  for a critic f of slope near 1

A DCGAN is stopped after 1, 10 and 25 epochs. Its generator is held fixed, and a fresh discriminator is trained against
it for thousands of steps. On the way the norm of the gradient that the generator would get is taken, under the minimax
loss. The same generators stand against a fresh Wasserstein critic with a gradient penalty.

A curve's loss is log10 of its largest norm over the mean of its last tenth, in decades. "Orders of magnitude" is taken
as at least 2 decades for the generators' median, with none below 1, in the full 2,000 steps; in the quick run's few
steps half of each. The critic must lose less than half a decade, a factor of 3, from every one. Fresh networks learn at
25 times DCGAN's rate (5e-3), so that they come near their best in that time.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.diagnose.critics import gradient_probe
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, curve, labelled, panels

SOURCES = ("002",)
MORE = ("Arjovsky and Bottou (2017), arXiv:1701.04862, Section 2 and Figure 2",)
RATIO = 25.0
CRITIC = {"loss": "wasserstein", "gradient": 10.0, "critic_norm": "layer"}


def run(bench: Bench) -> Outcome:
    epochs = bench.pick([1, 2], [1, 10, 25])
    steps, width = bench.pick(160, 2_000), bench.pick(16, 32)
    every = steps // bench.pick(16, 50)

    def once(trial: Trial) -> dict[str, Any]:
        found: dict[str, Any] = {"minimax": [], "critic": [], "accuracy": []}
        for n in epochs:
            batch = bench.pick(32, 64)
            recipe = make("dcgan", width=width, batch=batch, parts={"ratio": RATIO})
            game = trial.play(recipe, rounds=n * max(1, trial.data.size("train") // batch))
            batches = trial.data.batches(batch, seed=100 + trial.seed)
            seen = gradient_probe(game, batches, steps=steps, every=every, repeats=1, seed=trial.seed)
            other = make("dcgan", width=width, batch=batch, adam={"betas": (0.0, 0.9)}, parts=CRITIC | {"ratio": RATIO})
            torch.manual_seed(trial.seed)
            control = other.build(trial.data.spec)
            control.networks["generator"].load_state_dict(game.networks["generator"].state_dict())
            felt = gradient_probe(control, batches, steps=steps, every=every, repeats=1, seed=trial.seed)
            assert seen.saturating is not None and seen.accuracy is not None
            found["minimax"].append(seen.saturating[0])
            found["accuracy"].append(seen.accuracy[0])
            found["critic"].append(felt.own[0])
            found["steps"] = seen.steps
        return found

    runs = bench.each(once)
    lost = [[decades(norms) for norms in run["minimax"]] for run in runs]
    kept = [[decades(norms) for norms in run["critic"]] for run in runs]
    part = bench.pick(0.5, 1.0)
    told = [
        above("decades lost under the minimax loss, median over generators", [float(np.median(l)) for l in lost],
              2.0 * part, "decades"),
        above("the same, least over generators", [min(l) for l in lost], 1.0 * part, "decades"),
        below("decades lost under a Wasserstein critic, most over generators", [max(k) for k in kept], 0.5, "decades"),
    ]  # fmt: skip
    series: dict[str, Any] = {"epochs": epochs, "steps": runs[0]["steps"], "decades lost": lost, "by the critic": kept}
    for name in ("minimax", "critic", "accuracy"):
        series[name] = [[run[name][i] for run in runs] for i in range(len(epochs))]
    return Outcome(
        tuple(told), series,
        "Left: the generator's gradient falls by orders of magnitude as a fresh discriminator learns (its axis is "
        "logarithmic). Right: the same generators keep their gradient however long the critic trains.",
    )  # fmt: skip


def decades(norms: np.ndarray) -> float:
    """log10 of the largest norm over the mean of the last tenth."""
    return float(np.log10(norms.max() / norms[-max(1, len(norms) // 10) :].mean()))


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    left, right = panels(figure, 2, sharey=True)
    for axes, name, title in ((left, "minimax", "fresh discriminator, minimax loss"),
                              (right, "critic", "fresh Wasserstein critic")):  # fmt: skip
        for i, n in enumerate(told["epochs"]):
            label = f"generator after {n} epoch{'s' if n > 1 else ''}"
            curve(axes, told["steps"], told[name][i], label, COLOURS[i])
        axes.set_yscale("log")
        labelled(axes, "training steps of the discriminator", "norm of the generator's gradient", title)
    right.set_ylabel("")
