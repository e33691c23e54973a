"""Do encoder and decoder become inverse to each other, where x and z are both standard normal numbers?

    q(x, z) = N(x; 0, 1) q(z | x),   z = mu(x) + sigma(x) eps          p(x, z) = N(z; 0, 1) p(x | z),   x = G(z)
    discriminator  max_D  E_q log D(x, z) + E_p log(1 - D(x, z)),   at its best 2 JSD(q, p) - 2 log 2

ALI on a line. The two joints can be equal only if z is a function of x and G its inverse: z = x, or z = -x, since both
sides are standard normal. After training G(E(x)) and E(G(z)) must correlate with x and z by 0.95 at least, |x| and |z|
of encoded pairs by 0.9, and the energy distance of 2,000 pairs from each joint must be below 0.02; a pair of
independent normals and the identity are 0.1 to 0.2 apart.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.claims.tools import energy_distance
from adversaria.data import load
from adversaria.game import Game, Round
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, SIZE, curve, labelled

SOURCES = ("001",)
MORE = ("Dumoulin et al. (2017), arXiv:1606.00704, Section 2", "Donahue et al. (2017), arXiv:1605.09782, Theorem 2")
N = 2_000


def correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


def joints(game: Game) -> tuple[Tensor, Tensor]:
    """Pairs (n, 2) of x and encoded z, and of generated x and z."""
    generator = torch.Generator().manual_seed(0)
    x, z = torch.randn(2, N, 1, generator=generator)
    return torch.cat([x, game.encode(x, seed=1)], 1), torch.cat([game.decode(z), z], 1)


def run(bench: Bench) -> Outcome:
    rounds, frames = bench.pick(700, 4_000), 4
    falling = {"lr": bench.pick(3e-3, 1e-3), "schedule": "linear"}
    recipe = make("ali", latent=1, hidden=32, depth=2, batch=bench.pick(128, 256), rounds=rounds, average=0.98,
                  discriminator=falling, generators=falling, parts={"critic_norm": "none"})  # fmt: skip

    def once(trial: Trial) -> dict[str, Any]:
        data = load(np.random.default_rng(trial.seed).standard_normal((10_000, 1)).astype("float32"))
        found: dict[str, Any] = {"round": [], "distance": [], "x": [], "pairs": []}

        def watch(game: Game, record: Round) -> None:
            if record.number % (rounds // 20) and record.number != 1:
                return
            q, p = joints(game)
            found["round"].append(record.number)
            found["distance"].append(energy_distance(q, p))
            found["x"].append(correlation(q[:, :1], game.decode(q[:, 1:])))
            if record.number == 1 or record.number % (rounds // (frames - 1)) < rounds // 20:
                found["pairs"].append((record.number, q[:600], p[:600]))

        game = trial.play(recipe, data, watch=watch)
        q, p = joints(game)
        return found | {
            "z": correlation(p[:, 1:], game.encode(p[:, :1], seed=2)),
            "joint": abs(correlation(q[:, :1], q[:, 1:])),
        }

    runs = bench.each(once)
    return Outcome(
        (
            above("correlation of x and G(E(x))", [f["x"][-1] for f in runs], 0.95),
            above("correlation of z and E(G(z))", [f["z"] for f in runs], 0.95),
            above("correlation of x and E(x), in size", [f["joint"] for f in runs], 0.9),
            below("energy distance of the two joints", [f["distance"][-1] for f in runs], 0.02),
        ),
        {"round": runs[0]["round"], "distance": [f["distance"] for f in runs], "x": [f["x"] for f in runs],
         "rounds": [at for at, _, _ in runs[0]["pairs"]], "q": [q for _, q, _ in runs[0]["pairs"]],
         "p": [p for _, _, p in runs[0]["pairs"]]},
        "The clouds of both joints begin apart and end on one line, where each code belongs to one x: a line of "
        "slope 1 or -1, since nothing in the game tells the two apart.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    figure.set_size_inches(SIZE[0], 4.6)
    frames = len(told["rounds"])
    half = frames // 2
    layout: Any = [[*range(frames)], ["x"] * half + ["d"] * (frames - half)]
    axes: Any = figure.subplot_mosaic(layout)
    for k in range(frames):
        for name, colour, label in (("q", 0, "(x, E(x))"), ("p", 1, "(G(z), z)")):
            axes[k].plot(*np.asarray(told[name][k]).T, ".", color=COLOURS[colour], markersize=2, alpha=0.4, label=label)
        axes[k].set(xlim=(-3.5, 3.5), ylim=(-3.5, 3.5), aspect="equal")
        labelled(axes[k], "x", "z" if k == 0 else "", f"round {told['rounds'][k]}", legend=False)
    axes[0].legend(markerscale=4, loc="upper left", fontsize=6)
    curve(axes["x"], told["round"], told["x"], "x and G(E(x))", COLOURS[0])
    labelled(axes["x"], "round", "correlation of x and G(E(x))", legend=False)
    curve(axes["d"], told["round"], told["distance"], "joints", COLOURS[2])
    labelled(axes["d"], "round", "energy distance of the joints", legend=False)
