"""`adversaria train`: a recipe, data, and a run folder to keep it all."""

import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

from adversaria import catalogue
from adversaria.cli.parsing import parsed, parsed_with
from adversaria.errors import UserError, at_least


@dataclass(frozen=True, kw_only=True)
class Train:
    """Trains a recipe on data."""

    data: str
    """A name (digits, ring8, grid25, spiral, swiss-roll, two-moons, checkerboard, parallel-lines, oracle-tokens,
    stacked-digits, digits-static, digits-dynamic, captioned-shapes) or a path: a folder or zip of images, IDX or CIFAR
    files, .npy, .npz, .csv, .parquet."""
    out: Path | None = None
    """The run folder; a fresh one under runs/ without."""
    seed: int = 0
    """Of everything random."""
    preset: str | None = None
    """A set of hyperparameters the recipe has: smoke, small, ...; 'adversaria show NAME' lists them."""
    minutes: float | None = None
    """Save and stop after this long; 'adversaria resume' goes on."""
    every: int | None = None
    """Rounds between checkpoints and sheets; a tenth of the run, 500 at most, without."""
    size: tuple[int, ...] | None = None
    """Resize images to this: one number for squares, or height and width."""
    crop: Literal["centre", "none"] = "centre"
    """Whether images are cropped to the wanted shape before they are resized, or stretched."""
    channels: Literal[1, 3] | None = None
    """Read images as grey (1) or colour (3); as they are without."""
    stacked: bool = False
    """Stack labelled grey images by three, as red, green and blue: K classes make K^3 modes."""
    binarise: Literal["static", "dynamic"] | None = None
    """Make images black and white, a pixel white with its intensity's probability: once, or anew in each batch."""
    device: str = "cpu"
    """cpu or cuda."""
    threads: int | None = None
    """Processor threads; the same number gives the same bits."""
    tensorboard: bool = False
    """Write scalars for TensorBoard too."""
    dry_run: bool = False
    """Say what would be done, and do nothing."""


def run(arguments: list[str]) -> int:
    """Trains, or says what it would."""
    if arguments and arguments[0] in ("-h", "--help"):
        parsed(Train, ["--help"], prog="adversaria train RECIPE", description=_GENERAL)
    if not arguments or arguments[0].startswith("-"):
        raise UserError("which recipe? 'adversaria list' names them:  adversaria train dcgan --data digits")
    entry = catalogue.find(arguments[0])
    recipe = catalogue.make(arguments[0], _preset(arguments[1:]))
    options = parsed_with(Train, recipe, arguments[1:], f"adversaria train {arguments[0]}", entry.summary)
    return _train(options, "adversaria train " + shlex.join(arguments))


_GENERAL = "Trains a recipe on data. 'adversaria train RECIPE --help' adds the recipe's own hyperparameters."


def _preset(arguments: list[str]) -> str | None:
    for word, following in zip(arguments, [*arguments, ""][1:], strict=True):
        if word == "--preset":
            return following
        if word.startswith("--preset="):
            return word.removeprefix("--preset=")
    return None


def _train(options: Any, command: str) -> int:
    import torch

    from adversaria.api import begin
    from adversaria.cli.options import follow
    from adversaria.data import load

    if options.threads is not None:
        at_least("--threads", options.threads, 1)
        torch.set_num_threads(options.threads)
    at_least("--every", options.every or 1, 1)
    data = load(options.data, size=size_of(options.size), crop=options.crop, channels=options.channels,
                stacked=options.stacked, binarise=options.binarise)  # fmt: skip
    if options.dry_run:
        return _describe(options.recipe, data)
    fresh = options.out is None or not options.out.exists()
    run = begin(
        options.recipe, data, out=options.out, seed=options.seed, device=options.device, threads=options.threads,
        command=command,
    )  # fmt: skip
    print(changed(options.recipe))
    print(
        f"{data.name}: {data.size('train')} training examples of shape {data.spec.shape}; run folder {run.path}",
        flush=True,
    )
    for note in data.notes:
        print(f"  {note}", flush=True)
    try:
        return follow(run, minutes=options.minutes, every=options.every, tensorboard=options.tensorboard)
    except BaseException:
        if fresh and not run.history("round"):  # nothing was learned, and no resume could mend what broke
            shutil.rmtree(run.path, ignore_errors=True)
        raise


def changed(recipe: Any) -> str:
    """The recipe's name, and the hyperparameters that aren't its defaults.

    >>> from adversaria import catalogue
    >>> changed(catalogue.make("gan", rounds=5, parts={"r1": 2.0}))
    'GAN: rounds 5, parts.r1 2.0; all others as in its file'
    """
    told = ", ".join(f"{name} {value}" for name, value in _differing(recipe))
    return (
        f"{type(recipe).__name__}: {told}; all others as in its file" if told else f"{type(recipe).__name__} as it is"
    )


def _differing(thing: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for f in fields(thing):
        value = getattr(thing, f.name)
        if value == f.default:
            continue
        if is_dataclass(value) and type(value) is type(f.default):
            yield from _differing(value, f"{before}{f.name}.")
        else:
            yield before + f.name, value


def size_of(given: tuple[int, ...] | None) -> int | tuple[int, int] | None:
    """The size given to --size: one number for squares, or height and width.

    Raises:
        UserError: for any other number of numbers.
    """
    if given is None or len(given) == 1:
        return given[0] if given else None
    if len(given) == 2:
        return given[0], given[1]
    raise UserError(f"--size has {len(given)} numbers; one for squares, or height and width: --size 32, --size 28 20")


def _describe(recipe: Any, data: Any) -> int:
    from adversaria.game import plan

    data = recipe.arrange(data)
    game = recipe.build(data.spec)
    data.batches(recipe.batch, seed=0)
    print(changed(recipe))
    sizes = ", ".join(f"{split} {data.size(split)}" for split in data.splits)
    print(f"data {data.name}, {data.spec.kind} of shape {data.spec.shape}; {sizes}")
    for note in data.notes:
        print(f"  {note}")
    for stage, rounds in zip(game.stages, plan(game.stages, recipe.rounds), strict=True):
        print(f"stage '{stage.name}': {rounds} rounds, {stage.rule.__name__}")
        for player in stage.players:
            count = sum(p.numel() for p in player.parameters())
            print(f"  {player.name}: {count:,} parameters, {player.moves} move(s) a round, {player.optimizer}")
    return 0
