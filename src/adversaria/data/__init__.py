"""Data: one door in (`load`), fixed splits, and batches that are a pure function of seed and step."""

from adversaria.data.batches import Batches
from adversaria.data.dataset import Dataset, Skipped
from adversaria.data.load import load, names
from adversaria.data.made import Modes, draw, modes
from adversaria.data.oracle import Oracle, oracle
from adversaria.data.sources import MADE
from adversaria.data.spec import SPEC, Batch, DataSpec, Kind

__all__ = [
    "MADE",
    "SPEC",
    "Batch",
    "Batches",
    "DataSpec",
    "Dataset",
    "Kind",
    "Modes",
    "Oracle",
    "Skipped",
    "draw",
    "load",
    "modes",
    "names",
    "oracle",
]
