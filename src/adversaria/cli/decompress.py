"""`adversaria decompress`: the examples in a file that `adversaria compress` wrote."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from adversaria.cli.options import destination, write
from adversaria.cli.parsing import parsed
from adversaria.errors import UserError
from adversaria.runs.folder import RunFolder


@dataclass(frozen=True)
class Decompress:
    """Reads a compressed file by the run that wrote it, and checks that it came back bit for bit."""

    run: tyro.conf.Positional[Path]
    """The run folder that compressed it, at the same round."""
    file: tyro.conf.Positional[Path]
    """The file."""
    out: Path | None = None
    """A .npz archive with the key `samples`, or a .png picture; the file's name with .npz without."""
    recipe: Path | None = None
    """For a recipe of your own whose file has moved or changed: the file to run."""


def run(arguments: list[str]) -> int:
    """Decompresses and writes."""
    options = parsed(Decompress, arguments, prog="adversaria decompress")
    RunFolder.open(options.run)
    if not options.file.is_file():
        raise UserError(f"there is no file {options.file}; 'adversaria compress RUN' writes one")
    out = destination(options.out or options.file.with_suffix(".npz"), (".png", ".npz"),
                      "examples go to a .npz archive or a .png picture", "images.npz")  # fmt: skip
    from adversaria.api import load_run
    from adversaria.api.compression import decompress
    from adversaria.runs.sheets import sheet

    run = load_run(options.run, options.recipe)
    samples = run.data.spec.to_user(decompress(run, options.file.read_bytes()))
    write(out, {"samples": samples}, lambda: sheet(run.data.spec, samples))
    print(f"{out}: {len(samples)} examples, {samples.dtype} of shape {samples.shape[1:]}, as they were compressed")
    return 0
