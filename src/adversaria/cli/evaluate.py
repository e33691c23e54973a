"""`adversaria evaluate`: numbers with error bars, each beside its value between two real sets."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from adversaria.cli.parsing import parsed
from adversaria.errors import UserError, at_least


@dataclass(frozen=True)
class Evaluate:
    """Measures a run, samples that any other tool made (--data says of what), or the metrics themselves (--controls).

    Every number has a 95% interval and stands beside what the same metric says of other real examples; "excess" is how
    far it lies from that, in its standard deviations. Numbers go to RUN/evaluation.json and the report.
    """

    what: tyro.conf.Positional[Path | None] = None
    """A run folder, or samples: an .npz with the key `samples`, an .npy, a folder or zip of images."""
    n: Annotated[int | None, tyro.conf.arg(aliases=["-n"])] = None
    """Samples to draw; as many as there are reference examples, 5,000 at most, without."""
    metrics: str | None = None
    """Names apart by commas, such as frechet,kernel,coverage; all that apply without."""
    features: str | None = None
    """pixels, pca, trained (on these data), or a Python file with a function features(x); images: trained."""
    against: Literal["test", "valid", "train"] = "test"
    """The real examples to compare with."""
    data: str | None = None
    """What samples of another tool, or the controls, are compared with: a name or a path, as for 'train'."""
    size: tuple[int, ...] | None = None
    """Resize those data to this."""
    channels: Literal[1, 3] | None = None
    """Read those data as grey (1) or colour (3)."""
    seed: int = 0
    """Of samples, subsets and permutations."""
    anneal: int = 0
    """Held-out examples whose likelihood is measured by annealed importance sampling; a minute or more for 50."""
    sigma: float | None = None
    """For a decoder without a likelihood: the normal observation's standard deviation; tuned on validation without."""
    temperatures: int = 500
    """Of annealing: more are slower and tighter."""
    duplicates: int | None = None
    """How many pairs in the report's gallery of birthday pairs you took for the same picture: noted beside the rest."""
    controls: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Spoil real data in known ways and say which metric sees which."""
    json: str | None = None
    """Write the numbers as JSON to this file; - for the terminal, in place of the table."""
    recipe: Path | None = None
    """For a run of a recipe of your own whose file has moved or changed: the file to run."""


def run(arguments: list[str]) -> int:
    """Measures and tells."""
    options = parsed(Evaluate, arguments, prog="adversaria evaluate")
    if options.n is not None:
        at_least("-n", options.n, 10)
    at_least("--seed", options.seed, 0)
    at_least("--anneal", options.anneal or 2, 2)
    at_least("--temperatures", options.temperatures, 1)
    _fitting(options)
    metrics = named(options.metrics)
    place = file_for(options.json)
    if options.controls:
        told = _controls(options, metrics)
    elif options.what is None:
        raise UserError("what is to be measured? 'adversaria evaluate RUN', or SAMPLES --data NAME, or --controls")
    elif (options.what / "config.json").is_file():
        if options.data:
            raise UserError(f"{options.what} is a run and knows its data; leave --data out")
        told = _run(options, metrics)
    elif options.data:
        told = _samples(options, metrics)
    else:
        raise UserError(f"{options.what} is no run; for samples of another tool say of which data: --data NAME")
    _tell(options, told, place)
    return 0


def _fitting(options: Any) -> None:
    """Refuses options that would do nothing."""
    trained = options.what is not None and (options.what / "config.json").is_file() and not options.controls
    if not trained and (options.anneal or options.sigma is not None):
        raise UserError("--anneal and --sigma are for runs: they need the model, and samples or controls have none")
    if trained and (options.size is not None or options.channels is not None):
        raise UserError(f"{options.what} is a run and knows its data; leave --size and --channels out")
    if options.sigma is not None and not options.anneal:
        raise UserError("--sigma is for annealing; add --anneal 50")
    if options.controls and options.against != "test":
        raise UserError("--controls are measured against test examples; leave --against out")


def named(text: str | None) -> list[str] | None:
    """The metrics asked for, None for all.

    Raises:
        UserError: where there is none between the commas.
    """
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UserError("--metrics names none; give some, as frechet,coverage, or leave it out for all")
    return names


def file_for(text: str | None) -> Path | None:
    """The file to write JSON to; None for the terminal, or none at all.

    Raises:
        UserError: where it can't be one.
    """
    if text is None or text == "-":
        return None
    path = Path(text)
    if path.is_dir():
        raise UserError(f"--json {path} is a folder; name a file: --json {path / 'numbers.json'}")
    if not path.parent.is_dir():
        raise UserError(f"there is no folder {path.parent}; make it, or write elsewhere: --json numbers.json")
    return path


def _run(options: Any, metrics: list[str] | None) -> dict[str, Any]:
    from adversaria.api import load_run

    if options.duplicates is not None:
        return load_run(options.what, options.recipe).confirm(options.duplicates)
    return load_run(options.what, options.recipe).evaluate(
        options.n, metrics=metrics, features=options.features, against=options.against, seed=options.seed,
        anneal=options.anneal, sigma=options.sigma, temperatures=options.temperatures,
    )  # fmt: skip


def _samples(options: Any, metrics: list[str] | None) -> dict[str, Any]:
    from adversaria.cli.train import size_of
    from adversaria.data import load
    from adversaria.evaluation.choice import features_for
    from adversaria.evaluation.sets import prepare
    from adversaria.evaluation.suite import wanted
    from adversaria.runs.evaluation import evaluate
    from adversaria.runs.samples import read_samples

    wanted(metrics or ())
    data = load(options.data, size=size_of(options.size), channels=options.channels)
    x = read_samples(options.what, data.spec, options.n)
    features = features_for(data, options.features)
    told = evaluate(prepare(data, x, features, against=options.against, seed=options.seed), metrics)
    return told | {"samples": str(options.what)}


def _controls(options: Any, metrics: list[str] | None) -> dict[str, Any]:
    from adversaria.cli.train import size_of
    from adversaria.data import load
    from adversaria.evaluation.choice import features_for
    from adversaria.evaluation.sensitivity import sensitivity

    if options.what is not None:
        from adversaria.api import load_run

        data = load_run(options.what, options.recipe).data
    else:
        data = load(options.data or "digits", size=size_of(options.size), channels=options.channels)
    told = sensitivity(data, features_for(data, options.features), metrics, n=options.n, seed=options.seed)
    if not told["rows"]:
        raise UserError(f"none of {', '.join(metrics or ())} can be measured on {data.name} without a model")
    return told


def _tell(options: Any, told: dict[str, Any], place: Path | None) -> None:
    from adversaria.cli.tables import measured, seen
    from adversaria.runs.training import storing

    text = json.dumps(told, indent=1, allow_nan=False)
    if options.json == "-":
        print(text)
        return
    if place is not None:
        with storing(place):
            place.write_text(text, encoding="utf-8")
    for line in seen(told) if options.controls else measured(told):
        print(line)
    if "run" in told:
        print(f"\nreport:   adversaria report {told['run']}")
    sys.stdout.flush()
