"""In what do a GAN and a Wasserstein GAN differ?

    GAN     max_D  E log D(x) + E log(1 - D(G(z))),   D = sigmoid(score): a probability, classification
    WGAN    max_f  E f(x) - E f(G(z)),   |w| <= c:    a score without log or sigmoid, regression

The table is read from the two recipes' own fields and from the games that they build, so that it is true of what runs
here. What the table claims is checked on a training run of each: moves of the critic in a round are 5 and 1; the
critic's largest weight ends at the clip (0.01) and the discriminator's above it; a constant added to all scores changes
nothing of the Wasserstein loss, and changes the logistic one, for which 0 is the border between real and fake.
"""

from collections.abc import Mapping
from typing import Any

import torch
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.game import Game, Round
from adversaria.lab.bench import Bench, Outcome, above, below, near
from adversaria.lab.figures import COLOURS, labelled, panels
from adversaria.objectives.losses import Loss, NonSaturating, Wasserstein

SOURCES = ("004",)
MORE = ("Arjovsky, Chintala and Bottou (2017), arXiv:1701.07875, Algorithm 1",
        "Radford, Metz and Chintala (2016), arXiv:1511.06434")  # fmt: skip
LOSSES: dict[str, Loss] = {"dcgan": NonSaturating(), "wgan": Wasserstein()}


def shift(loss: Loss) -> float:
    """How much the discriminator's loss changes where 1 is added to all scores."""
    real, fake = torch.linspace(-2, 3, 50), torch.linspace(-3, 2, 50)
    before, after = (sum(loss.discriminator(real + c, fake + c).values()) for c in (0.0, 1.0))
    return abs(float(after - before))


def run(bench: Bench) -> Outcome:
    def once(trial: Trial) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, loss in LOSSES.items():
            moves: list[int] = []
            losses: list[float] = []

            def watch(game: Game, record: Round, moves: list[int] = moves, losses: list[float] = losses) -> None:
                opponent = game.stage().players[0]
                moves.append(opponent.moves_at(record.number - 1))
                losses.append(sum(record.terms[opponent.name].values()))

            recipe = make(name, width=16, rounds=bench.pick(60, 800))
            game = trial.play(recipe, watch=watch)
            opponent = game.stage().players[0]
            found[name] = {
                "who": opponent.name, "moves": sum(moves) / len(moves), "losses": losses, "shift": shift(loss),
                "largest weight": max(float(p.detach().abs().max()) for p in opponent.parameters()),
                "optimiser": type(opponent.optimizer).__name__, "clip": recipe.fields().get("clip"),
                "loss": type(loss).__name__,
            }  # fmt: skip
        return found

    runs = bench.each(once)
    clip = float(runs[0]["wgan"]["clip"])
    return Outcome(
        (
            near("the critic's moves in a round", [run["wgan"]["moves"] for run in runs], 5, 0, exact="Algorithm 1"),
            near("the discriminator's moves in a round", [run["dcgan"]["moves"] for run in runs], 1, 0),
            near("the critic's largest weight", [run["wgan"]["largest weight"] for run in runs], clip, 1e-6,
                 exact="the clip"),
            above("the discriminator's largest weight", [run["dcgan"]["largest weight"] for run in runs], 2 * clip),
            below("change of the Wasserstein loss where 1 is added to all scores", shift(Wasserstein()), 1e-5),
            above("change of the logistic loss where 1 is added to all scores", shift(NonSaturating()), 0.1),
        ),
        {"table": [[label, *(str(runs[0][name][key]) for name in LOSSES)] for label, key in ROWS],
         **{name: [run[name]["losses"] for run in runs] for name in LOSSES}},
        "Left: what the two recipes say of themselves. Right: the losses of a run of each. The discriminator's lies "
        "between 0 and a few nats and has log 4 for a border; the critic's has no scale of its own.",
    )  # fmt: skip


ROWS = (
    ("who judges", "who"), ("loss", "loss"), ("moves a round", "moves"), ("optimiser", "optimiser"),
    ("clip", "clip"),
)  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    table, losses = panels(figure, 2)
    table.axis("off")
    drawn = table.table(
        told["table"], colLabels=["", "DCGAN", "WGAN"], loc="center", cellLoc="left", edges="horizontal"
    )
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(9)
    drawn.scale(1, 1.8)
    for i, name in enumerate(LOSSES):
        losses.plot(range(1, len(told[name][0]) + 1), told[name][0], color=COLOURS[i], label=f"{name}, seed 0")
    losses.axhline(2 * 0.6931, color=COLOURS[7], linestyle="dotted", label="log 4")
    labelled(losses, "round", "the judge's loss (dcgan: nats)")
