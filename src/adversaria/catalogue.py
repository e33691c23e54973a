"""The recipes there are, read from their files' text: no recipe, and no torch, is imported until it is wanted."""

import ast
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from adversaria.errors import UserError, unknown

if TYPE_CHECKING:
    from adversaria.game.recipe import Recipe

HERE = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Hyperparameter:
    """One field of a recipe, as its file spells it."""

    name: str
    type: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Entry:
    """What a recipe's file says of it."""

    name: str
    family: str
    path: Path
    summary: str
    docstring: str
    class_name: str
    hyperparameters: tuple[Hyperparameter, ...]
    reference: Mapping[str, Any]
    presets: Mapping[str, Mapping[str, Any]]
    departures: tuple[str, ...]
    claims: tuple[str, ...]

    @property
    def year(self) -> int | None:
        """The year it was published."""
        return self.reference.get("year")

    @property
    def built_in(self) -> bool:
        """Whether it comes with the library, rather than from a user's own file."""
        return self.path.is_relative_to(HERE)


@cache
def entries() -> dict[str, Entry]:
    """Every recipe of the library by its name, in order of family and name."""
    files = sorted(path for path in HERE.glob("*/*.py") if not path.stem.startswith("_"))
    return {entry.name: entry for entry in map(read, files)}


def find(name: str) -> Entry:
    """The recipe of this name, or in this file.

    Raises:
        UserError: where there is none; with the nearest name.
    """
    if name.endswith(".py") or "/" in name:
        path = Path(name)
        if not path.is_file():
            raise UserError(f"no recipe file at {name}; 'adversaria new my-gan --from wgan-gp' writes one")
        return read(path.resolve())
    if name not in entries():
        raise unknown("recipe", name, entries(), "see 'adversaria list', or give a file: ./my_gan.py")
    return entries()[name]


def read(path: Path) -> Entry:
    """A recipe file's own account of itself.

    Raises:
        UserError: where the file is no Python, or has no recipe class or no docstring.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, ValueError) as error:
        raise UserError(f"{path} is not a Python file: {error}; mend it and try again") from None
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and _extends_recipe(node)]
    docstring = ast.get_docstring(tree) or ""
    if len(classes) != 1 or not docstring:
        raise UserError(
            f"{path} has {len(classes)} classes that extend Recipe and {'a' if docstring else 'no'} docstring; "
            "a recipe file has one class and a docstring with its equations"
        )
    constants = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    reference = constants.get("REFERENCE")
    return Entry(
        name=path.stem.replace("_", "-"),
        family=path.parent.name if path.is_relative_to(HERE) else "own",
        path=path,
        summary=docstring.splitlines()[0],
        docstring=docstring,
        class_name=classes[0].name,
        hyperparameters=tuple(_hyperparameters(classes[0])),
        reference={k.arg: _literal(k.value, None) for k in reference.keywords if k.arg}
        if isinstance(reference, ast.Call)
        else {},
        presets=_literal(constants.get("PRESETS"), {}),
        departures=tuple(_literal(constants.get("DEPARTURES"), ())),
        claims=tuple(_literal(constants.get("CLAIMS"), ())),
    )


@cache
def parts() -> tuple[Hyperparameter, ...]:
    """The techniques that a recipe with a field `parts` takes."""
    tree = ast.parse((HERE.parent / "duel" / "parts.py").read_text(encoding="utf-8"))
    (found,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Parts")
    return tuple(_hyperparameters(found))


def _literal(node: ast.expr | None, otherwise: Any) -> Any:
    if node is None:
        return otherwise
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise UserError(
            f"'{ast.unparse(node)[:60]}' is computed; REFERENCE, PRESETS, DEPARTURES and CLAIMS are read without "
            "running the file: write plain values"
        ) from None


def _extends_recipe(node: ast.ClassDef) -> bool:
    return any(getattr(base, "id", getattr(base, "attr", "")) == "Recipe" for base in node.bases)


def _hyperparameters(node: ast.ClassDef) -> list[Hyperparameter]:
    found = []
    for field, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            meaning = str(after.value.value) if told else ""  # type: ignore[union-attr]
            default = ast.unparse(field.value) if field.value else ""
            found.append(Hyperparameter(field.target.id, ast.unparse(field.annotation), default, meaning))
    return found


def load(entry: Entry) -> "type[Recipe]":
    """The recipe's class; this imports its file, and torch.

    Raises:
        UserError: where a user's file fails as it is imported.
    """
    module: ModuleType
    if entry.built_in:
        module = importlib.import_module(f"adversaria.recipes.{entry.family}.{entry.path.stem}")
    else:
        name = f"adversaria_own_{entry.path.stem}"
        spec = importlib.util.spec_from_file_location(name, entry.path)
        assert spec is not None and spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise UserError(f"{entry.path} fails as it is imported: {type(error).__name__}: {error}") from error
    found: type[Recipe] = getattr(module, entry.class_name)
    return found


def make(name: str, preset: str | None = None, **overrides: Any) -> "Recipe":
    """The recipe with its defaults, a preset's values over them, and `overrides` over these.

    An optimiser's fields are overridden one by one: `make("dcgan", adam={"lr": 1e-3})`.

    Raises:
        UserError: for an unknown recipe, preset or hyperparameter, or a value out of range.
    """
    entry = find(name)
    if preset is not None and preset not in entry.presets:
        raise unknown(f"preset of {entry.name}", preset, entry.presets)
    recipe = checked(lambda: load(entry)())
    for values in (entry.presets[preset] if preset else {}, overrides):
        recipe = _override(recipe, values, entry.name)
    return recipe


def _override(value: Any, changes: Mapping[str, Any], where: str) -> Any:
    known = [f.name for f in fields(value)]
    for key in changes:
        if key not in known:
            raise unknown(f"hyperparameter of {where}", key, known)
    nested = {
        key: _override(getattr(value, key), new, f"{where}.{key}")
        if isinstance(new, Mapping) and is_dataclass(getattr(value, key))
        else new
        for key, new in changes.items()
    }
    return checked(lambda: replace(value, **nested)) if nested else value


def checked(build: Any) -> Any:
    """What `build` returns; its validation errors become one line."""
    from pydantic import ValidationError

    try:
        return build()
    except ValidationError as error:
        raise UserError(explain(error)) from None


def explain(error: Any) -> str:
    """A pydantic validation error as one line: where, what was given, what is allowed."""
    parts = []
    for item in error.errors(include_url=False, include_context=False):
        where = ".".join(str(part) for part in item["loc"])
        given = "" if item["type"] in ("missing", "unexpected_keyword_argument") else f" is {item['input']!r}:"
        parts.append(f"{where}{given} {item['msg'][0].lower()}{item['msg'][1:]}")
    return "; ".join(parts)
