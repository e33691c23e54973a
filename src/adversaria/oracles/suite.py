"""Oracles: see the package. All in float64, on weights moved away from where they began."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from adversaria.data.spec import DataSpec, Kind
from adversaria.density import alphabet
from adversaria.errors import UserError
from adversaria.game.game import Game, seeded
from adversaria.metrics.likelihood import log_mean_exp
from adversaria.oracles.given import by_label
from adversaria.oracles.tiny import GRID, TINY, everything, examples, on_a_grid, place

State = Literal["holds", "fails", "can't be tried"]
EXACT = 1e-9
CHANCE = 1e-4
"""Below it a test's p is no chance."""
ERRORS = 5
"""Standard errors by which a mean may be off."""


@dataclass(frozen=True)
class Finding:
    """What came of one oracle on one kind of data."""

    oracle: str
    data: str
    state: State
    told: str
    """With the number that decides."""


def findings(
    make: Callable[[DataSpec], Game],
    kinds: tuple[Kind, ...],
    arrange: Callable[[DataSpec], DataSpec] = lambda s: s,
    seed: int = 0,
) -> Iterator[Finding]:
    """Tries every oracle on every kind of data the system plays on.

    Args:
        make: builds a small game for data of a spec.
        arrange: the spec of what a system makes of data of this spec.
        kinds: of data.
        seed: of weights, samples and codes.
    """
    for spec in [arrange(spec) for kind in kinds for spec in TINY[kind]]:
        called = f"{spec.kind} {'x'.join(map(str, spec.shape))}"
        with double(), seeded(seed):
            try:
                game = moved(make(spec))
            except UserError as error:
                yield Finding("builds", called, "can't be tried", str(error))
                continue
            games = by_label(game, spec.classes)
            for name, oracle in ORACLES.items():
                told = [(_tried(oracle, one, spec), given) for given, one in games.items()]
                said = "; ".join(f"{given}{one[1]}" for one, given in told if one is not None)
                if said:
                    held = all(one is None or one[0] for one, _ in told)
                    yield Finding(name, called, "holds" if held else "fails", said)


@contextmanager
def double() -> Iterator[None]:
    """Inside the block new tensors are float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def moved(game: Game) -> Game:
    """The game with noise on its weights, as what starts as the identity proves nothing."""
    game = game.double().eval()
    for average in [*game.networks.parameters(), *game.averages.parameters()]:
        average.data = average.data + 0.15 * torch.randn_like(average)
    return game


Told = tuple[bool, str] | None


def _tried(oracle: Callable[[Game, DataSpec], Told], game: Game, spec: DataSpec) -> Told:
    try:
        return oracle(game, spec)
    except Exception as error:  # whatever a user's file does is a finding
        return False, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def sums_to_one(game: Game, spec: DataSpec) -> Told:
    """Probabilities of all examples."""
    if not (spec.kind != "points" and game.can("log_prob")):
        return None
    x = everything(spec)
    total = float(game.log_prob(x).exp().sum())
    return abs(total - 1) < EXACT, f"all {len(x):,} examples have {total:.12g} together"


def sampler(game: Game, spec: DataSpec) -> Told:
    """Samples against probabilities."""
    if not (spec.kind != "points" and game.can("log_prob") and game.condition is None):
        return None
    p = game.log_prob(everything(spec)).exp().cpu().numpy()
    n = 4_000
    counts = np.bincount(place(game.sample(n, seed=0), spec).numpy(), minlength=len(p))
    often = p / p.sum() * n >= 5
    seen, due = (np.append(v[often], v[~often].sum()) for v in (counts, p / p.sum() * n))
    seen, due = (seen[:-1], due[:-1]) if due[-1] < 1 else (seen, due)
    chance = float(stats.chisquare(seen, due * seen.sum() / due.sum()).pvalue) if len(seen) > 1 else 1.0
    return chance > CHANCE, f"{n:,} samples, chi-squared over {len(seen)} cells, p = {chance:.2g}"


def looks_ahead(game: Game, spec: DataSpec) -> Told:
    """The law of each number, and what moves it."""
    if not (spec.kind != "points" and game.can("law")):
        return None
    A = alphabet(spec)
    levels = torch.randint(0, A.levels, (6, A.size))
    law, order = game.law(A.from_levels(levels)), list(game.order or range(spec.size))
    if sorted(order) != list(range(spec.size)):
        return False, f"the order isn't one of the {spec.size} numbers, each once"
    if float(law.logsumexp(2).abs().max()) > EXACT:
        return False, f"laws add up to 1 within {float(law.logsumexp(2).exp().sub(1).abs().max()):.2g} only"
    gap = law.gather(2, levels[..., None])[..., 0].sum(1) - game.log_prob(A.from_levels(levels))
    if float(gap.abs().max()) > EXACT:
        return False, f"the product of the laws is off the probability by {float(gap.abs().max()):.2g} nats"
    seen = 0
    for i, number in enumerate(order):
        other = levels.clone()
        other[:, number] = (other[:, number] + 1) % A.levels
        change = (game.law(A.from_levels(other)) - law).abs().amax((0, 2))[order]
        if float(change[: i + 1].max()) > EXACT:
            first = int((change[: i + 1] > EXACT).nonzero()[0])
            return False, (f"in the model's order the law of number {first + 1} moves with number {i + 1}, which comes "
                           "after it or is it")  # fmt: skip
        seen += int((change[i + 1 :] > EXACT).sum())
    pairs = spec.size * (spec.size - 1) // 2
    return True, f"no law moves with later numbers; {seen} of {pairs} pairs are seen, the rest is its blind spot"


def mass(game: Game, spec: DataSpec) -> Told:
    """The density's integral against samples."""
    if not (spec.kind == "points" and game.can("log_prob") and game.condition is None):
        return None
    log_p, edge = on_a_grid(game)
    inside = (game.sample(20_000, seed=0).abs() < edge).all(1).double().mean()
    error = ERRORS * float((inside * (1 - inside) / 20_000).sqrt()) + 5e-3
    total = float(log_p.exp().sum())
    return abs(total - float(inside)) < error, f"{total:.4f} in the square, where {float(inside):.4f} of samples lie"


def entropy(game: Game, spec: DataSpec) -> Told:
    """How likely samples are, and ought to be."""
    if not (spec.kind == "points" and game.can("log_prob") and game.condition is None):
        return None
    log_p, edge = on_a_grid(game)
    cell = 2 * math.log(2 * edge / (GRID - 1))
    due = float((log_p.exp() * (log_p - cell)).sum())
    x = game.sample(20_000, seed=1)
    told = game.log_prob(x[(x.abs() < edge).all(1)])
    error = ERRORS * float(told.std() / len(told) ** 0.5) + 0.02
    return abs(float(told.mean()) - due) < error, f"samples have {float(told.mean()):.3f} nats, the density {due:.3f}"


def inverse(game: Game, spec: DataSpec) -> Told:
    """Examples through their codes."""
    lossless = game.can("encode") and game.can("decode") and not game.can("infer")
    if not (lossless and (game.can("log_prob") or game.can("bound"))):
        return None
    x = examples(spec, 64)
    gap = float((game.decode(game.encode(x)) - x).abs().max())
    return gap < 1e-6, f"64 examples come back within {gap:.2g}"


def jacobian(game: Game, spec: DataSpec) -> Told:
    """log p(x) against the prior and the automatic derivative of the encoder."""
    if not (spec.kind == "points" and all(map(game.can, ("log_prob", "encode", "prior"))) and not game.can("infer")):
        return None
    x, encode = torch.randn(16, *spec.shape), game.abilities["encode"]
    J = torch.stack([torch.autograd.functional.jacobian(lambda v: encode(v[None])[0], row) for row in x])
    due = game.ask("prior", game.encode(x)) + torch.linalg.slogdet(J).logabsdet
    gap = float((game.log_prob(x) - due).abs().max())
    return gap < 1e-6, f"16 densities agree within {gap:.2g} nats"


def observation(game: Game, spec: DataSpec) -> Told:
    """Probabilities of all examples given each of some codes."""
    if not (spec.kind != "points" and _weighs(game)):
        return None
    x, z = everything(spec), game.latent(6, seed=0)
    totals = [float(game.ask("likelihood", x, one.expand(len(x), -1)).exp().sum()) for one in z]
    gap = max(abs(total - 1) for total in totals)
    return gap < EXACT, f"given each of 6 codes all {len(x):,} examples have 1 within {gap:.2g}"


def prior(game: Game, spec: DataSpec) -> Told:
    """The prior's density at codes drawn from it."""
    if not (_weighs(game) and game.can("latent")):
        return None
    z, other = game.latent(DRAWS, seed=0), game.latent(DRAWS, seed=1)
    return _has_density(z, other, game.ask("prior", z))


def posterior(game: Game, spec: DataSpec) -> Told:
    """The posterior's density at codes drawn from it, for one example after the other."""
    if not _weighs(game):
        return None
    told: Told = None
    for one in examples(spec, 3):
        many = one.expand(DRAWS, *one.shape)
        (z, log_q), (other, _) = game.ask("infer", many, seed=0), game.ask("infer", many, seed=1)
        told = _has_density(z, other, log_q)
        if not told[0]:
            break
    return told


def _has_density(z: Tensor, other: Tensor, log_q: Tensor) -> tuple[bool, str]:
    """Whether codes z are drawn from the density that is told: E_q g(z) / q(z) = 1 for any density g.

    g is the normal of the covariance of `other` draws, drawn in, so that no weight is large.
    """
    mean, S = other.mean(0), INWARD**2 * torch.atleast_2d(torch.cov(other.T))
    S = S + 1e-9 * S.diagonal().mean() * torch.eye(len(S), dtype=S.dtype)
    w = torch.exp(torch.distributions.MultivariateNormal(mean, S).log_prob(z) - log_q)
    error = float(w.std() / len(w) ** 0.5)
    gap = abs(float(w.mean()) - 1)
    return gap < ERRORS * error + 1e-6, f"mean weight of {len(z):,} draws {float(w.mean()):.4f} ± {error:.4f}, due 1"


def bounds(game: Game, spec: DataSpec) -> Told:
    """Bounds by more samples are higher."""
    if not _weighs(game):
        return None
    x = examples(spec, 50)
    log_w = torch.stack([_log_weight(game, x) for _ in range(200)], 1)
    each = [log_mean_exp(log_w.view(50, -1, k)).mean(1) for k in (1, 10, 100)]
    rises = [after - before for before, after in itertools.pairwise(each)]
    sure = all(float(rise.mean()) > -ERRORS * float(rise.std() / 50**0.5) for rise in rises)
    return sure, "by 1, 10, 100 samples: " + ", ".join(f"{float(v.mean()):.3f}" for v in each) + " nats"


def kind_and_seed(game: Game, spec: DataSpec) -> Told:
    """What samples are, and that a seed decides them."""
    given = examples(spec, 40) if game.condition else None
    x, again = (game.sample(40, given, seed=3) for _ in range(2))
    if x.shape != (40, *spec.shape) or not bool(x.isfinite().all()):
        return False, f"samples have shape {tuple(x.shape)}, or aren't finite"
    if spec.kind == "image" and float(x.abs().max()) > 1 + 1e-6:
        return False, f"pixels reach {float(x.abs().max()):.3g}; they are in [-1, 1]"
    discrete = spec.kind == "sequence" or (spec.kind == "binary" and (game.can("log_prob") or game.can("likelihood")))
    states = everything(spec) if discrete else x
    if discrete and not torch.equal(states[place(x, spec).clamp(0, len(states) - 1)].to(x.dtype), x):
        return False, "samples aren't symbols of the data"
    same = torch.equal(x, again)
    return same, f"40 samples of the data's kind; the same seed draws {'the same' if same else 'others'}"


ORACLES: dict[str, Callable[[Game, DataSpec], Told]] = {
    "sums to one": sums_to_one, "sampler": sampler, "never looks ahead": looks_ahead, "mass": mass,
    "entropy": entropy, "inverse": inverse, "Jacobian": jacobian, "observation": observation, "prior": prior,
    "posterior": posterior, "bounds": bounds, "kind and seed": kind_and_seed,
}  # fmt: skip
DRAWS = 4_000
"""Codes that a density is tried at."""
INWARD = 0.85
"""How much narrower than the codes the normal is that their density is set against."""


def _weighs(game: Game) -> bool:
    return all(map(game.can, ("likelihood", "prior", "infer")))


def _log_weight(game: Game, x: Tensor) -> Tensor:
    with game.at_rest():
        z, log_q = game.abilities["infer"](x)
        log_w: Tensor = game.abilities["likelihood"](x, z) + game.abilities["prior"](z) - log_q
    return log_w.double()
