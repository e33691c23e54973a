"""One number at each checkpoint, for the curve over training and for keeping the best: a held-out likelihood where
the model has one, a distance between samples and held-out data where it hasn't."""

from typing import Any

import torch

from adversaria.data import Dataset
from adversaria.game import Game
from adversaria.metrics import Estimate, mean, sliced_wasserstein
from adversaria.metrics.kinds import UNITS, in_unit, of_spec

MOST = 1000


def score(game: Game, data: Dataset, seed: int = 0) -> Estimate | None:
    """The model on the validation split; None where that has too few examples to say anything."""
    n = min(MOST, data.size("valid"))
    if n < 20:
        return None
    held = data.examples(n, "valid", seed=seed)
    facts = {"data": data.name, "data_fingerprint": data.fingerprint[:12], "split": "valid", "seed": seed}
    facts |= {"pixels": "JPEG-coded"} if data.lossy else {}
    for ability, kind in (("log_prob", "exact"), ("bound", "lower bound, one sample of z for each x")):
        if game.can(ability):
            labels = held.labels if ability == "log_prob" and game.condition == "label" else None
            facts |= {"kind": kind, **({} if labels is None else {"given": "labels"})}
            told = [v.to(game.device).split(250) for v in (held.x, labels) if v is not None]
            nats = torch.cat([game.ask(ability, *part, seed=seed).cpu() for part in zip(*told, strict=True)])
            return _likelihood(data, nats, ability, facts)
    target = held.x if held.y is None else held.y
    given = {"label": held.labels, "image": held.x, None: None}[game.condition]
    samples = game.sample(n, given, seed=seed).cpu()
    if not torch.isfinite(samples).all():
        return None
    found = sliced_wasserstein(real=target.flatten(1), generated=samples.flatten(1).to(target))
    return found.under(**facts, features="raw numbers in game form")


def _likelihood(data: Dataset, nats: torch.Tensor, ability: str, protocol: dict[str, Any]) -> Estimate:
    name = "held-out negative log-likelihood" if ability == "log_prob" else "held-out negative bound"
    name += " given labels" if "given" in protocol else ""
    kind = of_spec(data.spec)
    return mean(name, in_unit(-nats, kind, data.spec.size), UNITS[kind], protocol | {"data_kind": kind})
