"""What must be changed in a GAN to make it a WGAN, and what does each number then say?

    GAN    max_D  E log D(x) + E log(1 - D(G(z)))          a classifier's log-likelihood
    WGAN   max_f  E f(x) - E f(G(z)),  weights in [-c, c]   a regression without bounds: no logarithm, no sigmoid

The table is read off the two recipes' own fields and players: the loss, whether it is linear in the scores (twice the
scores, twice the loss), the discriminator's moves a round, the optimiser, the clipping. It must be the lectures': log
against none, 1:1 against 5:1, Adam against RMSProp, none against clipping. Then both are trained on the ring of 8
Gaussians at the same width. Each must halve its samples' energy distance to the data, and every weight of the critic
must lie in [-c, c] while some of the GAN's lie outside.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.claims.tools import energy_distance
from adversaria.game import Game, Recipe, Round
from adversaria.lab.bench import Bench, Outcome, above, below, near
from adversaria.lab.figures import COLOURS, curve, labelled, panels
from adversaria.objectives.losses import LOSSES, Wasserstein

SOURCES = ("004",)
MORE = ("Arjovsky, Chintala and Bottou (2017), arXiv:1701.07875, Algorithm 1",)
SIZE: dict[str, Any] = {"hidden": 64, "depth": 2, "average": 0.0, "batch": 128}
CLIP = 0.05


def table(recipe: Recipe, game: Game) -> dict[str, Any]:
    """A column of the lecture's table, from the recipe."""
    critic, generator = game.stage().players
    fields = recipe.fields()
    loss = LOSSES[fields["loss"]]() if "loss" in fields else Wasserstein()
    s = torch.linspace(-2, 3, 50)
    one, two = (sum(t.item() for t in loss.discriminator(k * s, k * s.flip(0) / 2).values()) for k in (1, 2))
    return {"loss": type(loss).__name__, "linear": abs(two - 2 * one) < 1e-5,
            "moves": critic.moves_at(0) / generator.moves_at(0),
            "optimiser": type(critic.optimizer).__name__, "clip": fields.get("clip", 0.0)}  # fmt: skip


def run(bench: Bench) -> Outcome:
    rounds = {"gan": bench.pick(500, 4_000), "wgan": bench.pick(200, 2_000)}

    def once(trial: Trial) -> dict[str, Any]:
        found: dict[str, Any] = {}
        real = trial.data.examples(1_000, "test").x
        for name in rounds:
            size: dict[str, Any] = SIZE | ({"clip": CLIP, "latent": 2} if name == "wgan" else {})
            recipe = make(name, **size)
            said: list[float] = []
            distances: list[float] = []

            def look(game: Game, distances: list[float] = distances, real: torch.Tensor = real) -> None:
                distances.append(energy_distance(game.sample(1_000, seed=0), real))

            def watch(game: Game, record: Round, said: list[float] = said, look: Any = look, name: str = name) -> None:
                said.append(-sum(next(iter(record.terms.values())).values()))
                if record.number % (rounds[name] // 10) == 0 or record.number == 1:
                    look(game)

            game = trial.play(recipe, rounds=rounds[name], watch=watch)
            called = "critic" if name == "wgan" else "discriminator"
            weights = torch.cat([p.detach().flatten() for p in game.networks[called].parameters()])
            found[name] = {"table": table(recipe, game), "value": said, "distance": distances,
                           "largest": float(weights.abs().max()), "samples": game.sample(500, seed=1)}  # fmt: skip
        return found

    runs = bench.each(once, "ring8")
    gan, wgan = runs[0]["gan"]["table"], runs[0]["wgan"]["table"]
    return Outcome(
        (
            near("GAN: its loss is linear in the scores (0 for no)", float(gan["linear"]), 0, 0),
            near("WGAN: its loss is linear in the scores (1 for yes)", float(wgan["linear"]), 1, 0),
            near("GAN: moves of D for one of G", gan["moves"], 1, 0),
            near("WGAN: moves of the critic for one of G", wgan["moves"], 5, 0),
            near("GAN by Adam and WGAN by RMSProp (1 for yes)",
                 float((gan["optimiser"], wgan["optimiser"]) == ("Adam", "RMSProp")), 1, 0),
            below("WGAN: largest weight of the critic", [run["wgan"]["largest"] for run in runs], CLIP + 1e-6),
            above("GAN: largest weight of D", [run["gan"]["largest"] for run in runs], 2 * CLIP),
            *(below(f"{name.upper()}: share of the energy distance left",
                    [run[name]["distance"][-1] / run[name]["distance"][0] for run in runs], 0.5) for name in rounds),
        ),
        {"table": {"GAN": gan, "WGAN": wgan}, "samples": {name: runs[0][name]["samples"] for name in rounds},
         "value": {name: [run[name]["value"] for run in runs] for name in rounds},
         "distance": {name: [run[name]["distance"] for run in runs] for name in rounds}},
        "The second player's number is a log-likelihood for the GAN, -2 log 2 at the equilibrium, and for the WGAN a "
        "distance times the slope that clipping allows, 0 at the equilibrium.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    text, values, distances, points = panels(figure, 2, 2)
    text.axis("off")
    cells = [[("no", "yes")[v] if isinstance(v, bool) else v if isinstance(v, str) else f"{v:g}" for v in side.values()]
             for side in told["table"].values()]  # fmt: skip
    rows = list(zip(told["table"]["GAN"], *cells, strict=True))
    grid = text.table([("", "GAN", "WGAN"), *rows], loc="center", cellLoc="left", edges="horizontal")
    grid.auto_set_font_size(False)
    grid.set_fontsize(8)
    grid.scale(1, 1.6)
    for name, colour in (("gan", COLOURS[1]), ("wgan", COLOURS[0])):
        runs = np.asarray(told["value"][name])
        side = values if name == "gan" else values.twinx()
        curve(side, np.linspace(0, 100, runs.shape[1]).tolist(), runs, name.upper(), colour, lw=0.8)
        side.set_ylabel("GAN: value (nats)" if name == "gan" else "WGAN: estimate", color=colour)
        side.grid(False)
        d = np.asarray(told["distance"][name])
        curve(distances, np.linspace(0, 100, d.shape[1]).tolist(), d, name.upper(), colour, marker="o", ms=4)
        points.plot(*np.asarray(told["samples"][name]).T, ".", ms=2, color=colour, label=name.upper())
    values.set(xlabel="share of the rounds (%)", title="what the second player says")
    distances.set(yscale="log")
    labelled(distances, "share of the rounds (%)", "energy distance to the data", "how good the samples are")
    points.set(aspect="equal", xlim=(-4, 4), ylim=(-3.2, 5))
    labelled(points, "", "", "samples at the end")
