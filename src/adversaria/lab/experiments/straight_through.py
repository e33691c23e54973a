"""Does copying the decoder's gradient past the arg min train the encoder?

    e = e_k,   k = argmin_j |z(x) - e_j|;   L(e) = |x - G(e)|^2
    exact            d/dh L(e(z + h v)) = 0 almost everywhere: a small step changes no k
    straight-through d/dh L(e + h v), along the same v, given to z as it is

A vq-vae is trained, and its gradient g is looked at on held-out images, in double precision. The derivative through the
arg min, by central differences along random v, must be 0 to the last bit; the straight-through one must be the
decoder's own to 1e-5. For steps that do change codes it means something: where one cell's code e_k becomes e_j, the
change of the loss and what the gradient says of it, g (e_j - e_k), must have a rank correlation of 0.3. It trains: with
the gradient cut before the decoder, commitment alone moves the encoder; the error must be 0.8 (quick: 0.9) of that at
most, and below that of an encoder left as it began. Codes must stay in use: a perplexity of 0.3 K at least.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import spearmanr
from torch import Tensor

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.game import Game, Round, seeded
from adversaria.lab.bench import Bench, Outcome, above, below, near
from adversaria.lab.figures import COLOURS, curve, labelled, panels
from adversaria.metrics import codebook_use
from adversaria.ops import straight_through

SOURCES = ("003",)
MORE = ("Bengio, Leonard and Courville (2013), arXiv:1308.3432", "van den Oord et al. (2017), arXiv:1711.00937")
KINDS, STEP = {"copied": "gradient copied", "cut": "gradient cut", "frozen": "encoder as it began"}, 1e-6


def looked_at(game: Game, x: Tensor, seed: int) -> dict[str, Tensor]:
    """Derivatives along a random v, and what one changed code does, as foreseen and in fact."""
    game.double().eval()
    networks: Any = game.networks
    E, G, Q = (networks[name] for name in ("encoder", "decoder", "codebook"))

    def loss(e: Tensor) -> Tensor:
        return (G(e) - x).square().flatten(1).sum(1)

    z = E(x).detach().requires_grad_()
    e, index = Q(z)
    (g,) = torch.autograd.grad(loss(straight_through(e, z)).sum(), z)
    with torch.no_grad(), seeded(seed):
        v = torch.randn_like(z)
        sides = [(loss(Q(z + h * v)[0]), loss(e + h * v)) for h in (STEP, -STEP)]
        exact, own = ((up - down) / (2 * STEP) for up, down in zip(*sides, strict=True))
        other, cell = index.flatten(1).clone(), torch.randint(index[0].numel(), (len(x), 1))
        other.scatter_(1, cell, torch.randint(len(Q.codes), (len(x), 1)))
        there = Q.look_up(other.view_as(index))
        on = (other != index.flatten(1)).any(1)
        return {"exact": exact, "own": own, "straight": (g * v).flatten(1).sum(1),
                "foreseen": (g * (there - e)).flatten(1).sum(1)[on], "change": (loss(there) - loss(e))[on]}  # fmt: skip


def run(bench: Bench) -> Outcome:
    rounds, codes, every = bench.pick((200, 32, 10), (3_000, 64, 100))

    def once(trial: Trial) -> dict[str, Any]:
        x = trial.data.examples(min(300, trial.data.size("test")), "test").x
        found: dict[str, Any] = {"error": {name: [] for name in KINDS}}

        def played(kind: str) -> Game:
            def prepare(game: Game) -> Game:
                game.networks["encoder"].requires_grad_(kind != "frozen")
                if kind == "cut":
                    game.networks["decoder"].register_forward_pre_hook(lambda _, inputs: (inputs[0].detach(),))
                return game

            def watch(game: Game, record: Round) -> None:
                if record.number == every * (len(found["error"][kind]) + 1) <= rounds // 2:  # then comes the prior
                    found["error"][kind].append(float((game.reconstruct(x) - x).square().mean()))

            recipe = make("vq-vae", "small", codes=codes, width=16, prior_width=8, prior_layers=1, batch=64)
            return trial.play(recipe, rounds=rounds, watch=watch, prepare=prepare)

        game, *_ = [played(kind) for kind in KINDS]
        found["use"] = codebook_use(game.ask("tokens", x), codes)["perplexity"].value / codes
        return found | looked_at(game, x.double(), trial.seed)

    runs = bench.each(once)
    cut, frozen = ([f["error"]["copied"][-1] / f["error"][other][-1] for f in runs] for other in ("cut", "frozen"))
    return Outcome(
        (
            near("largest derivative through the arg min", [float(f["exact"].abs().max()) for f in runs], 0.0, 0.0,
                 exact="by differences"),
            below("largest relative error of the straight-through derivative beside the decoder's",
                  [float((f["straight"] - f["own"]).abs().max() / f["own"].abs().max()) for f in runs], 1e-5),
            above("rank correlation of the change a code's exchange makes and that foreseen",
                  [float(spearmanr(f["foreseen"], f["change"]).statistic) for f in runs], 0.3),
            below("error with the gradient copied, over that with it cut", cut, bench.pick(0.9, 0.8)),
            below("error with the gradient copied, over that of an encoder left alone", frozen, 0.99),
            above("perplexity of code use at the end, over the codebook's size", [f["use"] for f in runs], 0.3),
        ),
        {"round": list(range(every, rounds // 2 + 1, every)),
         "error": {name: [f["error"][name] for f in runs] for name in KINDS},
         **{name: runs[0][name] for name in ("exact", "own", "straight", "foreseen", "change")}},
        "Through the arg min every derivative is exactly 0; the copied one is the decoder's. The nearer the dots "
        "in the middle to the dashed line, the more it tells of an exchange of one code; those above 0 do harm.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    slopes, steps, errors = panels(figure, 3)
    slopes.plot(told["own"], told["straight"], ".", color=COLOURS[0], label="straight-through")
    slopes.plot(told["own"], told["exact"], ".", color=COLOURS[1], label="through the arg min")
    labelled(slopes, "decoder's derivative along v", "derivative given to z")
    steps.plot(told["foreseen"], told["change"], ".", color=COLOURS[0])
    steps.axline((0, 0), slope=1, color=COLOURS[7], linestyle="dashed", label="as foreseen")
    labelled(steps, "g (e_j - e_k), foreseen", "change of the loss", "one code exchanged")
    for (name, runs), colour in zip(told["error"].items(), (0, 2, 1), strict=True):
        curve(errors, told["round"], runs, KINDS[name], COLOURS[colour])
    errors.set_ylim(0, 1.5 * float(np.max(list(told["error"].values()))))
    labelled(errors, "round", "squared error a pixel, held out")
