"""Progressive GAN: both networks begin with images of 4 pixels and grow to the data's size, level by level.

    critic     min_f  E f(G(z)) - E f(x) + lambda E (||grad f(x^)||_2 - 1)^2 + eps E f(x)^2,   x^ between x and G(z)
    generator  min_G  -E f(G(z)),   z ~ N(0, I)                                                      Appendix A.1

    a level fades in:   G(z) = (1 - alpha) up(G_{k-1}(z)) + alpha G_k(z),   alpha from 0 to 1 over its stage   Figure 2

f and the data fade alike. Weights are N(0, 1), scaled by He's constant as they are used (Section 4.1); G normalises
the features of each pixel (Section 4.2); f sees the deviation of its batch (Section 3).
"""

from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import Batch, DataSpec
from adversaria.errors import UserError
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Referee, Reference, Stage, Terms, Weight
from adversaria.game.rules import Rule, alternating
from adversaria.nn.noise import normal
from adversaria.nn.progressive import Critic, Generator, Growing
from adversaria.ops import gradient_penalty

REFERENCE = Reference(
    title="Progressive Growing of GANs for Improved Quality, Stability, and Variation",
    authors="Karras, Aila, Laine, Lehtinen",
    year=2018,
    arxiv="1710.10196",
    venue="ICLR",
)
PRESETS = {
    "smoke": {"latent": 8, "width": 4, "widest": 8, "batch": 8, "rounds": 6},
    "small": {"width": 8, "widest": 32, "rounds": 900},
    "paper": {"latent": 512, "width": 512, "widest": 512, "last": 9.0, "average": 0.999, "batch": 16,
              "rounds": 750_000, "adam": {"lr": 1e-3, "betas": (0.0, 0.99)}},
}  # fmt: skip
DEPARTURES = (
    "Adam's rate is 1e-2 by default, since minutes have room for few steps; the preset 'paper' has 1e-3.",
    "Fewer channels by default, and a faster average; the preset 'paper' has Table 2's channels for data of 32 pixels.",
    "Stages are shares of the rounds given; the paper's are 800,000 images each, as are those of the preset 'paper'.",
    "Levels are the data's size halved, whatever it is, and 4 to 7 pixels at first; the paper's are powers of two.",
)
CLAIMS = (
    "Growing reaches a quality in less time than training at full size (Section 2, Figure 4).",
    "A level that fades in upsets what was learned below it less than one that is there at once (Section 2).",
)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class ProgressiveGAN(Recipe):
    """Progressively grown GAN."""

    KINDS = ("image",)

    latent: Count = 128
    """Dimension of z (Table 2: 512)."""
    penalty: Weight = 10.0
    """lambda (Appendix A.1)."""
    drift: Weight = 1e-3
    """eps, which keeps scores near 0 (Appendix A.1)."""
    width: Count = 16
    """Channels at the data's size; each level below has twice as many (Table 2: 512 at 32 pixels)."""
    widest: Count = 64
    """Channels at most (Table 2: 512)."""
    grow: bool = True
    """Whether to grow; without, all is played at the data's size, for comparison."""
    last: Annotated[float, Field(gt=0)] = 3.0
    """Length of play at the data's size; every other stage, of fading in or of play at a level, has 1."""
    average: float = 0.99
    """Decay of the averaged generator that samples (Appendix A.1: 0.999); 0 for none."""
    adam: Adam = Adam(lr=1e-2, betas=(0.0, 0.99))
    """For both players, anew in each stage; (alpha, beta_1, beta_2) = (1e-3, 0, 0.99) in Appendix A.1."""
    batch: Count = 16
    """Examples a move (Appendix A.1)."""
    rounds: Count = 2_000
    """Rounds over all stages."""

    def game(self, spec: DataSpec) -> Game:
        G = Generator(self.latent, spec.shape, self.width, self.widest)
        f = Critic(spec.shape, self.width, self.widest)
        first = 0 if self.grow else G.top
        for unused in (*G.images[:first], *f.body.reads[:first]):
            unused.requires_grad_(False)
        stages = [self.stage(G, f, first, fading=False)]
        for level in range(first + 1, G.top + 1):
            stages += [self.stage(G, f, level, fading=True), self.stage(G, f, level, fading=False)]
        return Game(
            stages=stages,
            networks={"generator": G, "critic": f},
            averages={"generator": self.average},
            sample=lambda n: G(normal(n, self.latent, like=G)).clamp(-1, 1),
            latent=lambda n: normal(n, self.latent, like=G),
            decode=lambda z: G(z).clamp(-1, 1),
            score=f,
        )

    def stage(self, G: Generator, f: Critic, level: int, fading: bool) -> Stage:
        """Play at a level, or while it fades in."""

        def alpha() -> float:
            return G.alpha if fading else 1.0

        def fake(n: int) -> Tensor:
            return G.at(normal(n, self.latent, like=G), level, alpha())

        def score(x: Tensor) -> Tensor:
            return f.at(x, level, alpha())

        def critic(batch: Batch) -> Terms:
            with torch.no_grad():
                y = fake(len(batch))
            real = score(batch.x)
            return {
                "wasserstein": score(y).mean() - real.mean(),
                "penalty": self.penalty * gradient_penalty(score, batch.x, y),
                "drift": self.drift * real.square().mean(),
            }

        def generator(batch: Batch) -> Terms:
            return {"wasserstein": -score(fake(len(batch))).mean()}

        players = (
            Player("critic", (f.used(level, fading),), critic, self.adam),
            Player("generator", (G.used(level, fading),), generator, self.adam),
        )
        height, width = G.sizes[level]
        return Stage(
            players,
            f"to {height}x{width}" if fading else f"{height}x{width}",
            share=self.last if level == G.top and not fading else 1.0,
            rule=growing((G, f.body), level, fading),
            data=lambda batch: Batch(G.seen(batch.x, level, alpha()), batch.labels),
        )


def growing(networks: tuple[Growing, ...], level: int, fading: bool) -> Rule:
    """Moves in turn at a level; where it fades in, alpha is (r + 1) / (R + 1) in round r, from 0, of R."""

    def growing(referee: Referee, draw: Callable[[], Batch]) -> None:
        if fading and referee.rounds is None:
            raise UserError(f"stage '{referee.stage.name}' fades in over its rounds; say how many: rounds=N")
        for network in networks:
            network.grow(level, (referee.round + 1) / (referee.rounds + 1) if fading and referee.rounds else 1.0)
        alternating(referee, draw)

    return growing
