"""`adversaria latent`: a trained model's codes: paths, sums, traversals, truncation, neighbours, inversion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from adversaria.cli.options import destination, write
from adversaria.cli.parsing import parsed
from adversaria.errors import UserError, at_least, unknown
from adversaria.runs.folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class _Tool:
    seed: int = 0
    """The same seed gives the same picture."""
    out: Path | None = None
    """A .png picture, or a .npz archive of examples and codes; RUN/latent-TOOL.png without."""
    recipe: Path | None = None
    """For a recipe of your own whose file has moved or changed: the file to run."""


@dataclass(frozen=True, kw_only=True)
class _Decoding(_Tool):
    label: int | None = None
    """For a model that decodes codes under labels: which."""


@dataclass(frozen=True, kw_only=True)
class Interpolate(_Decoding):
    """Paths between codes, a row for each pair."""

    pairs: int = 6
    """Paths."""
    steps: int = 9
    """Examples on a path, ends included."""
    way: Literal["spherical", "linear"] | None = None
    """Spherical paths are for normal priors; what suits the prior without."""
    between: Literal["prior", "encoded", "inverted"] = "prior"
    """Between draws of the prior, or between held-out examples that were encoded or inverted."""


@dataclass(frozen=True, kw_only=True)
class Arithmetic(_Decoding):
    """Mean codes added and subtracted: --plus 3 --minus 1 --plus 7 for classes, where the model encodes; for others
    --a 1,5,9 --b 2,4,6 --c 3,7,8 for a - b + c of samples. Without any, the sheet of samples with their numbers."""

    plus: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """A class whose mean code is added; may be given several times."""
    minus: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """A class whose mean code is subtracted; may be given several times."""
    a: str | None = None
    """Numbers on the sheet of samples, apart by commas; their mean code is added."""
    b: str | None = None
    """The same; subtracted."""
    c: str | None = None
    """The same; added."""
    examples: int = 8
    """Training examples of a class to average over."""
    noise: float = 0.25
    """The sum is shown with 8 codes around it, within this in every coordinate."""


@dataclass(frozen=True, kw_only=True)
class Traverse(_Decoding):
    """One code with one coordinate moved at a time, a row for each."""

    coordinates: str | None = None
    """Which, apart by commas; those of highest effect without."""
    count: int = 8
    """How many of highest effect."""
    steps: int = 9
    """Places of a coordinate."""
    reach: float = 2.0
    """Standard deviations of the prior from its mean."""
    draws: int = 128
    """Codes behind each coordinate's effect."""


@dataclass(frozen=True, kw_only=True)
class Truncate(_Decoding):
    """The same draws held closer to the prior's mean: what is won in precision is lost in variety."""

    t: tuple[float, ...] = (0.3, 0.5, 0.7, 1.0, 2.0)
    """Standard deviations of the prior within which every coordinate lies; a row for each."""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 10
    """Samples in a row."""


@dataclass(frozen=True, kw_only=True)
class Neighbours(_Tool):
    """Samples with their nearest training examples."""

    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 8
    """Samples."""
    k: Annotated[int, tyro.conf.arg(aliases=["-k"])] = 5
    """Neighbours of each."""
    space: Literal["pixels", "codes"] = "pixels"
    """By distance of the raw numbers, or of the codes where the model encodes."""


@dataclass(frozen=True, kw_only=True)
class Invert(_Decoding):
    """Codes whose examples are near to given ones, by descent from several starts."""

    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 8
    """Examples."""
    of: str = "test"
    """test, valid or train, samples of the model, or a file of examples."""
    starts: int = 8
    """Draws of the prior to start from, for each example."""
    steps: int = 400
    """Steps of Adam."""
    rate: float = 0.2
    """Its first rate, in standard deviations of the prior."""
    weight: float = 0.0
    """Weight of the code's mean square beside the mean squared error."""


@dataclass(frozen=True, kw_only=True)
class Reconstruct(_Tool):
    """Examples and their reconstructions, where the model has them."""

    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 10
    """Examples."""
    of: str = "test"
    """test, valid or train, samples of the model, or a file of examples."""


TOOLS = {
    tool.__name__.lower(): tool
    for tool in (Interpolate, Arithmetic, Traverse, Truncate, Neighbours, Invert, Reconstruct)
}  # fmt: skip


def run(arguments: list[str]) -> int:
    """Runs one tool: `adversaria latent RUN TOOL [...]`."""
    if not arguments or {"-h", "--help"} & set(arguments[:1]):
        print(usage())
        return 0
    name = next((word for word in arguments[:2] if word in TOOLS), None)
    if name is None:
        raise _unnamed(arguments)
    rest = arguments.copy()
    rest.remove(name)
    kind = TOOLS[name]
    prog = f"adversaria latent {rest[0] if rest and not rest[0].startswith('-') else 'RUN'} {name}"
    if rest and not rest[0].startswith("-"):
        place = Path(rest.pop(0))
    elif {"-h", "--help"} & set(rest):
        place = Path("RUN")
    else:
        raise UserError(f"which run? adversaria latent RUN {name}")
    options: Any = parsed(kind, rest, prog=prog)
    return _run(place, name, options)


def usage() -> str:
    """The help page."""
    tools = "\n".join(f"  {name:<12} {' '.join((tool.__doc__ or '').split())}" for name, tool in TOOLS.items())
    return (
        "usage: adversaria latent RUN TOOL [...]\n\nWhat lies between a trained model's codes and its examples.\n\n"
        f"{tools}\n\n'adversaria latent RUN TOOL --help' tells of a tool's options."
    )


def _unnamed(arguments: list[str]) -> UserError:
    words = [word for word in arguments[:2] if not word.startswith("-")]
    if len(words) < 2:
        return UserError(f"which tool? adversaria latent {(words or ['RUN'])[0]} {'|'.join(TOOLS)}")
    return unknown("latent tool", words[1], TOOLS, f"the tools are {', '.join(TOOLS)}")


def _run(place: Path, name: str, options: Any) -> int:
    RunFolder.open(place)
    at_least("--seed", options.seed, 0)
    out = destination(options.out or place / f"latent-{name}.png", (".png", ".npz"),
                      "pictures go to a .png, examples and codes to a .npz", "picture.png")  # fmt: skip
    given = _given(name, options)
    from adversaria.api import latent, load_run

    run = load_run(place, options.recipe)
    shown = getattr(latent, name)(run, **given)
    write(out, shown.arrays, lambda: shown.png)
    first, *others = shown.said
    print(f"{out}: {first}; round {run.round}, seed {options.seed}")
    for line in others:
        print(f"  {line}")
    return 0


def _given(name: str, options: Any) -> dict[str, Any]:
    """What the tool of the Python side is called with."""
    given = {key: value for key, value in vars(options).items() if key not in ("out", "recipe")}
    if name == "traverse":
        given["coordinates"] = numbers("--coordinates", options.coordinates)
    if name == "arithmetic":
        a, b, c = (numbers(f"--{key}", given.pop(key)) for key in "abc")
        given["plus_samples"], given["minus_samples"] = [part for part in (a, c) if part], [b] if b else []
        if not (a or options.plus) and (b or c or options.minus):
            raise UserError("nothing to subtract from; give --plus CLASS, or --a with numbers of samples")
    return given


def numbers(flag: str, text: str | None) -> list[int] | None:
    """Whole numbers between commas; None where nothing was given.

    Raises:
        UserError: where they aren't.
    """
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"{flag} is '{text}'; give whole numbers apart by commas, as 1,5,9") from None
