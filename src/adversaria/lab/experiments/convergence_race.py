"""Which system's samples get good first, counted in moves of the generator and counted in seconds?

    score = exp E KL(p(y | x) || p(y)),   p(y | x) by a classifier of the data's own classes

Four systems play from the same seed, with the recipe's own networks at one width: WGAN with clipped weights (RMSProp),
WGAN with a gradient penalty by RMSProp (the same recipe, its clip out of reach) and by Adam, and DCGAN. At each look
500 samples are scored; the score's mean over the looks is how early samples got good. As in the lecture's plots the
penalty must be ahead of clipping in generator moves, by either optimiser. DCGAN moves its discriminator once where the
others move theirs five times, so that it must be ahead of WGAN-GP by Adam in seconds of one core: with the time that
WGAN-GP needs for a third of its rounds DCGAN must have at least its score there.
"""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.claims.tools import eye
from adversaria.game import Game, Round
from adversaria.lab.bench import Bench, Outcome, above
from adversaria.lab.figures import COLOURS, curve, labelled, panels
from adversaria.metrics import classifier_score

SOURCES = ("001",)
MORE = ("Gulrajani et al. (2017), arXiv:1704.00028, Section 5 and Figure 3",)
RATE, LOOKS = 5e-4, 10
PENALTY: dict[str, Any] = {"clip": 1e6, "parts": {"gradient": 10.0, "critic_norm": "layer"}}
SYSTEMS: dict[str, tuple[str, dict[str, Any]]] = {
    "weight clipping, RMSProp": ("wgan", {"rmsprop": {"lr": RATE}}),
    "WGAN-GP, RMSProp": ("wgan", {"rmsprop": {"lr": RATE}, **PENALTY}),
    "WGAN-GP, Adam": ("wgan-gp", {"adam": {"lr": RATE, "betas": (0.0, 0.9)}}),
    "DCGAN": ("dcgan", {"adam": {"lr": RATE, "betas": (0.5, 0.999)}}),
}


def run(bench: Bench) -> Outcome:
    rounds, width = bench.pick((80, 16), (1_200, 32))
    every = rounds // LOOKS
    logits = eye(bench.images).logits
    assert logits is not None

    def once(trial: Trial) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for label, (name, changed) in SYSTEMS.items():
            scores, seconds, looking = [1.0], [0.0], 0.0
            started = time.process_time()

            def watch(game: Game, record: Round, scores: list[float] = scores, seconds: list[float] = seconds,
                      started: float = started) -> None:  # fmt: skip
                nonlocal looking
                if record.number % every == 0:
                    now = time.process_time()
                    seconds.append(now - started - looking)
                    with torch.no_grad():
                        scores.append(classifier_score(logits=logits(game.sample(500, seed=0))).details["raw"])
                    looking += time.process_time() - now

            trial.play(make(name, width=width, average=0.9, rounds=rounds, **changed), watch=watch)
            found[label] = {"score": scores, "seconds": seconds}
        return found

    runs = bench.each(once)
    means = {label: np.array([np.mean(run[label]["score"]) for run in runs]) for label in SYSTEMS}
    race = []
    for told in runs:
        gp, dc = told["WGAN-GP, Adam"], told["DCGAN"]
        at = gp["seconds"][LOOKS // 3]
        race.append(float(np.interp(at, dc["seconds"], dc["score"])) - gp["score"][LOOKS // 3])
    clipped = means["weight clipping, RMSProp"]
    return Outcome(
        (
            *(above(f"mean score over moves: {label}, less clipping", list(means[label] - clipped), 0.0)
              for label in ("WGAN-GP, RMSProp", "WGAN-GP, Adam")),
            above("DCGAN's score less WGAN-GP's (Adam), in the seconds of a third of its rounds", race, 0.0),
        ),
        {"moves": list(range(0, rounds + 1, every)),
         **{label: {key: [run[label][key] for run in runs] for key in ("score", "seconds")} for label in SYSTEMS}},
        "The same scores over moves of the generator (left) and over time (right). A critic that moves five times for "
        "one costs five times as much. DCGAN is compared at the seconds of a third of WGAN-GP's rounds: where curves "
        "are flat by then, that tells which ends higher and not which rises first.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    moves, seconds = panels(figure, 2, sharey=True)
    for label, colour in zip(SYSTEMS, COLOURS, strict=False):
        curve(moves, told["moves"], told[label]["score"], label, colour)
        at = np.median(told[label]["seconds"], axis=0).tolist()
        curve(seconds, at, told[label]["score"], label, colour)
    labelled(moves, "moves of the generator", "classifier score (real images: about 10)")
    labelled(seconds, "seconds of one core", "", legend=False)
