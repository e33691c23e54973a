"""`adversaria sample`: draws from a trained run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from adversaria.cli.parsing import parsed
from adversaria.errors import UserError
from adversaria.runs.folder import RunFolder


@dataclass(frozen=True)
class Sample:
    """Draws from a run: a .png picture, or a .npz archive with the key `samples`, and `labels` where there are any."""

    run: tyro.conf.Positional[Path]
    """The run folder."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 64
    """How many."""
    label: int | None = None
    """Of which class, for a model that takes labels; all in turn without."""
    seed: int = 0
    """The same seed draws the same samples."""
    out: Path | None = None
    """samples.png or samples.npz; RUN/samples.png without."""
    recipe: Path | None = None
    """For a recipe of your own whose file has moved or changed: the file to run."""


def run(arguments: list[str]) -> int:
    """Draws and writes."""
    options = parsed(Sample, arguments, prog="adversaria sample")
    RunFolder.open(options.run)
    out = options.out or options.run / "samples.png"
    if out.suffix not in (".png", ".npz"):
        raise UserError(f"'{out}' ends in '{out.suffix}'; samples go to a .png picture or a .npz archive")
    if not out.parent.is_dir():
        raise UserError(f"there is no folder {out.parent}; make it, or write elsewhere: --out samples.png")
    import numpy as np

    from adversaria.api import load_run
    from adversaria.runs.sheets import sheet
    from adversaria.runs.training import storing

    run = load_run(options.run, options.recipe)
    samples, labels = run.draw(options.n, label=options.label, seed=options.seed)
    with storing(out.parent):
        if out.suffix == ".npz":
            arrays: Any = {"samples": samples} if labels is None else {"samples": samples, "labels": labels}
            np.savez_compressed(out, **arrays)
        else:
            out.write_bytes(sheet(run.data.spec, samples))
    told = f"{len(samples)} samples, {samples.dtype} of shape {samples.shape[1:]}"
    print(f"{out}: {told}, round {run.round}, seed {options.seed}")
    return 0
