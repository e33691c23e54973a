"""Annealed importance sampling of a trained model: its own likelihood, or a decoder's with a stated sigma."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from adversaria.errors import UserError
from adversaria.evaluation.likelihoods import rows_of
from adversaria.evaluation.sets import Sets
from adversaria.game import Game
from adversaria.metrics.annealing import Annealing, bdmc_gap
from adversaria.metrics.decoders import Decoder, annealed_likelihood, tune_sigma
from adversaria.metrics.estimate import Estimate
from adversaria.metrics.kinds import of_spec
from adversaria.metrics.likelihood import measured, resting

NAME = "negative log-likelihood by annealing"
TUNED = 10
"""Validation examples that sigma is tuned on."""
SIMULATED = 10
"""Examples simulated from the model that the slack is measured on."""


def annealed(sets: Sets, n: int, sigma: float | None, temperatures: int) -> Mapping[str, Estimate]:
    """The annealed likelihood of `n` held-out examples.

    A model with a likelihood is measured as it is, unless a sigma is given. Any other decoder is measured as
    N(decode(z), sigma^2 I) on the data in game form, with the slack by bidirectional Monte Carlo; a sigma that isn't
    given is tuned on validation examples.

    Raises:
        UserError: where the model has neither.
    """
    game = sets.game
    if game is None:
        raise UserError("annealing needs the model, not its samples alone")
    how = Annealing(temperatures=temperatures, seed=sets.seed)
    x = sets.real_x[:n].to(game.device)
    facts = {key: value for key, value in sets.facts.items() if "features" not in key}
    rows = rows_of(sets, n)
    if sigma is None and game.can("likelihood") and game.can("prior"):
        found = annealed_likelihood(game, x, data=of_spec(sets.data.spec), how=how, protocol=facts,
                                    rows=rows)  # fmt: skip
        return {"annealed": replace(found, name=NAME)}
    if sets.data.spec.kind not in ("image", "points"):
        raise UserError(f"a normal observation is for images and points; these are {sets.data.spec.kind} data")
    if sigma is None:
        sigma = _tuned(game, sets)
    gap = _gap(game, sigma, how)
    found = annealed_likelihood(game, x, data="continuous", sigma=sigma, how=how, gap=gap, scale="game form",
                                protocol=facts, rows=rows)  # fmt: skip
    return {"annealed": replace(found, name=NAME), "annealing-gap": gap}


def _tuned(game: Game, sets: Sets) -> float:
    x = sets.data.examples(min(TUNED, sets.data.size("valid")), "valid", seed=sets.seed).x.to(game.device)
    with resting(game), measured(x.device, sets.seed):
        parts = Decoder.of(game, 1.0, sets.seed)
        return tune_sigma(x, decode=game.abilities["decode"], latent=parts.latent, log_prior=parts.log_prior)[0]


def _gap(game: Game, sigma: float, how: Annealing) -> Estimate:
    z = game.latent(SIMULATED, seed=how.seed + 1)
    with resting(game), measured(z.device, how.seed):
        parts = Decoder.of(game, sigma, how.seed)

        def simulate(codes: Tensor) -> Tensor:
            with torch.no_grad():
                x = game.abilities["decode"](codes)
                return x + sigma * torch.randn_like(x)

        return bdmc_gap(z, simulate=simulate, log_likelihood=parts.log_likelihood, log_prior=parts.log_prior, how=how)
