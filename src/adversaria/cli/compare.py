"""`adversaria compare`: runs under one protocol, in one table that says where it can't tell."""

import json
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from adversaria.cli.evaluate import file_for, named
from adversaria.cli.parsing import parsed
from adversaria.cli.tables import compared
from adversaria.errors import UserError, at_least, unknown


@dataclass(frozen=True)
class Compare:
    """Compares runs, or trains recipes at equal budget and compares them.

    All are measured anew under one protocol: the same held-out examples, features and seeds. Frechet distance decides;
    the other metrics are secondary (Holm's correction over all of them). A page with samples and tables is written.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Run folders, of the same data."""
    seeds: Annotated[bool, tyro.conf.arg(name="by-seed"), tyro.conf.FlagCreatePairsOff] = False
    """Runs of one recipe and set of hyperparameters are seeds of one system; systems are compared, paired by seed."""
    recipes: str | None = None
    """Train these recipes, apart by commas, in place of given runs."""
    data: str | None = None
    """On these data."""
    count: Annotated[int | None, tyro.conf.arg(name="seeds")] = None
    """With this many seeds each; fewer than six can't show a difference at the 5% level."""
    budget: str | None = None
    """For so long each: 90s, 5m, 1h."""
    preset: str | None = None
    """Of the recipes that have it."""
    threads: int | None = None
    """Processor threads to train with."""
    n: Annotated[int | None, tyro.conf.arg(aliases=["-n"])] = None
    """Samples of each; as many as there are reference examples, 5,000 at most, without."""
    metrics: str | None = None
    """Names apart by commas; all that apply without."""
    features: str | None = None
    """As for 'evaluate'."""
    against: Literal["test", "valid", "train"] = "test"
    """The real examples to compare with."""
    seed: int = 0
    """Of samples, subsets and permutations."""
    out: Path | None = None
    """The page; comparison.html beside the first run, without. With --recipes, the folder of the runs and the page."""
    json: str | None = None
    """Write the numbers as JSON to this file; - for the terminal."""


def run(arguments: list[str]) -> int:
    """Compares and tells."""
    options: Any = parsed(Compare, _seeds_flag(arguments), prog="adversaria compare")
    if options.n is not None:
        at_least("-n", options.n, 10)
    at_least("--seed", options.seed, 0)
    trained = options.recipes is not None
    if trained == bool(options.runs):
        raise UserError("give run folders, or --recipes A,B --data NAME --seeds 6 --budget 5m; one of the two")
    if not trained and (options.data, options.count, options.budget) != (None, None, None):
        raise UserError("--data, --seeds N and --budget are for --recipes; runs have theirs")
    metrics, place = named(options.metrics), file_for(options.json)
    from adversaria.api import compare, load_run
    from adversaria.evaluation.choice import NAMES
    from adversaria.evaluation.suite import wanted

    wanted(metrics or ())  # mistakes come to light before hours of training
    if options.features is not None and options.features not in NAMES and not Path(options.features).is_file():
        raise unknown("features", options.features, NAMES, "give pixels, pca, trained, or a Python file")
    if trained:
        from adversaria.api.contest import train_all

        names = [name.strip() for name in options.recipes.split(",")]
        count = 6 if options.count is None else options.count
        folder, runs = train_all(
            names, options.data or "digits", count, seconds(options.budget or "5m"), options.out, options.preset,
            options.threads, print,
        )  # fmt: skip
        page = folder / "comparison.html"
    else:
        runs = [load_run(path) for path in options.runs]
        page = options.out or runs[0].path.parent / "comparison.html"
        page = page / "comparison.html" if page.is_dir() else page
    if page.suffix != ".html":
        raise UserError(f"--out {page} is no page; call it {page.with_suffix('.html').name}")
    if not page.parent.is_dir():
        raise UserError(f"there is no folder {page.parent}; make it, or write elsewhere: --out comparison.html")
    told = compare(runs, seeds=options.seeds or trained, n=options.n, metrics=metrics, features=options.features,
                   against=options.against, seed=options.seed)  # fmt: skip
    _keep(told, page, place, options.json == "-")
    return 0


def _keep(told: dict[str, Any], page: Path, place: Path | None, printed: bool) -> None:
    from adversaria.report.compare import write_comparison
    from adversaria.runs.training import storing

    text = json.dumps(told, indent=1, allow_nan=False)
    with storing(page.parent):
        page.with_suffix(".json").write_text(text, encoding="utf-8")
        if place is not None:
            place.write_text(text, encoding="utf-8")
        write_comparison([Path(run["path"]) for run in told["runs"]], told, page)
    if printed:
        print(text)
        return
    for line in compared(told):
        print(line)
    print(f"\npage:     {page}")


def _seeds_flag(arguments: list[str]) -> list[str]:
    """`--seeds` with a number is how many to train; without one it says that given runs are seeds of systems."""
    found = []
    for word, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        alone = word == "--seeds" and not following.removeprefix("-").isdecimal()
        found.append("--by-seed" if alone else word)
    return found


def seconds(text: str) -> float:
    """A stretch of time such as 90s, 5m or 1.5h in seconds.

    >>> seconds("5m")
    300.0

    Raises:
        UserError: for anything else.
    """
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    try:
        value = float(text[:-1]) * units[text[-1:]]
    except (ValueError, KeyError):
        raise UserError(f"--budget is '{text}'; give a number with s, m or h: 90s, 5m, 1h") from None
    if not 1 <= value < float("inf"):
        raise UserError(f"--budget is '{text}'; give a second or more")
    return value
