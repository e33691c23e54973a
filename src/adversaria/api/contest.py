"""Training several recipes at equal budget, over seeds, for a comparison."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from adversaria import catalogue
from adversaria.api.comparing import spent
from adversaria.api.run import Run
from adversaria.api.start import begin, load_run
from adversaria.data import Dataset, load
from adversaria.errors import UserError, at_least, unknown
from adversaria.game import Recipe, play
from adversaria.game.game import seeded
from adversaria.runs.training import storing

PROBE = 0.03
"""Part of the budget spent on finding out how many rounds fit in it."""
LEAST = 3.0
"""Seconds of each stage that are timed, where the budget allows."""
SPARE = 0.9
"""Part of the budget for rounds; the rest is for sheets, scores and checks."""


def train_all(
    names: Sequence[str], source: str, seeds: int, budget: float, out: Path | None, preset: str | None,
    threads: int | None, tell: Callable[[str], None],
) -> tuple[Path, list[Run]]:  # fmt: skip
    """Trains every recipe with every seed for `budget` seconds; what a folder holds already isn't trained again.

    A recipe's rounds are those that fit into the budget, as timed beforehand, so that falling rates come to their end.

    Args:
        names: of recipes.
        source: of the data.
        seeds: how many, 0 to seeds - 1.
        budget: seconds a run.
        out: folder of the runs.
        preset: used for the recipes that have it.
        threads: processor threads.
        tell: is called with a line for every run.

    Returns:
        The folder and the runs, seeds of one recipe after another.
    """
    if len(names) < 2 or len(set(names)) < len(names):
        raise UserError(f"recipes {', '.join(names)}: give two or more, each once")
    at_least("--seeds", seeds, 1)
    recipes = _recipes(names, preset)
    if threads is not None:
        at_least("--threads", threads, 1)
        torch.set_num_threads(threads)
    data = load(source)
    for recipe in recipes.values():
        recipe.build(recipe.arrange(data).spec)  # what can't play on these data fails before anything is trained
    folder = out or Path("runs") / f"compare-{data.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    over = _agreed(folder, {"data": data.fingerprint, "preset": preset, "budget": budget})
    count = len(names) * seeds
    tell(f"{count} runs of {budget:g} s each, {_long(count * budget)} in all; {folder}")
    runs = []
    for name, recipe in recipes.items():
        rounds = 0
        for seed in range(seeds):
            path = folder / f"{Path(name).stem}-seed{seed}"
            if (path / "config.json").is_file():
                run = load_run(path)
                rounds = run.folder.config.rounds  # seeds of one recipe play equally long
            else:
                rounds = rounds or fitting(recipe, data, budget)
                made = catalogue.checked(lambda r=recipe, n=rounds: replace(r, rounds=n))
                run = begin(made, data, out=path, seed=seed, threads=threads)
            if not run.finished and not over(path.name):
                run.play(minutes=max(1.5 * budget - spent(run), 0) / 60)
            over(path.name, note=True)
            run = load_run(path)
            tell(f"  {path.name}: {run.folder.config.rounds} rounds, about {spent(run):.0f} s of play")
            runs.append(run)
    return folder, runs


def _recipes(names: Sequence[str], preset: str | None) -> dict[str, Recipe]:
    known = {name: catalogue.find(name).presets for name in names}
    if preset is not None and not any(preset in presets for presets in known.values()):
        raise unknown("preset", preset, sorted({each for presets in known.values() for each in presets}))
    return {name: catalogue.make(name, preset if preset in presets else None) for name, presets in known.items()}


def _agreed(folder: Path, asked: dict[str, Any]) -> Callable[..., bool]:
    """Notes what is asked for in the folder; runs of another request aren't taken for this one's.

    Returns:
        Whether the run of a name has had its time; with `note`, notes that it has.
    """
    place = folder / "contest.json"
    with storing(folder):
        if not place.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            place.write_text(json.dumps(asked | {"over": []}), encoding="utf-8")
        before = json.loads(place.read_text(encoding="utf-8"))

    def over(name: str, note: bool = False) -> bool:
        if note and name not in before["over"]:
            before["over"].append(name)
            with storing(folder):
                place.write_text(json.dumps(before), encoding="utf-8")
        return name in before["over"]

    if differ := [key for key in asked if before.get(key) != asked[key]]:
        told = ", ".join(f"{key} {str(before.get(key))[:12]}, now {str(asked[key])[:12]}" for key in differ)
        raise UserError(f"{folder} holds runs of another comparison ({told}); choose another --out")
    return over


def _long(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 else f"about {seconds / 60:.0f} minutes"


def fitting(recipe: Recipe, data: Dataset, budget: float) -> int:
    """The number of rounds, over all stages, that take about `budget` seconds."""
    data = recipe.arrange(data)
    with seeded(0):
        game = recipe.build(data.spec)
        batches = data.batches(recipe.batch, seed=0)
        costs = []
        for stage in game.stages:
            limit = min(LEAST, PROBE * budget)
            begun, taken = time.perf_counter(), []
            for record in play(stage, batches, rounds=10**6):
                taken.append(record.seconds)
                if time.perf_counter() - begun > limit and len(taken) > 2:
                    break
            costs.append(sorted(taken)[len(taken) // 2])
    total = sum(stage.share for stage in game.stages)
    each = sum(cost * stage.share / total for cost, stage in zip(costs, game.stages, strict=True))
    return max(len(costs), round(SPARE * budget / each))
