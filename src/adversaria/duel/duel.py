"""A generator against a discriminator: both players' objectives, with whatever parts were asked for.

    discriminator   min_D  L_D(D(real), D(fake)) + penalties           loss.discriminator
    generator       min_G  L_G(D(fake))                                loss.generator
    joint games     min_E,G  L_G(D(fake)) + L_E(D(real))               + loss.mirror; E makes part of the real pair

What the discriminator is shown is a pair (x,), (x, labels), (x, z), ...: from the data's side and from the generator's.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from adversaria.data import Batch
from adversaria.duel.parts import Parts
from adversaria.duel.state import Augment, History, Noise
from adversaria.errors import UserError
from adversaria.game import Objective, OptimizerSpec, Player, Stage, Terms, alternating
from adversaria.game.rules import RULES, Rule
from adversaria.objectives.losses import LOSSES, Loss
from adversaria.ops import clip_weights, descend, dragan_penalty, gradient_penalty, squared_slope

PENALTIES = ("penalty", "gradient", "one-sided", "zero-centred", "dragan", "r1", "r2", "history")
"""Terms that are no part of the game's value, by name; the first is that of recipes that write their own."""
Pair = tuple[Tensor, ...]
Also = Callable[[Pair, Pair], Terms]
"""From the data's pair and the samples' pair to terms."""


class Duel:
    """The objectives of two players.

    Args:
        G: what the generator's side owns, one module or several.
        D: the discriminator, from a pair's tensors to logits (n,); with `features` where they are to be matched.
        loss: the recipe's own objective; `parts.loss` takes its place.
        fake: from a batch to the pair of the generator's side.
        real: from a batch to the data's pair; (x,) without.
        parts: techniques asked for, with the recipe's own hyperparameters among them.
        batch: examples a move, which packs must divide.
        rounds: of play, over which noise is annealed.
        joint: the generator's side makes part of the real pair too, and moves to make both alike.
        called: the two players' names.
        also: further terms of either player, from the pairs as the discriminator is shown them.

    Raises:
        UserError: where parts don't go together.
    """

    def __init__(
        self, G: nn.Module | tuple[nn.Module, ...], D: nn.Module, *, loss: Loss, fake: Callable[[Batch], Pair],
        real: Callable[[Batch], Pair] = lambda batch: (batch.x,), parts: Parts, batch: int, rounds: int,
        joint: bool = False, called: tuple[str, str] = ("discriminator", "generator"),
        also: tuple[Also, Also] | None = None,
    ) -> None:  # fmt: skip
        self.G, self.D = G if isinstance(G, tuple) else (G,), D
        self.fake, self.real, self.parts, self.joint = fake, real, parts, joint
        self.called, self.also = called, also
        self.loss = _smoothed(loss if parts.loss == "own" else LOSSES[parts.loss](), parts.smooth)
        if batch % parts.pack:
            raise UserError(f"batches of {batch} don't divide into packs of {parts.pack}; --batch {batch * parts.pack}")
        self.noise = Noise(parts.noise, max(1, round(rounds * parts.noise_until))) if parts.noise else None
        kind, target, ramp = parts.augment, parts.augment_target, parts.augment_ramp
        self.augment = None if kind == "none" else Augment(kind, target, ramp)
        self.history = (History(D), History(*self.G)) if parts.history else ()

    @property
    def networks(self) -> dict[str, nn.Module]:
        """What the parts remember, to be named among the game's networks."""
        found: dict[str, nn.Module | None] = {"noise": self.noise, "augment": self.augment}
        found |= {f"history of {name}": module for name, module in zip(self.called, self.history, strict=False)}
        return {name: module for name, module in found.items() if module is not None}

    def see(self, pair: Pair) -> Pair:
        """A pair as the discriminator is shown it: x distorted and noisy, examples in packs."""
        x, *rest = pair
        if self.augment is not None and x.ndim != 4:
            raise UserError(f"augmentation '{self.augment.kind}' is for images, and these are vectors; none")
        x = self.augment(x) if self.augment is not None else x
        x = self.noise(x) if self.noise is not None else x
        return tuple(self._packed(t) for t in (x, *rest))

    def _packed(self, t: Tensor) -> Tensor:
        m = self.parts.pack
        if m == 1:
            return t
        if not t.is_floating_point():
            raise UserError(f"packs of {m} examples have {m} labels, which no conditional discriminator reads; pack 1")
        return t.reshape(len(t) // m, m * t.shape[1], *t.shape[2:])

    def discriminator(self, batch: Batch) -> Terms:
        """The discriminator's terms."""
        with torch.no_grad():
            real, fake = self.see(self.real(batch)), self.see(self.fake(batch))
        return self._against(real, fake, self.D(*real), self.D(*fake))

    def generator(self, batch: Batch) -> Terms:
        """The terms of the generator's side."""
        compares = self.joint or self.loss.paired
        looks = compares or self.parts.unroll or self.parts.matching or self.also
        fake = self.see(self.fake(batch))
        real = self.see(self.real(batch)) if looks else ()
        if self.parts.matching:
            return self._matched(real, fake)
        theta = self._foreseen(real, fake) if self.parts.unroll else None
        return self._for(real, fake, self._judge(real, theta) if compares else None, self._judge(fake, theta))

    def _judge(self, pair: Pair, theta: dict[str, Tensor] | None) -> Tensor:
        logits: Tensor = self.D(*pair) if theta is None else functional_call(self.D, theta, pair)
        return logits

    def together(self, batch: Batch) -> Mapping[str, Terms]:
        """Both sides' terms from one shared forward pass."""
        real, fake = self.see(self.real(batch)), self.see(self.fake(batch))
        logits = self.D(*real), self.D(*fake)
        terms = self._against(real, fake, *logits), self._for(real, fake, *logits)
        return dict(zip(self.called, terms, strict=True))

    def _against(self, real: Pair, fake: Pair, on_real: Tensor, on_fake: Tensor) -> Terms:
        if self.augment is not None:
            self.augment.latest = on_real.detach()
        terms = dict(self.loss.discriminator(on_real, on_fake))
        if self.parts.every == 1:
            terms |= self.penalties(real, fake)
        return terms | self._further(0, real, fake)

    def _for(self, real: Pair, fake: Pair, on_real: Tensor | None, on_fake: Tensor) -> Terms:
        terms = dict(self.loss.generator(on_fake, on_real))
        if self.joint and on_real is not None:
            terms |= self.loss.mirror(on_real)
        return terms | self._further(1, real, fake)

    def _further(self, side: int, real: Pair, fake: Pair) -> dict[str, Tensor]:
        terms = dict(self.also[side](real, fake)) if self.also else {}
        return terms | {"history": self.parts.history * self.history[side]()} if self.history else terms

    def _matched(self, real: Pair, fake: Pair) -> Terms:
        D: Any = self.D
        distance = D.features(*real).mean(0) - D.features(*fake).mean(0)
        return {"matching": distance.square().sum()} | self._further(1, real, fake)

    def _foreseen(self, real: Pair, fake: Pair) -> dict[str, Tensor]:
        """The discriminator's parameters `unroll` steps on, as functions of the pairs."""

        def loss(theta: Mapping[str, Tensor]) -> Tensor:
            at = dict(theta)
            terms = self.loss.discriminator(functional_call(self.D, at, real), functional_call(self.D, at, fake))
            return torch.stack(list(terms.values())).sum()

        return descend(self.D, loss, self.parts.unroll, self.parts.unroll_step)

    def penalties(self, real: Pair, fake: Pair) -> dict[str, Tensor]:
        """The penalties asked for, on what the discriminator is shown; labels stay as they are."""
        p, n = self.parts, sum(t.is_floating_point() for t in real)
        x, y, labels = real[:n], fake[:n], real[n:]

        def f(*moving: Tensor) -> Tensor:
            scores: Tensor = self.D(*moving, *labels)
            return scores

        weighed = {
            "gradient": (p.gradient, lambda: gradient_penalty(f, x, y)),
            "one-sided": (p.one_sided, lambda: gradient_penalty(f, x, y, one_sided=True)),
            "zero-centred": (p.zero_centred, lambda: gradient_penalty(f, x, y, centre=0.0)),
            "dragan": (p.dragan, lambda: dragan_penalty(f, x)),
            "r1": (p.r1 / 2, lambda: squared_slope(f, x)),
            "r2": (p.r2 / 2, lambda: squared_slope(f, y)),
        }
        return {name: weight * penalty() for name, (weight, penalty) in weighed.items() if weight}

    def stage(
        self, discriminator: OptimizerSpec, generator: OptimizerSpec, *, steps: int = 1, rule: Rule = alternating,
        objectives: tuple[Objective, Objective] | None = None,
    ) -> Stage:  # fmt: skip
        """The two players, in the order in which they move; `objectives` of a recipe replace the duel's own.

        Raises:
            UserError: where the rule moves everyone once and the discriminator has several moves.
        """
        rule = rule if self.parts.rule == "own" else RULES[self.parts.rule]
        discriminator = replace(discriminator, lr=discriminator.lr * self.parts.ratio)
        against, to_fool = objectives or (self.discriminator, self.generator)
        first, second = self.called
        players = [
            Player(first, (self.D,), against, discriminator, steps, self._after_discriminator),
            Player(second, self.G, to_fool, generator, after=self._after_generator),
        ]
        if self.parts.every > 1:
            if rule is not alternating:
                raise UserError(
                    f"parts.every is {self.parts.every} and the {rule.__name__} rule moves everyone every round; "
                    "a lazy penalty needs --parts.rule alternating"
                )
            players.insert(1, self._lazy(steps))
        apart = rule is alternating or objectives or self.parts.matching or self.parts.unroll
        return Stage(tuple(players), rule=rule, joint=None if apart else self.together)

    def _lazy(self, steps: int) -> Player:
        """A player who moves the discriminator by its penalties alone, in every k-th round."""
        k = self.parts.every

        def objective(batch: Batch) -> Terms:
            with torch.no_grad():
                pairs = self.see(self.real(batch)), self.see(self.fake(batch))
            terms = {name: k * steps * term for name, term in self.penalties(*pairs).items()}
            if not terms:
                raise UserError(f"parts.every is {k} and there is no penalty to be lazy with; give one: --parts.r1 1")
            return terms

        return Player("penalty", (self.D,), objective, self.called[0], lambda round: int(round % k == 0),
                      shares=self.called[:1])  # fmt: skip

    def _after_discriminator(self) -> None:
        if self.parts.clip:
            clip_weights(self.D, self.parts.clip)
        for module in (self.augment, *self.history[:1]):
            if module is not None:
                module.update()

    def _after_generator(self) -> None:
        for module in (self.noise, *self.history[1:]):
            if module is not None:
                module.update()

    def score(self, x: Tensor) -> Tensor:
        """Logits (n,) of examples; those of a pack have its logit."""
        m, n = self.parts.pack, len(x)
        x = torch.cat([x, x[: -n % m]]) if n % m and n >= -n % m else x
        logits: Tensor = self.D(*self.see((x,)))
        return logits.repeat_interleave(m)[:n]


def _smoothed(loss: Loss, smooth: float) -> Loss:
    if not smooth:
        return loss
    if not hasattr(loss, "smooth"):
        raise UserError(
            f"smooth is {smooth:g} and {type(loss).__name__} has no targets to smooth; "
            "it is for the losses non-saturating and minimax"
        )
    changed: Any = replace(loss, smooth=smooth)  # type: ignore[type-var]
    return changed
