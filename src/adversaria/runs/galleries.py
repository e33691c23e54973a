"""Galleries for a person's eye: closest pairs, birthday pairs, missing and crowded modes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from adversaria.evaluation.controls import gather
from adversaria.runs.folder import RunFolder
from adversaria.runs.sheets import sheet
from adversaria.runs.tradeoff import tradeoff

if TYPE_CHECKING:
    from adversaria.evaluation.sets import Sets
    from adversaria.metrics.estimate import Estimate

PAIRS = 20
BINS, EACH = 8, 8
"""Bins shown, and examples of each."""


def make(folder: RunFolder, sets: Sets, measured: dict[str, Estimate]) -> dict[str, str]:
    """Writes exhibits/NAME.png for what the estimates found; returns captions by name."""
    captions: dict[str, str] = {}
    if "precision" in measured:
        content, captions["precision-recall"] = tradeoff(sets)
        folder.write("exhibits/precision-recall.png", content)
    if sets.data.spec.kind != "image":
        return captions

    def keep(name: str, caption: str, x: Tensor, columns: int) -> None:
        folder.write(f"exhibits/{name}.png", sheet(sets.data.spec, sets.data.spec.to_user(x), columns))
        captions[name] = caption

    _closest(keep, sets, measured)
    _birthday(keep, sets, measured)
    _bins(keep, sets, measured)
    return captions


def _closest(keep: Any, sets: Sets, measured: dict[str, Estimate]) -> None:
    told = measured.get("near-copies")
    pairs = told.details.get("closest") if told is not None else None
    if not pairs:
        return
    places = np.array([sets.train_places[j] for _, j, *_ in pairs[:PAIRS]])
    samples = sets.generated_x[torch.tensor([i for i, *_ in pairs[:PAIRS]])]
    both = torch.stack([samples, gather(sets.data, places)], 1).flatten(0, 1)
    keep("closest-to-training", f"the {len(places)} samples nearest to a training example [{sets.features.name}]: "
         "each sample, and the training example on its right", both, 10)  # fmt: skip


def _birthday(keep: Any, sets: Sets, measured: dict[str, Estimate]) -> None:
    told = measured.get("birthday")
    pairs = told.details.get("closest") if told is not None else None
    if not pairs:
        return
    index = torch.tensor([[i, j] for i, j, *_ in pairs[:PAIRS]])
    keep("birthday-pairs", f"the {len(index)} most alike pairs of {len(sets.generated_x)} samples "
         f"[{sets.features.name}], side by side", sets.generated_x[index.flatten()], 10)  # fmt: skip


def _bins(keep: Any, sets: Sets, measured: dict[str, Estimate]) -> None:
    told = measured.get("bins")
    different = told.details.get("different", ()) if told is not None else ()
    for name, side, x, said in (
        ("missing-modes", "under", sets.real_x, "held-out examples of parts of the data that samples leave out"),
        ("over-represented", "over", sets.generated_x, "samples of parts of the data that there are too many of"),
    ):
        chosen = [d for d in different if (d["ratio"] is not None and d["ratio"] < 1) == (side == "under")]
        rows = [d["real_rows" if side == "under" else "generated_rows"][:EACH] for d in chosen[:BINS]]
        rows = [row for row in rows if len(row) == EACH]
        if rows:
            shares = [d["ratio"] for d in chosen[: len(rows)]]
            ratios = ", ".join("without bound" if share is None else f"{share:.2f}" for share in shares)
            index = torch.tensor([i for row in rows for i in row])
            keep(name, f"{said}, a row each; their share over the data's: {ratios}", x[index], EACH)
