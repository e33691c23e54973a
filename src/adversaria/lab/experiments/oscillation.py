"""Do the losses of a GAN settle, or do both players go round the equilibrium?

    bilinear     min_x max_y  x y                          J = dv/dw at (0, 0):  lambda = +i, -i
    Dirac-GAN    data at 0, samples at theta, D(x) = sigmoid(psi x):              lambda = +i/2, -i/2
    with a penalty (g / 2) psi^2 on D's slope at the data:                        lambda = (g +- sqrt(g^2 - 1)) / 2

Eigenvalues without a real part neither draw in nor drive away: steps taken at once must end further off than they
began, steps in turns must stay between half and twice the first distance, and only with the penalty (g = 1/2) may play
end below a tenth of it. The spectra are the library's, and must be right to 1e-6. Then a real one: "unrolled-gan" with
no unrolling, on the ring of 8 Gaussians. D's loss, smoothed over 25 rounds, must still swing in the last third of the
play: its standard deviation must be three times what batches alone make of it, as neighbouring rounds' differences
tell. That is no law of every GAN: the recipe "gan", with a code of 2 numbers, was seen to settle on this ring (1.2).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.data import Batch
from adversaria.diagnose.dynamics import jacobian_eigenvalues
from adversaria.game import SGD, Game, Player, Round, Stage, alternating, play, simultaneous
from adversaria.game.rules import Rule
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, labelled, panels
from adversaria.objectives.losses import Minimax

SOURCES = ("000", "003", "002")
MORE = ("Mescheder, Geiger and Nowozin (2018), arXiv:1801.04406, Section 2",)
GAMMA, WINDOW = 0.5, 25
ADAM = {"lr": 1e-3, "betas": (0.5, 0.999)}
PLAIN = make("unrolled-gan", unroll=0, average=0.0, batch=128, generator=ADAM, discriminator=ADAM)
Paid = Callable[[Tensor, Tensor], Tensor]
BILINEAR: tuple[Paid, Paid] = (lambda x, y: x * y, lambda x, y: -x * y)
ZERO = Batch(torch.zeros(1, 1))


def two(of_x: Paid, of_y: Paid, start: float, rule: Rule = alternating) -> Game:
    """A game of two numbers, from (start, 0)."""
    x, y = (nn.ParameterList([nn.Parameter(torch.tensor(v).double())]) for v in (start, 0.0))
    players = (Player("x", (x,), lambda _: {"loss": of_x(x[0], y[0])}, SGD(lr=0.2)),
               Player("y", (y,), lambda _: {"loss": of_y(x[0], y[0])}, SGD(lr=0.2)))  # fmt: skip
    return Game(stages=[Stage(players, rule=rule)], networks={"x": x, "y": y},
                sample=lambda n: torch.zeros(n, 1))  # fmt: skip


def dirac(start: float = 0.0, rule: Rule = alternating, gamma: float = 0.0) -> Game:
    def against(theta: Tensor, psi: Tensor) -> Tensor:
        return torch.stack([*Minimax().discriminator(psi * 0, psi * theta).values()]).sum() + gamma / 2 * psi.square()

    return two(lambda theta, psi: Minimax().generator(psi * theta)["minimax"], against, start, rule)


def path(game: Game, rounds: int) -> np.ndarray:
    return np.array([[p.item() for p in game.parameters()] for _ in play(game.stage(), [ZERO], rounds=rounds)])


def swing(losses: np.ndarray) -> float:
    """Standard deviation of the smoothed loss in the last third, over what independent batches would give it."""
    last = losses[-len(losses) // 3 :]
    noise = np.diff(last).std() / 2**0.5
    return float(np.convolve(last, np.ones(WINDOW) / WINDOW, "valid").std() / (noise / WINDOW**0.5))


def run(bench: Bench) -> Outcome:
    root = np.sqrt(complex(GAMMA**2 - 1))
    known = {"bilinear": (two(*BILINEAR, 0.0), [1j, -1j]), "Dirac-GAN": (dirac(), [0.5j, -0.5j]),
             "with a penalty": (dirac(gamma=GAMMA), [(GAMMA + root) / 2, (GAMMA - root) / 2])}  # fmt: skip
    spectra = {name: jacobian_eigenvalues(game, ZERO).leading for name, (game, _) in known.items()}
    error = max(float(np.abs(spectra[name] - np.array(truth)).max()) for name, (_, truth) in known.items())
    T = bench.pick(200, 600)
    paths = {"at once": path(dirac(1.0, simultaneous), T), "in turns": path(dirac(1.0), T)}
    paths["in turns, penalty"] = path(dirac(1.0, gamma=GAMMA), T)
    far = {name: np.linalg.norm(points, axis=1) for name, points in paths.items()}
    turns = np.linalg.norm(path(two(*BILINEAR, 1.0), T), axis=1)

    def once(trial: Trial) -> list[float]:
        told: list[Round] = []
        trial.play(PLAIN, rounds=bench.pick(700, 4_000), watch=lambda _, record: told.append(record))
        return [sum(record.terms["discriminator"].values()) for record in told]

    runs = [np.array(losses) for losses in bench.each(once, "ring8")]
    return Outcome(
        (
            below("largest error of an eigenvalue against its closed form", error, 1e-6),
            above("Dirac-GAN at once: last distance over the first", far["at once"][-1], 1.05),
            above("in turns: least distance over the first", min(far["in turns"].min(), turns.min()), 0.5),
            below("in turns: largest distance over the first", max(far["in turns"].max(), turns.max()), 2.0),
            below("in turns with the penalty: last distance over the first", far["in turns, penalty"][-1], 0.1),
            above("GAN: swings of D's loss in the last third over batch noise", [swing(r) for r in runs], 3.0),
        ),
        {"paths": paths, "losses": runs[0],
         "spectra": {name: [[z.real, z.imag] for z in values] for name, values in spectra.items()}},
        "On the imaginary axis nothing draws the players in: they go round, or outward if both move at once. A penalty "
        "on D's slope moves the eigenvalues to the right and the play to the centre. This GAN's loss has not settled.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    plane, spectrum, losses = panels(figure, 3)
    figure.set_size_inches(10.2, 3.6)
    for (name, points), colour in zip(told["paths"].items(), (1, 4, 0), strict=True):
        plane.plot(*np.asarray(points)[:201].T, color=COLOURS[colour], lw=1, label=name)
    plane.set_ylim(-2.2, 3.6)
    labelled(plane, "theta (generator)", "psi (discriminator)", "Dirac-GAN, 200 rounds")
    for (name, values), (colour, mark) in zip(told["spectra"].items(), ((6, "s"), (1, "o"), (0, "^")), strict=True):
        spectrum.plot(*np.asarray(values).T, mark, color=COLOURS[colour], label=name)
    spectrum.set(xlim=(-0.5, 0.75), ylim=(-1.2, 2.1))
    labelled(spectrum, "real part", "imaginary part", "eigenvalues at the equilibrium")
    losses.plot(np.asarray(told["losses"]), color=COLOURS[5], lw=0.4, label="each round")
    smooth = np.convolve(np.asarray(told["losses"]), np.ones(WINDOW) / WINDOW, "same")[WINDOW:-WINDOW]
    losses.plot(np.arange(len(smooth)) + WINDOW, smooth, color=COLOURS[0], lw=1.2, label="mean of 25 rounds")
    losses.axhline(2 * np.log(2), color=COLOURS[6], lw=0.8, linestyle=":", label="equilibrium, 2 log 2")
    labelled(losses, "round", "discriminator's loss (nats)", "GAN on the ring of 8 Gaussians")
