"""`adversaria zoo`: every recipe with the state of its claims, and the commands that measure them."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, Literal

import tyro

from adversaria import catalogue
from adversaria.cli.parsing import parsed, typed
from adversaria.errors import UserError, unknown

VERBS = {
    "list": "every recipe with the state of its claims",
    "verify": "measure the claims of a recipe:  adversaria zoo verify dcgan --quick",
    "modes": "how many modes each adversarial recipe covers, over seeds, in a table",
    "likelihoods": "what held-out data cost under each recipe with a likelihood, at equal budgets, in a table",
}


@dataclass(frozen=True)
class List:
    """Every recipe with the state of its claims: holds, does not hold, inconclusive, stale (its code has changed
    since), unchecked."""

    family: Annotated[str | None, tyro.conf.arg(metavar="FAMILY")] = None
    """Only this family."""


@dataclass(frozen=True)
class Verify:
    """Measures the claims of recipes over seeds and writes results/NAME/DATA.json.

    A claim holds where the whole 95% interval lies on its side of the threshold. Exit code 1 where one doesn't, or
    can't be told.
    """

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """Names of recipes."""
    all: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Every recipe that has a check."""
    quick: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Small settings and fewer seeds: a minute or two a recipe."""
    data: str | None = None
    """A name or a path, in place of the checks' own data."""
    binarise: Literal["static", "dynamic"] | None = None
    """Make black and white images of it, for the checks on black and white digits."""
    seeds: int | None = None
    """How many, in place of the checks' own number."""
    jobs: int | None = None
    """Processes, a thread each; as many as there are cores, without."""
    device: str = "cpu"
    """cpu or cuda."""
    out: Path | None = None
    """The folder of results; that of the checkout, or results/ here, without."""


def run(arguments: list[str]) -> int:
    """Does what the first word says."""
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, VERBS))
        print("usage: adversaria zoo COMMAND [...]\n")
        print("\n".join(f"  {verb:<{width}} {meaning}" for verb, meaning in VERBS.items()))
        print("\n'adversaria zoo COMMAND --help' tells of a command's options.")
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        raise unknown("command of zoo", verb, VERBS, "see 'adversaria zoo --help'")
    if verb == "modes":
        from adversaria.cli.modes import run as modes

        return modes(rest)
    if verb == "likelihoods":
        from adversaria.cli.likelihoods import run as likelihoods

        return likelihoods(rest)
    options: Any = parsed(List if verb == "list" else Verify, rest, prog=f"adversaria zoo {verb}")
    return _list(options.family) if verb == "list" else _verify(options, typed("adversaria zoo verify", rest))


def _list(family: str | None) -> int:
    from adversaria.zoo.results import states

    entries = list(catalogue.entries().values())
    families = sorted({entry.family for entry in entries})
    if family is not None and family not in families:
        raise unknown("family", family, families)
    total: Counter[str] = Counter()
    for entry in entries:
        if family in (None, entry.family):
            counts = Counter(state.word for state in states(entry))
            total += counts
            print(f"{entry.name:<16} {entry.family:<12} {_counted(counts)}")
    print(f"\n{sum(total.values())} claims: {_counted(total)}")
    return 0


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{word} {n}" for word, n in counts.most_common())


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def device_there(device: str) -> None:
    """Checks a device a user gave.

    Raises:
        UserError: for one that isn't there.
    """
    if device.split(":")[0] not in ("cpu", "cuda"):
        raise UserError(f"device is '{device}'; cpu or cuda")
    if device != "cpu":
        import torch

        if not torch.cuda.is_available():
            raise UserError(f"device '{device}' asked for and there is none; use --device cpu")


def _verify(options: Any, command: str) -> int:
    from adversaria.zoo.verify import checkable, module_of, verify

    if options.all == bool(options.names):
        raise UserError("name the recipes to verify, as 'adversaria zoo verify dcgan --quick', or give --all")
    device_there(options.device)
    names = checkable() if options.all else list(options.names)
    for name in names:  # mistakes come to light before the first hour is over
        module_of(catalogue.find(name))
    found, lost, started = [], list[str](), monotonic()
    for name in names:
        print(f"{name}:", flush=True)
        try:
            results = verify(
                name, quick=options.quick, data=options.data, seeds=options.seeds, jobs=options.jobs or cores(),
                device=options.device, folder=options.out, command=command, binarise=options.binarise,
                say=lambda line: print(f"  {line}", flush=True),
            )  # fmt: skip
        except UserError as error:
            if not options.all:
                raise
            print(f"  not measured: {error}\n", flush=True)
            lost.append(name)
            continue
        found += results
        for result in results:
            print(f"  {result}\n      {result.claim}", flush=True)
        print(flush=True)
    right = sum(result.verdict == "holds" for result in found)
    missing = f"; not measured: {', '.join(lost)}" if lost else ""
    print(f"{right} of {len(found)} checks hold, in {(monotonic() - started) / 60:.0f} minutes{missing}")
    return 1 if lost or right < len(found) else 0
