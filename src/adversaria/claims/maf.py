"""MAF: what a flow of autoregressive layers gains over one of them, and over RealNVP.

Patches of 4 x 4 pixels of digits, as Table 1 has patches of photographs: 17 grey levels by uniform dequantisation, less
their own mean, and the last pixel left out, which the others then decide. In nats, under five layers less under one,
which has normal conditionals, and less under RealNVP; all at their presets `small`, from the same seed, for the same
rounds, each where the validation split was likeliest. Threshold 0 for both.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import unfold

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import cost, trained
from adversaria.data import Dataset, load

CLAIM = (
    "Held-out data are likelier than under one autoregressive model with normal conditionals, and than under RealNVP "
    "(Table 1)."
)
ONE, COUPLED = "nats of test patches, less one layer's", "nats of test patches, less RealNVP's"
SIDE, LEVELS = 4, 17
TESTED = 4_000


def patches(trial: Trial) -> Dataset:
    """Patches (n, 15) of the images of each split, dequantised by noise from the trial's seed."""
    noise = torch.Generator().manual_seed(trial.seed)

    def of(x: Tensor) -> np.ndarray:
        k = unfold(((x + 1) / 2 * (LEVELS - 1)).round(), SIDE).transpose(1, 2).reshape(-1, SIDE**2)
        p = (k + torch.rand(k.shape, generator=noise)) / LEVELS
        return (p - p.mean(1, keepdim=True))[:, :-1].numpy()

    path, data = trial.folder / "patches.npz", trial.data
    train, valid, test = (of(data.examples(data.size(split), split).x) for split in ("train", "valid", "test"))
    np.savez(path, train=train, valid=valid, test=test)
    return load(path)


def measure(trial: Trial) -> dict[str, Measured]:
    """Three trainings."""
    rounds, data = 600 if trial.quick else 3_000, patches(trial)
    recipes = (make("maf", "small", rounds=rounds), make("maf", "small", layers=1, rounds=rounds),
               make("realnvp", "small", rounds=rounds))  # fmt: skip
    ours, one, coupled = (cost(trained(trial, recipe, data)[0], data, TESTED).value for recipe in recipes)
    return {ONE: Measured(ours, one), COUPLED: Measured(ours, coupled)}


CHECKS = tuple(
    Check(claim=CLAIM, quantity=quantity, measure=measure, threshold=0.0, holds="below") for quantity in (ONE, COUPLED)
)
