"""The code a result rests on, as a hash: a result whose code has changed since is stale.

It is the given files and every module of the package that they import, transitively, read from the imports' text. A
name that a package takes from one of its modules leads to that module alone. `recipe("NAME")` and `make("NAME")` lead
to that recipe's file. Comments, docstrings and blank lines don't count, nor do imports for type checkers.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeGuard

from adversaria import catalogue

PACKAGE = Path(catalogue.__file__).parent
LEFT_OUT = ("", "_version", "errors", "cli", "report", "api", "runs", "catalogue", "data.load", "data.files")
"""Modules that don't decide numbers: they tell, keep and find things; what data readers read, the fingerprint says."""


def fingerprint(files: Iterable[Path], package: Path = PACKAGE) -> str:
    """16 hex digits of the files and all they rest on."""
    state = hashlib.sha256()
    for path in rests_on(files, package):
        state.update(f"{_named(path, package)} {_digest(path, _stamp(path))}\n".encode())
    return state.hexdigest()[:16]


def rests_on(files: Iterable[Path], package: Path = PACKAGE) -> list[Path]:
    """The files, and those of the package's modules that they import, directly or not; in order of name."""
    found: set[Path] = set()
    waiting = [path.resolve() for path in files]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path, _stamp(path), package)
    return sorted(found, key=lambda path: _named(path, package))


def _named(path: Path, package: Path) -> str:
    """The module's name below the package's, or the file's name."""
    if not path.is_relative_to(package):
        return path.name
    return ".".join(path.relative_to(package).with_suffix("").parts).removesuffix("__init__").rstrip(".")


def _stamp(path: Path) -> tuple[int, int]:
    """Changes when the file does, so that what is remembered of it doesn't outlive it."""
    told = path.stat()
    return told.st_mtime_ns, told.st_size


@cache
def _imported(path: Path, stamp: tuple[int, int], package: Path) -> list[Path]:
    """The package's modules that a file imports itself."""
    found = []
    for node in _executed(_tree(path, stamp)):
        if isinstance(node, ast.Import):
            found += [_module(alias.name, package) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, path, package)
            found += [_defining(base, alias.name, package) for alias in node.names]
        elif isinstance(node, ast.Call):
            found.append(_recipe(node))
    return [place for place in found if place is not None and not _left_out(place, package)]


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those below `if TYPE_CHECKING`."""
    yield node
    for child in ast.iter_child_nodes(node):
        guarded = isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
        if guarded:
            assert isinstance(child, ast.If)
            for other in child.orelse:
                yield from _executed(other)
        else:
            yield from _executed(child)


def _absolute(node: ast.ImportFrom, path: Path, package: Path) -> str:
    """The module that `from ... import` names."""
    if not node.level or not path.is_relative_to(package):
        return node.module or ""
    above = path.parents[node.level - 1].relative_to(package.parent)
    return ".".join([*above.parts, *([node.module] if node.module else [])])


def _defining(base: str, name: str, package: Path) -> Path | None:
    """The module that defines `name` as `base` has it."""
    inside = _module(f"{base}.{name}", package)
    outside = _module(base, package)
    if inside is not None or outside is None or outside.name != "__init__.py":
        return inside or outside
    for node in _tree(outside, _stamp(outside)).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _defining(_absolute(node, outside, package), alias.name, package)
    return outside


def _module(name: str, package: Path) -> Path | None:
    """The file of a module of the package; None for any other."""
    first, *rest = name.split(".")
    if first != package.name:
        return None
    place = package.joinpath(*rest)
    for path in (place.with_suffix(".py") if rest else place / "__init__.py", place / "__init__.py"):
        if path.is_file():
            return path.resolve()
    return None


def _recipe(node: ast.Call) -> Path | None:
    """The file of the recipe that `recipe("NAME")` or `make("NAME")` makes."""
    called = getattr(node.func, "attr", getattr(node.func, "id", ""))
    first = node.args[0] if called in ("recipe", "make") and node.args else None
    if not isinstance(first, ast.Constant) or first.value not in catalogue.entries():
        return None
    return catalogue.entries()[str(first.value)].path


def _left_out(path: Path, package: Path) -> bool:
    name = _named(path, package)
    return any(name == out or (out and name.startswith(f"{out}.")) for out in LEFT_OUT)


@cache
def _tree(path: Path, stamp: tuple[int, int]) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _digest(path: Path, stamp: tuple[int, int]) -> str:
    """SHA-256 of a module's text without comments on lines of their own, docstrings and blank lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    dropped, kept_whole = set[int](), set[int]()
    for node in ast.walk(_tree(path, stamp)):
        if _is_text(node) and not lines[node.lineno - 1][: node.col_offset].strip():
            dropped.update(_lines(node))
        elif isinstance(node, ast.Constant | ast.JoinedStr):
            kept_whole.update(_lines(node)[1:])
    state = hashlib.sha256()
    for number, line in enumerate(lines, 1):
        said = line.strip()
        if number not in dropped and (number in kept_whole or (said and not said.startswith("#"))):
            state.update(line.rstrip().encode() + b"\n")
    return state.hexdigest()


def _is_text(node: ast.AST) -> TypeGuard[ast.Expr]:
    """Whether it is a string that stands alone, as docstrings do."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _lines(node: ast.stmt | ast.expr) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)
