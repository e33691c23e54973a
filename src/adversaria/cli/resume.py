"""`adversaria resume`: on with a run."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from adversaria.cli.parsing import parsed
from adversaria.errors import UserError


@dataclass(frozen=True)
class Resume:
    """Goes on with a run from its newest checkpoint, bit for bit as if it had never stopped."""

    run: tyro.conf.Positional[Path]
    """The run folder."""
    rounds: int | None = None
    """Extend the run to this many rounds."""
    minutes: float | None = None
    """Save and stop after this long."""
    every: int | None = None
    """Rounds between checkpoints and sheets."""
    recipe: Path | None = None
    """For a recipe of your own whose file has moved or changed: the file to run."""
    tensorboard: bool = False
    """Write scalars for TensorBoard too."""


def run(arguments: list[str]) -> int:
    """Trains on."""
    options = parsed(Resume, arguments, prog="adversaria resume")
    from adversaria.api import load_run
    from adversaria.cli.options import follow

    run = load_run(options.run, options.recipe)
    if run.finished and options.rounds is None:
        total = run.folder.config.rounds
        raise UserError(f"{options.run} has finished its {total} rounds; extend it: --rounds {2 * total}")
    return follow(run, minutes=options.minutes, rounds=options.rounds, every=options.every,
                  tensorboard=options.tensorboard)  # fmt: skip
