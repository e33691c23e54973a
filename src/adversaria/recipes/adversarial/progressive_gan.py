"""Progressive GAN: both networks begin with images of 4 pixels and grow to the data's size, level by level.

    critic     min_f  E f(G(z)) - E f(x) + lambda E (||grad f(x^)||_2 - 1)^2 + eps E f(x)^2,   x^ between x and G(z)
    generator  min_G  -E f(G(z)),   z ~ N(0, I)                                                      Appendix A.1

    a level fades in:   G(z) = (1 - alpha) up(G_{k-1}(z)) + alpha G_k(z),   alpha from 0 to 1 over its stage   Figure 2

f and the data fade alike. Weights are N(0, 1), scaled by He's constant as they are used (Section 4.1); G normalises
the features of each pixel (Section 4.2); f sees the deviation of its batch (Section 3).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from adversaria.data import Batch, DataSpec
from adversaria.duel import LAYERS, Duel, Pair, Parts
from adversaria.errors import UserError
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Referee, Reference, Stage, Weight
from adversaria.game.rules import Rule
from adversaria.nn.noise import normal
from adversaria.nn.progressive import Critic, Generator, Growing
from adversaria.objectives.losses import Wasserstein

REFERENCE = Reference(title="Progressive Growing of GANs for Improved Quality, Stability, and Variation", year=2018,
                      authors="Karras, Aila, Laine, Lehtinen", arxiv="1710.10196", venue="ICLR")  # fmt: skip
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
    average: Fraction = 0.99
    """Decay of the averaged generator that samples (Appendix A.1: 0.999); 0 for none."""
    adam: Adam = Adam(lr=1e-2, betas=(0.0, 0.99))
    """For both players, anew in each stage; (alpha, beta_1, beta_2) = (1e-3, 0, 0.99) in Appendix A.1."""
    parts: Parts = Parts()
    """Techniques beside the recipe's own, in each stage anew, such as --parts.r1 1; 'adversaria show' lists them."""
    batch: Count = 16
    """Examples a move (Appendix A.1)."""
    rounds: Count = 2_000
    """Rounds over all stages."""

    def game(self, spec: DataSpec) -> Game:
        parts = self.parts
        parts.without(*LAYERS, "spectral", why="progressive-gan has its own layers")
        parts.without("minibatch", why="progressive-gan's critic sees the deviation of its batch")
        parts.without("every", why="nobody sits out a round while progressive-gan grows")
        channels, *size = spec.shape
        G = Generator(self.latent, spec.shape, self.width, self.widest)
        f = Critic((parts.pack * channels, *size), self.width, self.widest)
        first = 0 if self.grow else G.top
        for unused in (*G.images[:first], *f.body.reads[:first]):
            unused.requires_grad_(False)
        levels = range(first, G.top + 1)
        steps = [(level, fading) for level in levels for fading in (True, False) if level > first or not fading]
        rounds = round(self.rounds / (len(steps) - 1 + self.last))  # of a stage other than the last
        all_parts = parts.own(gradient=self.penalty)
        duels = [self.duel(G.used(*step), f.used(*step), all_parts, rounds) for step in steps]
        stages = [self.stage(duel, G, f, *step) for duel, step in zip(duels, steps, strict=True)]
        both = list(zip(duels, stages, strict=True))
        kept = {f"{name}, {stage.name}": part for duel, stage in both for name, part in duel.networks.items()}
        return Game(
            stages=stages,
            networks={"generator": G, "critic": f, **kept},
            averages={"generator": self.average},
            sample=lambda n: G(normal(n, self.latent, like=G)).clamp(-1, 1),
            latent=lambda n: normal(n, self.latent, like=G),
            decode=lambda z: G(z).clamp(-1, 1),
            score=self.duel(G, f, Parts(pack=parts.pack), rounds).score,
        )

    def duel(self, G: nn.Module, f: nn.Module, parts: Parts, rounds: int) -> Duel:
        """Both players of a stage."""

        def fake(batch: Batch) -> Pair:
            return (G(normal(len(batch), self.latent, like=G)),)

        return Duel(G, f, loss=Drifting(self.drift), fake=fake, parts=parts, batch=self.batch, rounds=rounds,
                    called=("critic", "generator"))  # fmt: skip

    def stage(self, duel: Duel, G: Generator, f: Critic, level: int, fading: bool) -> Stage:
        """Play at a level, or while it fades in."""
        height, width = G.sizes[level]
        stage, last = duel.stage(self.adam, self.adam), level == G.top and not fading
        return replace(
            stage, name=f"{'to ' if fading else ''}{height}x{width}", share=self.last if last else 1.0,
            rule=growing((G, f.body), level, fading, stage.rule),
            data=lambda batch: Batch(G.seen(batch.x, level, G.alpha if fading else 1.0), batch.labels),
        )  # fmt: skip


@dataclass(frozen=True)
class Drifting(Wasserstein):
    """Wasserstein's loss, and eps E_p f^2 for the critic."""

    eps: float

    def discriminator(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """E_q f - E_p f, and the drift."""
        return super().discriminator(real, fake) | {"drift": self.eps * real.square().mean()}


def growing(networks: tuple[Growing, ...], level: int, fading: bool, rule: Rule) -> Rule:
    """Moves by a rule at a level; where it fades in, alpha is (r + 1) / (R + 1) in round r, from 0, of R."""

    def growing(referee: Referee, draw: Callable[[], Batch]) -> None:
        if fading and referee.rounds is None:
            raise UserError(f"stage '{referee.stage.name}' fades in over its rounds; say how many: rounds=N")
        for network in networks:
            network.grow(level, (referee.round + 1) / (referee.rounds + 1) if fading and referee.rounds else 1.0)
        rule(referee, draw)

    return growing
