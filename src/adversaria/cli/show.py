"""`adversaria show`: all there is to know of a recipe."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

import tyro

from adversaria import catalogue
from adversaria.cli.cite import bibtex
from adversaria.cli.parsing import parsed
from adversaria.zoo.results import states


@dataclass(frozen=True)
class Show:
    """A recipe: equations, hyperparameters with defaults and place in the paper, players, departures, citation."""

    recipe: tyro.conf.Positional[str]
    """Name of a recipe, or a file with one."""


def run(arguments: list[str]) -> int:
    """Prints the page."""
    options = parsed(Show, arguments, prog="adversaria show")
    entry = catalogue.find(options.recipe)
    print(f"{entry.docstring}\n")
    print("HYPERPARAMETERS")
    made = catalogue.make(str(entry.path) if not entry.built_in else entry.name)
    for line in flags(entry.hyperparameters, choices(type(made))):
        print(line)
    if entry.presets:
        print("\nPRESETS")
        for name, values in entry.presets.items():
            print(f"  {name:<8} {', '.join(f'{key} {value}' for key, value in values.items())}")
    for line in (*parts(entry), *players(entry)):
        print(line)
    print("\nDEPARTURES FROM THE PAPER")
    for item in entry.departures or ("none stated",):
        print(f"  - {item}")
    for line in claims(entry):
        print(line)
    if entry.reference:
        print(f"\nCITATION\n{bibtex(entry)}")
    return 0


def choices(kind: Any) -> dict[str, list[str]]:
    """The words that fields of a dataclass are chosen from, by field."""

    def words(hint: Any) -> list[str]:
        if get_origin(hint) is Literal:
            return [str(word) for word in get_args(hint)]
        return [word for part in get_args(hint) for word in words(part)]

    return {name: found for name, hint in get_type_hints(kind).items() if (found := words(hint))}


def flags(
    fields: Iterable[catalogue.Hyperparameter], words: Mapping[str, list[str]], before: str = ""
) -> list[str]:  # fmt: skip
    """A line a field: flag, default, meaning, and what it is chosen from."""
    told = [(f"--{before}{h.name.replace('_', '-')}", h) for h in fields]
    width = max((len(flag) for flag, _ in told), default=0)
    lines = []
    for flag, h in told:
        one_of = f"  [{', '.join(words[h.name])}]" if h.name in words else ""
        lines.append(f"  {flag:<{width}}  {h.default:<16}  {h.meaning}{one_of}")
    return lines


def parts(entry: catalogue.Entry) -> list[str]:
    """Techniques that the recipe takes beside its own, where it takes any."""
    if all(h.name != "parts" for h in entry.hyperparameters):
        return []
    from adversaria.duel import Parts

    told = flags(catalogue.parts(), choices(Parts), "parts.")
    return ["\nPARTS, each off or the recipe's own until asked for", *told]


def claims(entry: catalogue.Entry) -> list[str]:
    """What the recipe claims, and how each claim stands."""
    lines = ["\nCLAIMS, as 'adversaria zoo verify' found them"]
    for state in states(entry):
        lines += [f"  - {state.claim}", *(f"      {line}" for line in state.lines)]
    return lines if entry.claims else [*lines, "  - none stated"]


def players(entry: catalogue.Entry) -> list[str]:
    """Who plays, with what, and how large it is on example data."""
    from adversaria.data import DataSpec

    recipe = catalogue.make(str(entry.path) if not entry.built_in else entry.name)
    examples = {
        "image": ("32x32 grey images", DataSpec("image", (1, 32, 32), classes=10)),
        "points": ("points in the plane", DataSpec("points", (2,), classes=8)),
        "sequence": ("sequences of 20 tokens of 32", DataSpec("sequence", (20,), categories=32)),
        "binary": ("100 bits", DataSpec("binary", (100,))),
    }
    told, spec = examples[recipe.KINDS[0]]
    game = recipe.build(recipe.spec_for(spec))
    names = {id(module): name for name, module in game.networks.items()}
    lines = [f"\nPLAYERS, on {told}"]
    for stage in game.stages:
        rule = stage.rule.__name__
        lines.append(f"  stage '{stage.name}', {rule}" if len(game.stages) > 1 else f"  {rule} moves")
        for player in stage.players:
            owns = ", ".join(names.get(id(module), type(module).__name__) for module in player.owns)
            count = sum(p.numel() for p in player.parameters())
            moves = "a function of the round" if callable(player.moves) else player.moves
            lines.append(f"    {player.name:<14} owns {owns} ({count:,} parameters), {moves} move(s) a round")
            lines.append(f"    {'':<14} by {player.optimizer}")
    return lines
