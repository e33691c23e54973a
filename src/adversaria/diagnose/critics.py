"""What a discriminator knows and what it still teaches: its gap to held-out data, and a fresh one's gradient."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from adversaria.data.spec import Batch
from adversaria.diagnose.untouched import Played, Snapshot, alone, opponents, stage_of, terms_of, untouched
from adversaria.errors import UserError, at_least
from adversaria.game.game import Game, seeded
from adversaria.game.player import Player
from adversaria.game.referee import play
from adversaria.game.rounds import Indexed
from adversaria.game.stage import Stage
from adversaria.metrics.estimate import Z95, Estimate
from adversaria.objectives.adversarial import is_fake, is_real, saturating

CHUNK = 1000
"""Examples scored at a time."""


@dataclass(frozen=True)
class HeldOutGap:
    """How a discriminator treats what it was trained on and what it was not."""

    r_v: Estimate
    """0: held-out data are scored like training data; 1: like generated ones."""
    r_t: Estimate
    """E sign(D(train) - midpoint)."""
    scores: Mapping[str, tuple[float, float]]
    """Mean and standard deviation of the scores of training, held-out and generated examples."""

    def __str__(self) -> str:
        return f"{self.r_v}; r_t {self.r_t.value:.3f} +- {self.r_t.error:.2g}"


def held_out_gap(
    game: Game, *, train: Tensor, valid: Tensor, generated: Tensor, midpoint: float | None = None,
    stage: str | Stage | None = None,
) -> HeldOutGap:  # fmt: skip
    """Has the discriminator learned its training data by heart?

        r_v = (E D(train) - E D(valid)) / (E D(train) - E D(generated)),   r_t = E sign(D(train) - midpoint)

    D is the score (logits) at rest. r_v has Fieller's 95% interval, which is unbounded where the discriminator doesn't
    tell training data from generated ones, and as `p` that of Welch's test of E D(train) <= E D(valid). For logits the
    midpoint is 0. A critic's scores have no zero: the middle between the means of training and generated scores is
    taken, in which case r_t is part of its own yardstick.

    Args:
        game: with the ability `score`.
        train: examples (n, *shape) that the discriminator was trained on.
        valid: examples it was not.
        generated: samples, of the same label or condition where that matters.
        midpoint: between real and fake; None for 0 where a player is called discriminator, else the middle.
        stage: a stage of the game or its name; None for the last one.

    Karras et al. (2020), arXiv:2006.06676, Eq. 1.

    Raises:
        UserError: where the game has no score, a set has fewer than two examples, or a score is not finite.
    """
    if not game.can("score"):
        raise UserError(f"not applicable: this game scores no single examples; it can {', '.join(game.abilities)}")
    sets = {"train": train, "valid": valid, "generated": generated}
    scores = {name: _scores(game, name, x) for name, x in sets.items()}
    (T, V, G), n = (s.mean() for s in scores.values()), [len(s) for s in scores.values()]
    a, b, c = (s.var(ddof=1) / len(s) for s in scores.values())
    if midpoint is None:
        logits = any(p.name == "discriminator" for p in stage_of(game, stage).players)
        midpoint, how = (0.0, "0") if logits else (float(T + G) / 2, "middle of the means")
    else:
        how = f"{midpoint:g}"
    top, bottom = float(T - V), float(T - G)
    value = top / bottom if bottom else math.nan
    error = math.sqrt(a * (1 - value) ** 2 + b + c * value**2) / abs(bottom) if bottom else math.nan
    limits = _fieller(top, bottom, a + b, a + c, a)
    unbounded = not all(map(math.isfinite, limits))
    spread = math.sqrt(a + b)
    p = 1 - NormalDist().cdf(top / spread) if spread else (0.0 if top > 0 else 1.0)
    facts = {f"n_{name}": k for name, k in zip(sets, n, strict=True)}
    sign = np.sign(scores["train"] - midpoint)
    r_v = Estimate(
        "discriminator overfit r_v", value, error, n[1], "", facts, True, limits, p=p,
        bias="undefined: training examples are not scored above generated ones" if unbounded or bottom <= 0 else "",
        details={"train minus held-out": top, "train minus generated": bottom},
    )  # fmt: skip
    r_t = Estimate("discriminator overfit r_t", float(sign.mean()), float(sign.std(ddof=1) / n[0] ** 0.5), n[0], "",
                   facts | {"midpoint": how}, None, details={"midpoint": midpoint})  # fmt: skip
    return HeldOutGap(r_v, r_t, {k: (float(s.mean()), float(s.std(ddof=1))) for k, s in scores.items()})


def _scores(game: Game, name: str, x: Tensor) -> np.ndarray:
    if len(x) < 2:
        raise UserError(f"{name} has {len(x)} examples, which give no standard error; at least 2")
    parts = [game.score(chunk.to(game.device)).double().reshape(len(chunk), -1).mean(1) for chunk in x.split(CHUNK)]
    values: np.ndarray = torch.cat(parts).cpu().numpy()
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise UserError(f"{bad} of {len(values)} scores of {name} are not finite; diagnose an earlier checkpoint")
    return values


def _fieller(top: float, bottom: float, vt: float, vb: float, both: float) -> tuple[float, float]:
    """95% limits of a ratio of normal estimates with variances vt, vb and covariance `both`. Fieller (1954)."""
    z = Z95**2
    A, B, C = bottom**2 - z * vb, top * bottom - z * both, top**2 - z * vt
    if A <= 0:
        return -math.inf, math.inf
    half = math.sqrt(max(B * B - A * C, 0.0))
    return (B - half) / A, (B + half) / A


@dataclass(frozen=True)
class GradientProbe:
    """What a fresh discriminator's training does to the generator's gradient: (repeats, measurements) each."""

    steps: np.ndarray
    own: np.ndarray
    """|grad_theta| of the generator's own loss."""
    saturating: np.ndarray | None
    """|grad_theta E log(1 - D)|; None where the game has no score or its samples carry no gradient."""
    non_saturating: np.ndarray | None
    """|grad_theta E -log D|."""
    accuracy: np.ndarray | None
    """Of the fresh discriminator on examples and samples it didn't train on."""
    jsd: np.ndarray | None
    """ln 2 + (E log D + E log(1 - D)) / 2, a lower bound on the Jensen-Shannon divergence in nats (logits only)."""
    slope: Estimate
    """Of log10 |grad_theta| of the stated loss over 1000 discriminator steps."""

    def __str__(self) -> str:
        told = "" if self.accuracy is None else f", accuracy {np.median(self.accuracy[:, -1]):.3f}"
        return f"{self.slope}{told}"


def gradient_probe(
    game: Game, batches: Indexed | Iterable[Any], *, stage: str | Stage | None = None, steps: int = 150,
    every: int = 2, repeats: int = 3, adversary: str | None = None, fresh: Callable[[], Game] | None = None,
    test: Indexed | Iterable[Any] | None = None, seed: int = 0,
) -> GradientProbe:  # fmt: skip
    """Does the generator's gradient vanish as a discriminator, begun afresh, learns to tell its samples?

        slope = d log10 |grad_theta L| / d step x 1000,   L = E log(1 - D), or the generator's own loss without a score

    The generator stands still while the new discriminator trains on the stage's own objective, by its own optimiser;
    the gradients are taken on one batch and one draw of noise. All in float64 and from logits, so that nothing
    underflows. The slope is fitted to the second half of the steps, past the rise with which every training begins; its
    standard error is over repeats, new initial weights each.

    Arjovsky and Bottou (2017), arXiv:1701.04862, Section 2 and Figure 2, see the norm fall by five orders of magnitude
    in 4000 steps. A Wasserstein critic's doesn't fall.

    Args:
        game: left as it is.
        batches: examples to train on.
        stage: a stage of two players or its name; None for the last one.
        steps: of the discriminator.
        every: steps between measurements.
        repeats: fresh discriminators.
        adversary: the discriminator's name; None where a player is called discriminator, critic or adversary.
        fresh: builds a game of the same recipe, whose discriminator's initial weights are taken; None to initialise
            each layer anew by its own rule (DCGAN's for its critics).
        test: the measurement is on its first batch; None for a first batch of `batches`, which training begins after.
        seed: of weights and noise.

    Raises:
        UserError: for other than two players, a generator's loss that the discriminator doesn't enter, or a layer that
            can't be initialised anew.
    """
    at_least("steps", steps, 8 * every)
    at_least("repeats", repeats, 1)
    played = stage_of(game, stage)
    generator, discriminator = opponents(played, adversary)
    logits = discriminator.name == "discriminator"
    kept: list[dict[str, np.ndarray]] = []
    with untouched(game, torch.float64):
        source = Played(batches, game, torch.float64)
        probe = (source if test is None else Played(test, game, torch.float64)).at(0)
        source.skip = int(test is None)
        for repeat in range(repeats):
            before = Snapshot(game)
            renew(discriminator, game, fresh, seed + repeat)
            with seeded(seed + repeat):
                stage_alone = alone(played, discriminator, steps)
                rows = [_look(game, played, generator, probe, logits, seed)]
                for record in play(stage_alone, source, rounds=steps):
                    if record.number % every == 0:
                        rows.append(_look(game, played, generator, probe, logits, seed))
            kept.append({key: np.array([row[key] for row in rows]) for key in rows[0]})
            before.restore()
    at = np.arange(len(rows)) * every
    series = {key: np.stack([one[key] for one in kept]) for key in kept[0]}
    sure = float(np.median(series["accuracy"][:, -1])) if "accuracy" in series else math.nan
    loss = "saturating" if "saturating" in series and logits else "own"
    facts = {"stage": played.name, "steps": steps, "every": every, "repeats": repeats, "batch": len(probe),
             "loss": loss, "initial": "layers' own" if fresh is None else "the recipe's", "seed": seed}  # fmt: skip
    return GradientProbe(
        at, series["own"], series.get("saturating"), series.get("non_saturating"), series.get("accuracy"),
        series.get("jsd") if logits else None, _slope(at, series[loss], sure, facts),
    )  # fmt: skip


def renew(player: Player, game: Game, fresh: Callable[[], Game] | None, seed: int) -> None:
    """Gives what the player owns new initial weights, and its buffers their first values."""
    own = {id(t) for module in player.owns for t in (*module.parameters(), *module.buffers())}
    with seeded(seed), torch.no_grad():
        if fresh is not None:
            values = fresh().networks.state_dict()
            for name, tensor in (*game.networks.named_parameters(), *game.networks.named_buffers()):
                if id(tensor) in own and name in values:
                    tensor.copy_(values[name])
            return
        anew: set[int] = set()
        parts = [m for module in player.owns for m in module.modules()]
        for part in reversed(parts):  # a network has the last word on its layers' weights
            if callable(reset := getattr(part, "reset_parameters", None)):
                with parametrize.cached():  # what is written into a weight that is computed is kept as what it is of
                    reset()
                    computed: Any = part.parametrizations if parametrize.is_parametrized(part) else {}
                    for name, of in computed.items():
                        of.original.copy_(getattr(part, name))
                anew |= {id(p) for p in part.parameters(recurse=False)}
                anew |= {id(of.original) for of in computed.values()}
    left = [tuple(p.shape) for p in player.parameters() if id(p) not in anew]
    if left:
        raise UserError(f"player '{player.name}' owns a parameter of shape {left[0]} in a layer without "
                        "reset_parameters(); say how to begin afresh: fresh=lambda: recipe.build(spec)")  # fmt: skip


def _look(game: Game, stage: Stage, generator: Player, probe: Batch, logits: bool, seed: int) -> dict[str, float]:
    """Gradient norms, and how well the discriminator tells the probe's examples from samples."""
    held, theta, row = Snapshot(game.networks), generator.parameters(), dict[str, float]()
    with seeded(seed):
        batch = probe
        if stage.data is not None:
            with torch.no_grad():
                batch = stage.data(probe)
        row["own"] = _norm(generator.loss(terms_of(stage, generator, batch)), theta)
    if game.can("score"):
        with seeded(seed):
            y = game.abilities["sample"](len(probe) if game.condition is None else probe.labels)
            fake = game.abilities["score"](y)
            if y.requires_grad:
                row["saturating"] = _norm(saturating(fake), theta, keep=True)
                row["non_saturating"] = _norm(is_real(fake), theta)
            with torch.no_grad():
                real, fake = game.abilities["score"](probe.x), fake.detach()
        middle = 0.0 if logits else float(real.mean() + fake.mean()) / 2
        row["accuracy"] = float(((real > middle).double().mean() + (fake < middle).double().mean()) / 2)
        row["jsd"] = math.log(2) - float(is_real(real) + is_fake(fake)) / 2
    held.rewind()
    return row


def _norm(loss: Tensor, theta: list[nn.Parameter], keep: bool = False) -> float:
    if not loss.requires_grad:
        return 0.0
    gradients = torch.autograd.grad(loss, theta, allow_unused=True, retain_graph=keep)
    return math.sqrt(sum(float(g.square().sum()) for g in gradients if g is not None))


def _slope(at: np.ndarray, norms: np.ndarray, accuracy: float, facts: Mapping[str, Any]) -> Estimate:
    """Least squares over the second half of the steps, per repeat."""
    late = at >= at[-1] / 2
    x, y = at[late] / 1000, norms[:, late]
    details = {"first norm": float(np.median(norms[:, 0])), "largest norm": float(np.median(norms.max(1))),
               "last norm": float(np.median(norms[:, -1])), "accuracy": accuracy}  # fmt: skip
    name, unit = "gradient slope", "decades per 1000 steps"
    if not (np.isfinite(y) & (y > 0)).all():
        broken = int((~(np.isfinite(y) & (y > 0))).sum())
        raise UserError(f"the generator's gradient is 0 or not finite at {broken} of {y.size} measurements; it has no "
                        "slope: does the generator's loss look through the discriminator?")  # fmt: skip
    x = x - x.mean()
    slopes = np.log10(y) @ x / (x @ x)
    if len(slopes) > 1:
        error = float(slopes.std(ddof=1) / len(slopes) ** 0.5)
    else:
        rest = np.log10(y[0]) - np.log10(y[0]).mean() - slopes[0] * x
        error = float(np.sqrt(rest @ rest / max(len(x) - 2, 1) / (x @ x)))
    return Estimate(name, float(np.median(slopes)), error, len(slopes), unit, facts, None, details=details,
                    bias="median of the repeats")  # fmt: skip
