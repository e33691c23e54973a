"""Runs the checks of a recipe's claims over seeds and writes down what came of it."""

from __future__ import annotations

import math
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from adversaria import catalogue
from adversaria.claims.check import Check, Measured, Trial, answer_of
from adversaria.data import DataSpec, load, names
from adversaria.data.bits import Mode
from adversaria.errors import UserError, at_least
from adversaria.evaluation.likelihoods import CODED
from adversaria.zoo import code, results
from adversaria.zoo.judge import interval, judge
from adversaria.zoo.pool import Failure, spread
from adversaria.zoo.results import Result

MACHINE = ("processor", "cores", "threads", "torch", "python", "platform", "gpu")


@dataclass(frozen=True)
class Plan:
    """Checks that one training answers, and where and how often it is run."""

    module: str
    checks: tuple[int, ...]
    """Places in the module's CHECKS."""
    source: str
    seeds: int
    binarise: Mode | None = None


@dataclass(frozen=True)
class Task:
    """One seed of a plan."""

    plan: Plan
    seed: int
    quick: bool
    device: str


@dataclass(frozen=True)
class Told:
    """What one seed gave for each check of its plan, in their order, and what it rests on."""

    answers: tuple[tuple[float | bool, float | None, dict[str, Any]], ...]
    """Value, the ablation's, and further numbers."""
    seconds: float
    data: str = ""
    fingerprint: str = ""
    trained: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)


def module_of(entry: catalogue.Entry) -> str:
    """The module that holds the recipe's checks.

    Raises:
        UserError: where there is none.
    """
    name = f"adversaria.claims.{entry.path.stem}"
    if not entry.built_in or find_spec(name) is None:
        many = f"its {len(entry.claims)} claims are unchecked"
        raise UserError(f"{entry.name} has no check yet: {many}; 'adversaria zoo list' shows what has one")
    return name


def checkable() -> list[str]:
    """The recipes that have checks, in the catalogue's order."""
    return [name for name, entry in catalogue.entries().items() if (results.CLAIMS / entry.path.name).is_file()]


def checks_in(module: str) -> tuple[Check, ...]:
    """CHECKS of a module."""
    found: tuple[Check, ...] = import_module(module).CHECKS
    return found


def verify(
    name: str, *, quick: bool = False, data: str | None = None, seeds: int | None = None, jobs: int = 1,
    device: str = "cpu", folder: Path | None = None, command: str = "", say: Callable[[str], None] = print,
    module: str | None = None, binarise: Mode | None = None,
) -> list[Result]:  # fmt: skip
    """Measures a recipe's claims, writes the results and returns them.

    Args:
        name: the recipe's.
        quick: small settings and fewer seeds.
        data: a name or path in place of the checks' own; checks that are for other data are left out.
        seeds: how many, 0 to seeds - 1, in place of the checks' own.
        jobs: processes.
        device: cpu or cuda.
        folder: of results; that of this checkout without.
        command: what was typed.
        say: is called with a line for everything that happens.
        module: that holds the checks, in place of the recipe's.
        binarise: makes black and white images of `data`, for checks on black and white digits.

    Raises:
        UserError: where nothing can be measured.
    """
    if binarise is not None:
        if data is None:
            raise UserError("--binarise is for data of your own; give --data PATH with it")
        load(data, binarise=binarise)  # what can't be made black and white is told before the first hour is over
    at_least("--seeds", 1 if seeds is None else seeds, 1)
    at_least("--jobs", jobs, 1)
    entry = catalogue.find(name)
    module = module or module_of(entry)
    checks = checks_in(module)
    for check in checks:
        if check.claim not in entry.claims:
            raise UserError(f"a check of {name} is for '{check.claim[:50]}', which is none of its CLAIMS; mend it")
    plans = plans_for(module, checks, quick, data, seeds, say, binarise)
    tasks = [Task(plan, seed, quick, device) for plan in plans for seed in range(plan.seeds)]
    told: dict[Plan, dict[int, Told | Failure]] = {plan: {} for plan in plans}
    for task, answer in spread(measure, tasks, jobs):
        told[task.plan][task.seed] = answer
        for line in _progress(task, checks, answer):
            say(line)
    rest = {
        "quick": quick, **stamp(command),
        "code": code.fingerprint([entry.path, Path(import_module(module).__file__ or "")]),
    }  # fmt: skip
    found = [result(checks[place], plan, i, told[plan], rest) for plan in plans for i, place in enumerate(plan.checks)]
    current = [(check.claim, check.quantity) for check in checks]
    for data_name in sorted({r.data for r in found}):
        of_data = [r for r in found if r.data == data_name]
        results.write(folder or results.places()[0], entry.name, data_name, of_data, current)
    return found


def plans_for(
    module: str, checks: Sequence[Check], quick: bool, data: str | None, seeds: int | None, say: Callable[[str], None],
    binarise: Mode | None = None,
) -> list[Plan]:  # fmt: skip
    """What to run: checks that share a measure and data share trainings.

    Raises:
        UserError: where no check is for these data.
    """
    shared: dict[tuple[Any, str], list[int]] = {}
    for place, check in enumerate(checks):
        source, why = source_for(check, data, binarise)
        if source is None:
            say(f"left out, {why}: {check.quantity}")
        else:
            shared.setdefault((check.measure, source), []).append(place)
    if not shared:
        fit = sorted({name for check in checks for name in check.data})
        remedy = ", ".join(fit) or "data of your own: --data PATH"
        made = f", {binarise}" if binarise else ""
        raise UserError(f"no check is for {data or 'no data'}{made}; take {remedy}")
    return [
        Plan(module, tuple(found), source,
             seeds or max(checks[i].quick_seeds if quick else checks[i].seeds for i in found), binarise)
        for (_, source), found in shared.items()
    ]  # fmt: skip


def source_for(check: Check, data: str | None, binarise: Mode | None = None) -> tuple[str | None, str]:
    """What the check is measured on; or None, and why not."""
    if data is None:
        return (check.data[0], "") if check.data else (None, f"it needs {check.needs} (--data PATH)")
    if binarise is not None:
        fits = f"digits-{binarise}" in check.data
        return (data, "") if fits else (None, f"it is for {', '.join(check.data) or check.needs}")
    if data in check.data:
        return data, ""
    if data in names() or not check.own:
        return None, f"it is for {', '.join(check.data) or check.needs}"
    return (data, "") if _fits(load(data).spec, check.own) else (None, f"it is for {check.own}")


def _fits(spec: DataSpec, own: str) -> bool:
    return own.endswith(spec.kind if spec.kind != "image" else "images") and (spec.classes > 0 or "labelled" not in own)


def measure(task: Task) -> Told:
    """One seed, measured; in a folder of its own, which goes afterwards.

    Raises:
        UserError: where what was measured isn't finite.
    """
    from adversaria.runs.environment import environment

    checks = [checks_in(task.plan.module)[place] for place in task.plan.checks]
    clock = time.process_time if task.device == "cpu" else time.perf_counter  # other programs' share doesn't count
    started = clock()
    with tempfile.TemporaryDirectory(prefix="adversaria-") as folder:
        trial = Trial(task.seed, task.plan.source, Path(folder), quick=task.quick, device=task.device)
        if task.plan.binarise is not None:
            trial.data = load(task.plan.source, binarise=task.plan.binarise)
        said = checks[0].measure(trial)
        answers = tuple(_plain(answer_of(check, said)) for check in checks)
    for check, (value, _, _) in zip(checks, answers, strict=True):
        if not math.isfinite(value):
            raise UserError(f"{check.quantity} is {value}")
    looked = "data" in vars(trial)
    if looked and trial.data.lossy:
        answers = tuple((value, against, facts | {"pixels": CODED}) for value, against, facts in answers)
    machine = environment()
    return Told(
        answers, round(clock() - started, 2), trial.data.name if looked else Path(task.plan.source).name,
        trial.data.fingerprint if looked else "", trial.trained,
        {key: machine[key] for key in MACHINE if machine[key] is not None},
    )  # fmt: skip


def _plain(answer: float | bool | Measured) -> tuple[float | bool, float | None, dict[str, Any]]:
    if isinstance(answer, Measured):
        facts = {key: value if isinstance(value, str | int) else float(value) for key, value in answer.facts.items()}
        told = {key: value if isinstance(value, str) or math.isfinite(value) else str(value)
                for key, value in facts.items()}  # fmt: skip
        return float(answer.value), None if answer.against is None else float(answer.against), told
    return (answer if isinstance(answer, bool) else float(answer)), None, {}


def result(
    check: Check, plan: Plan, place: int, told: Mapping[int, Told | Failure], rest: Mapping[str, Any]
) -> Result:  # fmt: skip
    """The outcome over seeds of the plan's check at `place`."""
    whole = {seed: answer for seed, answer in sorted(told.items()) if isinstance(answer, Told)}
    failed = {str(seed): answer.reason for seed, answer in sorted(told.items()) if isinstance(answer, Failure)}
    answers = [answer.answers[place] for answer in whole.values()]
    values = [value if against is None else value - against for value, against, _ in answers]
    found = interval(values)
    first = next(iter(whole.values()), Told((), 0.0, Path(plan.source).name))
    paired = bool(answers) and all(against is not None for _, against, _ in answers)
    return Result(
        claim=check.claim, quantity=check.quantity, data=first.data, threshold=check.threshold, holds=check.holds,
        verdict=judge(found, check.threshold, check.holds, len(failed)), mean=found.mean,
        interval=(found.low, found.high), interval_of=found.how + (", paired differences" if paired else ""),
        seeds=list(whole), values=[value for value, _, _ in answers],
        against=[float(against or 0.0) for _, against, _ in answers] if paired else None,
        facts=[facts for _, _, facts in answers] if any(facts for _, _, facts in answers) else [],
        failed=failed, trained=first.trained, fingerprint=first.fingerprint,
        seconds=[answer.seconds for answer in whole.values()], machine=first.machine, **rest,
    )  # fmt: skip


def _progress(task: Task, checks: Sequence[Check], answer: Told | Failure) -> list[str]:
    if isinstance(answer, Failure):
        return [f"seed {task.seed} failed: {answer.reason}"]
    lines = []
    for place, (value, against, _) in zip(task.plan.checks, answer.answers, strict=True):
        number = str(value) if isinstance(value, bool) else f"{value:.4g}"
        beside = "" if against is None else f" against {against:.4g}"
        lines.append(f"seed {task.seed}, {answer.seconds:.0f} s: {number}{beside}  {checks[place].quantity}")
    if any(facts.get("pixels") == CODED for _, _, facts in answer.answers):
        lines.append(CODED)
    return lines


def stamp(command: str) -> dict[str, str]:
    """Command, commit and date, as they stand beside a number."""
    return {"command": command, "commit": commit(), "date": datetime.now(UTC).date().isoformat()}


def commit() -> str:
    """The commit of this checkout, with + where files have changed since; empty where there is none."""
    root = code.PACKAGE.parents[1]
    if not (root / ".git").exists():
        return ""
    told = []
    for arguments in (("rev-parse", "HEAD"), ("status", "--porcelain", "--", "src")):
        try:
            done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=20)  # noqa: S603, S607
        except (OSError, subprocess.SubprocessError):
            return ""
        told.append(done.stdout.strip())
    return told[0] + ("+" if told[1] else "")
