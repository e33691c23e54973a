"""`adversaria lab`: the claims of lectures as experiments, run, and as a page to teach from."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import tyro

from adversaria.cli.parsing import parsed
from adversaria.cli.zoo import cores
from adversaria.errors import UserError, at_least, unknown

VERBS = {
    "list": "every experiment and the question it answers",
    "run": "run some or all:  adversaria lab run parallel-lines, lab run all --quick",
    "report": "one page of what was run, to teach from",
    "gallery": "the same as Markdown, with links to the figures",
}


@dataclass(frozen=True)
class List:
    """Every experiment and the question it answers."""


@dataclass(frozen=True)
class Run:
    """Runs experiments; each leaves OUT/NAME/figure.png and numbers.json with its verdict.

    One that was run by the same code with the same settings isn't run again. Exit code 1 where a claim doesn't hold.
    """

    names: tyro.conf.Positional[tuple[str, ...]]
    """Names, or all."""
    quick: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Seconds in place of minutes: one seed, small settings, wider limits where the experiment says so."""
    tiny: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Networks of 16 channels in hard-architectures, in place of 64."""
    data: str = "digits"
    """Images, for experiments that take any: a name or a path, as of MNIST."""
    seeds: int = 0
    """Random trials of experiments that have any; 0 for 5, or for 1 with --quick."""
    jobs: int | None = None
    """Processes, a thread each; as many as there are cores, without."""
    again: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Run also what was run before, and let a quick run replace a full one."""
    out: Path = Path("lab")
    """The folder of results."""


@dataclass(frozen=True)
class Report:
    """Writes OUT/lab.html, one file that loads nothing."""

    out: Path = Path("lab")
    """The folder of results."""


@dataclass(frozen=True)
class Gallery:
    """Writes a Markdown page beside links to the figures of OUT."""

    out: Path = Path("lab")
    """The folder of results."""
    page: Path = Path("lab.md")
    """The page."""


def run(arguments: list[str]) -> int:
    """Does what the first word says."""
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, VERBS))
        print("usage: adversaria lab COMMAND [...]\n")
        print("\n".join(f"  {verb:<{width}} {meaning}" for verb, meaning in VERBS.items()))
        print("\n'adversaria lab COMMAND --help' tells of a command's options.")
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        raise unknown("command of lab", verb, VERBS, "see 'adversaria lab --help'")
    kinds = {"list": List, "run": Run, "report": Report, "gallery": Gallery}
    options: Any = parsed(kinds[verb], rest, prog=f"adversaria lab {verb}")
    if verb == "list":
        return _list()
    if verb == "run":
        return _run(options)
    return _report(options) if verb == "report" else _gallery(options)


def _list() -> int:
    from adversaria.lab.shelf import cards

    width = max(map(len, cards()))
    for card in cards().values():
        print(f"{card.name:<{width}}  {card.question}")
    return 0


def _run(options: Run) -> int:
    from adversaria.lab.shelf import cards, find

    if not options.names:
        raise UserError("name experiments, as 'adversaria lab run parallel-lines', or say all; 'adversaria lab list'")
    names = list(cards()) if options.names == ("all",) else [find(name).name for name in options.names]
    at_least("--seeds", options.seeds, 0)
    at_least("--jobs", cores() if options.jobs is None else options.jobs, 1)
    from adversaria.lab.running import run_all, settings
    from adversaria.zoo.pool import Failure

    started, held, failed = monotonic(), 0, 0
    tasks = settings(
        names, options.out, quick=options.quick, source=options.data, seeds=options.seeds, tiny=options.tiny,
        command=lambda name: shlex.join(["adversaria", "lab", "run", name, *_told(options)]),
    )  # fmt: skip
    for task, done in run_all(tasks, options.jobs or cores(), options.again):
        if isinstance(done, Failure):
            failed += 1
            print(f"FAILED          {task.name}: {done.reason}", flush=True)
            continue
        held += done.holds
        word = "holds" if done.holds else "DOES NOT HOLD"
        print(f"{word:<15} {done.name}, {'as before' if done.kept else f'{done.seconds:.0f} s'}", flush=True)
        for line in done.lines:
            print(f"    {line}", flush=True)
    print(f"\n{held} of {len(tasks)} hold, in {monotonic() - started:.0f} s"
          + (f"; {failed} failed" if failed else "") + f"; {options.out}/NAME/figure.png, numbers.json\n"
          f"page: adversaria lab report --out {options.out}")  # fmt: skip
    return 0 if held == len(tasks) else 1


def _told(options: Run) -> list[str]:
    """The options that an experiment's numbers depend on."""
    return [*["--quick"] * options.quick, *["--tiny"] * options.tiny,
            *(["--data", options.data] if options.data != Run.data else []),
            *(["--seeds", str(options.seeds)] if options.seeds else [])]  # fmt: skip


def _report(options: Report) -> int:
    from adversaria.lab.page import page
    from adversaria.zoo.results import replace_file

    _there(options.out)
    place = options.out / "lab.html"
    replace_file(place, page(options.out))
    print(f"page: {place}")
    return 0


def _gallery(options: Gallery) -> int:
    from adversaria.lab.page import gallery
    from adversaria.zoo.results import replace_file

    _there(options.out)
    replace_file(options.page, gallery(options.out, options.page))
    print(f"page: {options.page}")
    return 0


def _there(out: Path) -> None:
    from adversaria.lab.page import told_of

    if not told_of(out):
        raise UserError(f"{out} has no experiment; run some first: adversaria lab run all --quick --out {out}")
