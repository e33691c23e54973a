"""The field along the straight line between two checkpoints: is the end attracting, and does play turn around it?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adversaria.data.spec import Batch
from adversaria.diagnose.field import Field
from adversaria.diagnose.untouched import stage_of, unprefixed, untouched
from adversaria.errors import UserError
from adversaria.game.game import Game
from adversaria.game.stage import Stage

ALPHAS = tuple(sorted({*np.linspace(-0.1, 1.1, 61).round(6), *np.linspace(0.9, 1.1, 41).round(6)}))
"""Where the path is looked at: the whole of it, and more finely around its end."""
NEAR = 0.1
"""What counts as around the end, as a part of the path."""


@dataclass(frozen=True)
class PathAngle:
    """The field along w(alpha) = alpha w' + (1 - alpha) w, from w (alpha 0) to w' (alpha 1)."""

    alphas: np.ndarray
    cosine: np.ndarray
    """c(alpha), -1 where play runs along the path, 1 where against it; nan where the field is 0."""
    norm: np.ndarray
    """|v|, the path's norm."""
    length: float
    """|w' - w|."""
    sign_change: float | None
    """Where near the end c goes from below 0 to above it, which is attraction; None: nowhere."""
    bump: float
    """By how much |c| near the end exceeds its values on both sides, which is rotation; 0: not at all."""
    verdict: str
    """'attraction', 'rotation', 'attraction and rotation', 'repulsion' or 'neither'."""
    protocol: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        where = "" if self.sign_change is None else f", sign change at {self.sign_change:.3f}"
        return f"path angle: {self.verdict} (bump {self.bump:.2f}{where}, path of length {self.length:.3g})"


def path_angle(
    game: Game, batch: Batch, *, start: Mapping[str, Tensor], end: Mapping[str, Tensor],
    stage: str | Stage | None = None, alphas: Sequence[float] = ALPHAS, seed: int = 0, least: float = 0.1,
) -> PathAngle:  # fmt: skip
    """The cosine of the angle between the path from one checkpoint to a later one and the field along it.

        c(alpha) = <w' - w, v(w(alpha))> / (|w' - w| |v(w(alpha))|),   w(alpha) = alpha w' + (1 - alpha) w

    Play follows -v. Around an attracting point that the path ends at, c goes from -1 to 1; around one that play
    circles, |c| has a bump; around one that it spirals into, both. The curve is read where |alpha - 1| <= 0.1: a sign
    change between medians of its outer fifths that are `least` away from 0; a bump `least` above both. It depends on
    which checkpoints are taken. Floating buffers are interpolated like weights, integer ones taken from the nearer end;
    all alphas have the same examples and noise.

    Args:
        game: left as it is; only its networks' shapes matter.
        batch: examples that the gradients are taken on.
        start: tensors of the earlier checkpoint, or a state_dict of the game.
        end: of the later one.
        stage: a stage of the game or its name; None for the last one.
        alphas: increasing, with at least ten of them between 0.9 and 1.1.
        seed: of the noise.
        least: smallest height of what is called a sign change or a bump.

    Berard et al. (2020), arXiv:1906.04848, Section 4.

    Raises:
        UserError: where the checkpoints don't fit the game, or the players stand at the same place in both.
    """
    at = np.asarray(alphas, dtype=float)
    near = np.abs(at - 1) <= NEAR + 1e-9
    if (np.diff(at) <= 0).any() or near.sum() < 10:
        raise UserError(f"{int(near.sum())} alphas lie between 0.9 and 1.1; give at least 10, in increasing order")
    with untouched(game, torch.float64):
        played = stage_of(game, stage)
        w, w_ = (_networks(game, tensors) for tensors in (start, end))
        first, last = (_point(game, played, state, batch, seed) for state in (w, w_))
        step = last - first
        length = float(step.norm())
        if not length:
            raise UserError("the players stand at the same place in both checkpoints; take two from different rounds")
        cosines, norms = [], []
        for alpha in at:
            game.networks.load_state_dict(_between(w, w_, float(alpha)))
            v = Field(game, played, batch, seed)()
            norm = float(v.norm())
            norms.append(norm)
            cosines.append(float(step @ v) / (length * norm) if norm else np.nan)
    c = np.asarray(cosines)
    change, bump, verdict = _read(at[near], c[near], least)
    facts = {"stage": played.name, "batch": len(batch), "noise_seed": seed, "alphas": len(at), "least": least}
    return PathAngle(at, c, np.asarray(norms), length, change, bump, verdict, facts)


def _networks(game: Game, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The networks' part of a checkpoint, in the networks' type."""
    own, expected = unprefixed(tensors), game.networks.state_dict()
    wrong = [k for k, v in expected.items() if (t := own.get(f"networks.{k}")) is None or t.shape != v.shape]
    if wrong:
        raise UserError(f"the checkpoint doesn't fit this game: {len(wrong)} tensors differ, such as '{wrong[0]}'; "
                        "was the recipe changed since?")  # fmt: skip
    return {k: own[f"networks.{k}"].to(v) for k, v in expected.items()}


def _point(game: Game, stage: Stage, state: Mapping[str, Tensor], batch: Batch, seed: int) -> Tensor:
    game.networks.load_state_dict(state)
    return Field(game, stage, batch, seed).point()


def _between(w: Mapping[str, Tensor], w_: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """The state at alpha; variances that extrapolation made negative are taken as 0."""
    state = {}
    for name, value in w.items():
        if not value.is_floating_point():
            state[name] = value if alpha < 0.5 else w_[name]
            continue
        state[name] = alpha * w_[name] + (1 - alpha) * value
        if name.endswith("running_var"):
            state[name].clamp_min_(0)
    return state


def _read(alphas: np.ndarray, c: np.ndarray, least: float) -> tuple[float | None, float, str]:
    """Sign change, bump and verdict of the curve around the end."""
    known = np.isfinite(c)
    alphas, c = alphas[known], c[known]
    if len(c) < 5:
        return None, 0.0, "neither"
    fifth = max(1, len(c) // 5)
    before, after = float(np.median(c[:fifth])), float(np.median(c[-fifth:]))
    inner = np.abs(c[fifth:-fifth])
    bump = max(0.0, float(inner.max()) - max(abs(before), abs(after)))
    attracts, repels = (before <= -least and after >= least), (before >= least and after <= -least)
    rises = np.flatnonzero((c[:-1] <= 0) & (c[1:] > 0))
    change = None
    if attracts and len(rises):
        i = rises[np.argmin(np.abs(alphas[rises] - 1))]
        change = float(alphas[i] - c[i] * (alphas[i + 1] - alphas[i]) / (c[i + 1] - c[i]))
    words = [word for word, so in (("attraction", attracts), ("repulsion", repels), ("rotation", bump >= least)) if so]
    return change, bump, " and ".join(words) or "neither"
