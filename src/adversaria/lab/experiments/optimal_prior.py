"""Which prior is best for a variational autoencoder?

    mean ELBO = reconstruction - I_q(i; z) - KL(q(z) || p(z)),   q(z) = 1/n sum_i q(z | x_i):   best at p(z) = q(z)
    standard normal,   aggregate q(z) of all n training images,   pseudo-inputs 1/K sum_k q(z | u_k),   flow

Four models of the same encoder and decoder are trained on a few hundred images, one for each prior. With the aggregate
the pseudo-inputs of the VampPrior are the training images themselves and stay so. Over training images its bound must
be above that with the standard normal, which over-regularises. But an image that is one of the mixture's components
pays at most log n; held-out images aren't, so that the aggregate overfits: its training bound less its held-out one
must be larger than with the standard normal. Pseudo-inputs and the flow must lie between these two in that gap, and
the better of both must be above the standard normal on held-out images.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.data import load
from adversaria.game import Game
from adversaria.lab.bench import Bench, Outcome, above
from adversaria.lab.figures import COLOURS, labelled, panels

SOURCES = ("003",)
MORE = ("Tomczak and Welling (2018), arXiv:1705.07120", "Chen et al. (2017), arXiv:1611.02731",
        "Hoffman and Johnson (2016), ELBO surgery, NIPS workshop")  # fmt: skip
NAMES = {"vae": "standard normal", "pseudo": "pseudo-inputs", "flow-prior-vae": "flow", "aggregate": "aggregate"}


def run(bench: Bench) -> Outcome:
    images, rounds, draws = bench.pick((250, 300, 4), (800, 3_000, 32))
    size: dict[str, Any] = {"latent": 8, "network": "mlp", "hidden": 64, "depth": 1, "batch": 50, "rounds": rounds}
    size["adam"] = {"lr": bench.pick(3e-3, 1e-3), "schedule": "constant"}

    def once(trial: Trial) -> dict[str, Any]:
        chosen = trial.data.examples(min(images, trial.data.size()), seed=trial.seed).x
        data = load(trial.data.spec.to_user(chosen))
        x = data.examples(data.size()).x
        held = trial.data.examples(min(500, trial.data.size("test")), "test").x

        def themselves(game: Game) -> Game:
            u: Any = game.networks["pseudo_inputs"]
            u.raw.data.copy_(torch.atanh(x * 0.999))
            u.requires_grad_(False)
            return game

        def bound(game: Game, of: Tensor) -> float:
            return float(torch.stack([game.bound(of, seed=k) for k in range(draws)]).double().mean())

        found: dict[str, Any] = {}
        for name in NAMES:
            recipe = (
                make(name, **size)
                if name in ("vae", "flow-prior-vae")
                else make(
                    "vamp-prior-vae", **size, pseudo_inputs=len(x) if name == "aggregate" else max(10, len(x) // 10)
                )
            )
            game = trial.play(recipe, data, prepare=themselves if name == "aggregate" else None)
            found[name] = {"train": bound(game, x), "held": bound(game, held)}
        return found

    runs = bench.each(once)

    def more(one: str, other: str, split: str = "gap") -> list[float]:
        def of(found: dict[str, Any]) -> float:
            return found["train"] - found["held"] if split == "gap" else found[split]

        return [of(found[one]) - of(found[other]) for found in runs]

    helped = [
        max(both) for both in zip(more("pseudo", "vae", "held"), more("flow-prior-vae", "vae", "held"), strict=True)
    ]
    return Outcome(
        (
            above("training bound, aggregate less standard normal", more("aggregate", "vae", "train"), 0.0, "nats"),
            above("training less held-out, aggregate less standard normal", more("aggregate", "vae"), 0.0, "nats"),
            *(above(f"the same, {NAMES[name]} less standard normal", more(name, "vae"), 0.0, "nats")
              for name in ("pseudo", "flow-prior-vae")),
            *(above(f"the same, aggregate less {NAMES[name]}", more("aggregate", name), 0.0, "nats")
              for name in ("pseudo", "flow-prior-vae")),
            above("held-out bound, the better of pseudo-inputs and flow less standard normal", helped, 0.0, "nats"),
        ),
        {name: {split: [found[name][split] for found in runs] for split in ("train", "held")} for name in NAMES},
        "On training images the aggregate is best by far, on held-out ones worst by far: it knows its own. "
        "Pseudo-inputs and the flow lie between, and do better than the standard normal on held-out images.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    bounds, gaps = panels(figure, 2)
    at = np.arange(len(NAMES))
    train, held = (np.array([told[name][split] for name in NAMES]) for split in ("train", "held"))
    for values, colour, label, mark in ((-train, 0, "training images", "o"), (-held, 1, "held-out images", "s")):
        for k, run in enumerate(values.T):
            bounds.plot(at, run, mark, color=COLOURS[colour], alpha=0.8, label=label if k == 0 else None)
    bounds.margins(y=0.35)
    for run in (train - held).T:
        gaps.plot(at, run, "D", color=COLOURS[2], alpha=0.8)
    for axes in (bounds, gaps):
        axes.set(yscale="log", xticks=at, xlim=(-0.5, len(at) - 0.5))
        axes.set_xticklabels([name.replace(" ", "\n").replace("-", "-\n") for name in NAMES.values()])
    labelled(bounds, "prior", "negative mean ELBO (nats an image)")
    labelled(gaps, "prior", "training less held-out ELBO (nats)")
