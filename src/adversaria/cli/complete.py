"""`adversaria complete`: examples with a part hidden, and what a model draws there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from adversaria.cli.options import destination, write
from adversaria.cli.parsing import parsed
from adversaria.errors import at_least
from adversaria.runs.folder import RunFolder


@dataclass(frozen=True)
class Complete:
    """Hides a part of held-out examples and lets a model that goes number by number draw it anew.

    Each row of the picture is an example, what is known of it, and completions. Exact where all that is hidden comes
    last in the model's order, as the bottom does where images are drawn row by row; else, as with multiscale-pixelcnn
    and with made of several masks, one of 32 completions is drawn by how well it agrees with what comes after.
    deep-nade draws by its conditionals in a random order that begins with what is known."""

    run: tyro.conf.Positional[Path]
    """The run folder."""
    hide: Literal["bottom", "top", "left", "right", "middle", "scattered"] = "bottom"
    """Which part; of what isn't an image the bottom is what comes last."""
    share: float = 0.5
    """How much of it."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 6
    """Examples."""
    draws: int = 6
    """Completions of each."""
    of: Literal["test", "valid", "train"] = "test"
    """The split that they come from."""
    label: str | None = None
    """Of which class they are drawn, by its number or its name, by a model that takes labels; each of its example's own
    without."""
    seed: int = 0
    """The same seed gives the same picture."""
    out: Path | None = None
    """A .png picture or a .npz archive; RUN/completions.png without."""
    recipe: Path | None = None
    """For a recipe of your own whose file has moved or changed: the file to run."""


def run(arguments: list[str]) -> int:
    """Completes and writes."""
    options = parsed(Complete, arguments, prog="adversaria complete")
    RunFolder.open(options.run)
    at_least("--seed", options.seed, 0)
    out = destination(options.out or options.run / "completions.png", (".png", ".npz"),
                      "pictures go to a .png, examples to a .npz", "completions.png")  # fmt: skip
    from adversaria.api import load_run
    from adversaria.api.completion import complete

    run = load_run(options.run, options.recipe)
    shown = complete(run, options.hide, options.share, options.n, options.draws, of=options.of, label=options.label,
                     seed=options.seed)  # fmt: skip
    write(out, shown.arrays, lambda: shown.png)
    first, *others = shown.said
    print(f"{out}: {first}; round {run.round}, seed {options.seed}")
    for line in others:
        print(line)
    return 0
