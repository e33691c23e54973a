"""Oracles: see the package. All in float64, on weights moved away from where they began."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch

from adversaria.data.spec import DataSpec, Kind
from adversaria.errors import UserError
from adversaria.game.game import Game, seeded
from adversaria.oracles.codes import observation, posterior, prior, tokens
from adversaria.oracles.counted import looks_ahead, sampler, sums_to_one
from adversaria.oracles.evidence import bound, bounds
from adversaria.oracles.flows import dequantisation, entropy, inverse, jacobian, mass
from adversaria.oracles.given import by_label, of_tokens
from adversaria.oracles.judged import Told
from adversaria.oracles.tiny import TINY, built, countable, everything, examples, place

Oracle = Callable[[Game, DataSpec], Told]
State = Literal["holds", "fails", "can't be tried"]
STATES: dict[bool | None, State] = {True: "holds", False: "fails", None: "can't be tried"}


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
        with double(), seeded(seed):
            try:
                game, spec = built(make, spec)
            except UserError as error:
                yield Finding("builds", _called(spec), "can't be tried", str(error))
                continue
            except Exception as error:
                yield Finding("builds", _called(spec), "fails", _broken(error))
                continue
            games = by_label(game, spec.classes)
            yield from _all(ORACLES, games, spec, _called(spec))
            if game.can("tokens") and game.can("token_law"):
                yield from _over_tokens(games, spec)


def _over_tokens(games: Mapping[str, Game], spec: DataSpec) -> Iterator[Finding]:
    """What comes of the prior over tokens, as a model of its own."""
    game = next(iter(games.values()))
    try:
        grid = tuple(game.ask("tokens", examples(spec, 1)).shape[1:])
        over = DataSpec("sequence", (math.prod(grid),), categories=game.codebook)
        some = COUNTED if countable(over) else {"never looks ahead": looks_ahead}
    except Exception as error:
        yield Finding("tokens", _called(spec), "fails", _broken(error))
        return
    of = f"tokens {'x'.join(map(str, grid))} of {game.codebook}, of {_called(spec)}"
    yield from _all(some, {given: of_tokens(one, grid) for given, one in games.items()}, over, of)


def _all(oracles: Mapping[str, Oracle], games: Mapping[str, Game], spec: DataSpec, data: str) -> Iterator[Finding]:
    """What comes of oracles for a model under each of what it is given."""
    for name, oracle in oracles.items():
        told = [(given, found) for given, one in games.items() if (found := _tried(oracle, one, spec))]
        if told:
            held = [state for _, (state, _) in told]
            state = False if False in held else True if True in held else None
            yield Finding(name, data, STATES[state], "; ".join(f"{given}{one}" for given, (_, one) in told))


def _called(spec: DataSpec) -> str:
    levels = f", {spec.levels} levels" if spec.kind == "image" else ""
    return f"{spec.kind} {'x'.join(map(str, spec.shape))}{levels}"


@contextmanager
def double() -> Iterator[None]:
    """Inside the block new tensors are float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _tried(oracle: Oracle, game: Game, spec: DataSpec) -> Told:
    try:
        return oracle(game, spec)
    except Exception as error:  # whatever a user's file does is a finding
        return False, _broken(error)


def _broken(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


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


COUNTED: dict[str, Oracle] = {"sums to one": sums_to_one, "sampler": sampler, "never looks ahead": looks_ahead}
ORACLES: dict[str, Oracle] = {
    **COUNTED, "mass": mass,
    "entropy": entropy, "inverse": inverse, "Jacobian": jacobian, "dequantisation": dequantisation,
    "observation": observation, "tokens": tokens, "prior": prior, "posterior": posterior, "bounds": bounds,
    "bound": bound, "kind and seed": kind_and_seed,
}  # fmt: skip
