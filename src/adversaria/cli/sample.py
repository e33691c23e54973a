"""`adversaria sample`: draws from a trained run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from adversaria.cli.options import destination, write
from adversaria.cli.parsing import parsed
from adversaria.runs.folder import RunFolder


@dataclass(frozen=True)
class Sample:
    """Draws from a run: a .png picture, or a .npz archive with the key `samples`, and `labels` where there are any.

    Where all labels come in turn, each has a column of the picture."""

    run: tyro.conf.Positional[Path]
    """The run folder."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 64
    """How many."""
    label: str | None = None
    """Of which class, by its number or its name ("a red square left of a blue circle"), for a model that takes labels;
    all in turn without."""
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
    out = destination(options.out or options.run / "samples.png", (".png", ".npz"),
                      "samples go to a .png picture or a .npz archive", "samples.png")  # fmt: skip
    from adversaria.api import load_run
    from adversaria.runs.sampling import columns_for
    from adversaria.runs.sheets import sheet

    run = load_run(options.run, options.recipe)
    samples, labels = run.draw(options.n, label=options.label, seed=options.seed)
    arrays = {"samples": samples} if labels is None else {"samples": samples, "labels": labels}
    columns = columns_for(run.game, run.data) if options.label is None else None
    write(out, arrays, lambda: sheet(run.data.spec, samples, columns))
    told = f"{len(samples)} samples, {samples.dtype} of shape {samples.shape[1:]}"
    print(f"{out}: {told}, round {run.round}, seed {options.seed}")
    return 0
