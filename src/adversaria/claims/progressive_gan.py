"""Progressive GAN: does growing save work, and is fading in gentler than a new level at once?

Work: grown over R rounds, and at full size from the start over as many rounds as cost the same; log2 of the Fréchet
distance in features trained on the data, of 2,000 samples to as many held-out examples (or as there are), grown minus
full size. Below 0 growing is better; 0 is the threshold. The cost of a round is that of forward passes at its level's
size, in operations: 4 through G, 14 through f, a backward pass being two forward ones. Seconds, which also depend on
the machine, are measured by benchmarks/growth.py. The check is for images of 28 pixels or more: those of 8 have two
levels and nothing to save, and on scikit-learn's digits playing at full size from the start is better.

Fading in: the energy distance of samples and data, both at the size of the level below, as a mean over the first 20
rounds in which the first new level is played; with fading in, minus without. The generator isn't averaged here.
"""

import math
from statistics import fmean

import torch
from torch.utils.flop_counter import FlopCounterMode

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.tools import energy_distance, eye
from adversaria.game import Game, Stage, plan
from adversaria.metrics import frechet_distance
from adversaria.nn.progressive import Critic, Generator

FIRST = 20
"""Rounds after a new level's beginning that are looked at."""


def cost(game: Game, stage: Stage) -> float:
    """Operations of a round at the stage's level, for one example."""
    G, f = game.networks["generator"], game.networks["critic"]
    assert isinstance(G, Generator) and isinstance(f, Critic)
    level = [f"{h}x{w}" for h, w in G.sizes].index(stage.name.removeprefix("to "))
    with torch.no_grad(), FlopCounterMode(display=False) as made:
        x = G.at(game.latent(2), level, 1.0)
    with torch.no_grad(), FlopCounterMode(display=False) as read:
        f.at(x, level, 1.0)
    return 4 * made.get_total_flops() + 14 * read.get_total_flops()


def work(trial: Trial) -> Measured:
    """log2 of the distance after growing, against that at full size for as many operations."""
    recipe, whole = make("progressive-gan", rounds=200 if trial.quick else 800), make("progressive-gan", grow=False)
    stages, full = recipe.build(trial.data.spec), whole.build(trial.data.spec)
    costs = [cost(stages, stage) for stage in stages.stages]
    total = sum(rounds * each for rounds, each in zip(plan(stages.stages, recipe.rounds), costs, strict=True))
    rounds = round(total / cost(full, full.stage()))
    n = min(2_000, trial.data.size("test"))
    real, features = trial.data.examples(n, "test", seed=0).x, eye(trial.data)

    def distance(game: Game) -> float:
        x = torch.cat([game.sample(500, seed=i).cpu() for i in range(4)])
        return frechet_distance(real=features(real), generated=features(x)).value

    grown, large = distance(trial.play(recipe)), distance(trial.play(whole, rounds=rounds))
    floor = 1e-3  # the distance is corrected for its bias, and may come out below 0
    return Measured(math.log2(max(grown, floor)), against=math.log2(max(large, floor)),
                    facts={"rounds grown": recipe.rounds, "rounds at full size": rounds,
                           "distance grown": grown, "distance at full size": large})  # fmt: skip


def fade(trial: Trial) -> Measured:
    """The distance after a new level's beginning with fading in, against the same without."""
    n = 60 if trial.quick else 200
    recipe = make("progressive-gan", average=0.0, last=2.0)
    x = trial.data.examples(min(1_000, trial.data.size("train")), "train", seed=1).x.to(trial.device)

    def disturbed(fading: bool) -> float:
        found: list[float] = []

        def sudden(game: Game) -> Game:
            game.stages = tuple(stage for stage in game.stages if fading or not stage.name.startswith("to "))
            return game

        def watch(game: Game, record) -> None:
            G = game.networks["generator"]
            assert isinstance(G, Generator)
            if int(G.level) == 1 and len(found) < FIRST:
                y = game.sample(len(x), seed=0)
                found.append(energy_distance(G.seen(x, 0, 1.0), G.seen(y, 0, 1.0)))

        levels = len(recipe.build(trial.data.spec).stages)
        fades = levels // 2
        # Without the stages of fading in as many rounds fall to each of the others.
        rounds = n * (levels + 1 if fading else levels + 1 - fades)
        trial.play(recipe, rounds=rounds, watch=watch, prepare=sudden)
        return fmean(found)

    return Measured(disturbed(True), against=disturbed(False), facts={"rounds of a stage": n})


CHECKS = (
    Check(
        claim="Growing reaches a quality in less time than training at full size (Section 2, Figure 4).",
        quantity="log2 of the Fréchet distance grown, minus that at full size for as many operations", measure=work,
        threshold=0.0, holds="below", data=(), own="labelled images", needs="MNIST",
    ),
    Check(
        claim="A level that fades in upsets what was learned below it less than one that is there at once (Section 2).",
        quantity="energy distance at the level below after a level's beginning: fading in, minus at once", measure=fade,
        threshold=0.0, holds="below", own="images", seeds=6, quick_seeds=6,
    ),
)  # fmt: skip
