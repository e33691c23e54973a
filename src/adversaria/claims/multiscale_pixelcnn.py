"""Multiscale PixelCNN: how many steps an image takes.

While one image of 32 x 32 pixels is drawn from a fresh model, calls that wait for one another are counted: one for each
pixel of the smallest image, and one for the network of every group of pixels (Section 3.2: O(log N) for N pixels).
Threshold: a tenth of the pixels' number.
"""

from unittest import mock

import torch

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.data import DataSpec
from adversaria.game import Game
from adversaria.nn.between import Between
from adversaria.nn.pixelcnn import Drawing

CLAIM = "Drawing an image takes far fewer steps than it has pixels (Section 3.2)."
SIDE = 32


def measure(trial: Trial) -> Measured:
    """Steps for each pixel."""
    steps = counted(make("multiscale-pixelcnn", "small").build(DataSpec("image", (3, SIDE, SIDE))), trial.seed)
    return Measured(sum(steps.values()) / SIDE**2, facts=steps)


def counted(game: Game, seed: int) -> dict[str, int]:
    """Steps that wait for one another while a game of this recipe, or of a PixelCNN, draws an image."""
    steps = {"pixels of the smallest image": 0, "groups": 0}

    def group(*_: object) -> None:
        steps["groups"] += 1

    whole = Drawing.pixel

    def pixel(self: Drawing, j: int, sides: list[torch.Tensor]) -> torch.Tensor:
        steps["pixels of the smallest image"] += 1
        return whole(self, j, sides)

    nets = [net for scale in game.networks.children() if isinstance(scale, Between) for net in scale.nets]
    hooks = [net.register_forward_hook(group) for net in nets]
    with mock.patch.object(Drawing, "pixel", pixel):
        game.sample(1, seed=seed)
    for hook in hooks:
        hook.remove()
    return steps


CHECKS = (
    Check(claim=CLAIM, quantity="steps for each pixel of a 32 x 32 image", measure=measure, threshold=0.1,
          holds="below", data=("digits",)),
)  # fmt: skip
