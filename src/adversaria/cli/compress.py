"""`adversaria compress`: held-out examples as short a file as a model's likelihood promises."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from adversaria.cli.options import destination
from adversaria.cli.parsing import parsed
from adversaria.errors import at_least
from adversaria.runs.folder import RunFolder


@dataclass(frozen=True)
class Compress:
    """Codes examples by a model's exact law, and says how the file's size compares with the likelihood.

    An end-to-end proof of a likelihood: 'adversaria decompress' gives the examples back bit for bit. The model is asked
    once for each number of an example: seconds for nade and deep-nade, minutes for convolutions."""

    run: tyro.conf.Positional[Path]
    """The run folder, of a model that is autoregressive in one order."""
    of: Literal["test", "valid", "train"] = "test"
    """The split that the examples come from."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 100
    """How many, from its beginning."""
    out: Path | None = None
    """The file; RUN/OF.adv without."""
    recipe: Path | None = None
    """For a recipe of your own whose file has moved or changed: the file to run."""


def run(arguments: list[str]) -> int:
    """Compresses and tells the sizes."""
    options = parsed(Compress, arguments, prog="adversaria compress")
    RunFolder.open(options.run)
    at_least("-n", options.n, 1)
    out = destination(options.out or options.run / f"{options.of}.adv", (), "", "images.adv")
    import zlib

    from adversaria.api import load_run
    from adversaria.api.compression import compress
    from adversaria.evaluation.likelihoods import CODED
    from adversaria.runs.training import storing

    run = load_run(options.run, options.recipe)
    x = run.data.examples(options.n, options.of).x
    found = compress(run, x)
    with storing(out.parent):
        out.write_bytes(found.code)
    raw = zlib.compress(run.data.spec.to_user(x).tobytes(), 9)
    per = found.payload / found.numbers
    print(f"{out}: {found.n} {options.of} examples of {run.data.name}, {len(found.code):,} bytes, header included")
    print(f"payload {per:.4f} bits for each number; by the likelihood {found.ideal / found.numbers:.4f} "
          f"({found.payload / found.ideal - 1:+.2%}); zlib {8 * len(raw) / found.numbers:.4f}")  # fmt: skip
    if run.data.lossy:
        print(CODED)
    return 0
