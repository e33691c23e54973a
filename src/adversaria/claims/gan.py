"""GAN: which of its two losses stalls, and what the game is worth at its end.

**Stall** (Section 3: early on D rejects samples with confidence, and log(1 - D(G(z))) saturates). The discriminator is
trained alone for 200 rounds, then both play 100. They move by gradient steps with momentum, as in the paper; Adam, the
recipe's own, divides a gradient by its size and would hide that it has vanished. Measured are the generator's first
gradient under either loss, from the same weights, and how much of the samples' energy distance to the data is left at
the end. Thresholds: a gradient a hundred times weaker, where the first seeds had 10^-3.8; a quarter of the distance,
where they had half of it (minimax alone keeps 0.999).

**Value** (Theorem 1: max_D V = -log 4 + 2 JSD). Trained on the ring of 8 Gaussians; then D goes on alone for 200
rounds, so that it is as good as it can be against this generator, and V is taken on test points and fresh samples.
Before training that is near 0. Thresholds: -1.25 leaves 0.07 nats of Jensen-Shannon divergence, -1.4 the error
of a mean.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch.nn import functional as F

from adversaria.catalogue import make as recipe
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.tools import coverage, energy_distance
from adversaria.game import SGD, Adam, Game, Referee, Round, Stage, play, seeded

STALLS = "The minimax loss stalls where the discriminator wins early; the non-saturating one does not (Section 3)."
VALUE = "As samples come to match the data the game's value falls to -log 4 = -1.386 (Theorem 1)."
HEAD_START, ROUNDS, RATE = 200, 100, 0.003
GRADIENT = "log10 of the generator's first gradient, minimax minus non-saturating"
LEFT = "share of the distance to the data left after 100 rounds, minimax minus non-saturating"


def lead(trial: Trial, game: Game, rounds: int) -> None:
    """Plays rounds in which the discriminator moves alone."""
    alone = tuple(replace(p, optimizer=Adam(lr=1e-3)) for p in game.stages[0].players if p.name == "discriminator")
    stage = Stage(alone)
    for _ in play(stage, trial.data.batches(256, seed=trial.seed + 1), referee=Referee(stage, rounds)):
        pass


def stall(trial: Trial) -> Mapping[str, Measured]:
    """Both losses against a discriminator that has won."""
    minimax, other = outplayed(trial, "minimax"), outplayed(trial, "non-saturating")
    return {GRADIENT: Measured(minimax[0], other[0]), LEFT: Measured(minimax[1], other[1])}


def outplayed(trial: Trial, loss: str) -> tuple[float, float]:
    """log10 of the generator's first gradient, and the share of the distance left."""
    norms: list[float] = []
    distances: list[float] = []

    def look(game: Game) -> None:
        with seeded(trial.seed), torch.no_grad():
            x = game.abilities["sample"](500)
        distances.append(energy_distance(x, trial.data.examples(500, seed=0).x))

    def prepare(game: Game) -> Game:
        lead(trial, game, HEAD_START)
        players = tuple(replace(p, optimizer=SGD(lr=RATE, momentum=0.5)) for p in game.stages[0].players)
        game.stages = (replace(game.stages[0], players=players),)
        look(game)
        return game

    def watch(_: Game, record: Round) -> None:
        norms.append(record.gradient_norms["generator"])

    look(trial.play(recipe("gan", loss=loss, average=0.0), rounds=ROUNDS, prepare=prepare, watch=watch))
    return math.log10(norms[0]), distances[-1] / distances[0]


def value(trial: Trial) -> Measured:
    """max_D V at the end of training, with the discriminator's own V and the modes covered beside it."""
    game = trial.play(recipe("gan"), rounds=3_000 if trial.quick else 8_000)
    covered = coverage(game.sample(5_000, seed=0), trial.data.name)["modes in force"]
    facts = {"modes in force": covered, "V in play": v(trial, game)}
    lead(trial, game, 200)
    return Measured(v(trial, game), facts=facts)


@torch.no_grad()
def v(trial: Trial, game: Game) -> float:
    """E log D(x) + E log(1 - D(G(z)))."""
    x = trial.data.examples(5_000, "test").x.to(game.device)
    with seeded(trial.seed):
        y = game.abilities["sample"](5_000)
    D = game.abilities["score"]
    return -float(F.softplus(-D(x)).mean() + F.softplus(D(y)).mean())


CHECKS = (
    Check(claim=STALLS, quantity=GRADIENT, measure=stall, threshold=-2.0, holds="below", own="images"),
    Check(claim=STALLS, quantity=LEFT, measure=stall, threshold=0.25, holds="above", own="images"),
    Check(claim=VALUE, quantity="value of the game against the best discriminator", measure=value,
          threshold=(-1.4, -1.25), holds="within", data=("ring8",), seeds=6, quick_seeds=6),
)  # fmt: skip
