"""Reader of tables: CSV and TSV with the standard library, parquet where pyarrow is installed."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from adversaria.data.found import Found
from adversaria.errors import UserError

_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
_LABELS = ("label", "class", "target", "y")
_IDS = ("id", "index", "uuid", "key", "unnamed: 0", "")
_BLOCK = 10_000
_COLUMNS = 10_000
_CLASSES = 100
_MOST = 3e38
"""Numbers beyond float32 count as infinite; NaN is not below it either."""


@dataclass
class _Column:
    """One column: its numbers, NaN where a cell is none; how many cells are words; and a label's cells."""

    name: str
    numbers: list[np.ndarray] = field(default_factory=list)
    words: int = 0
    texts: list[str] | None = None

    def add(self, cells: list[str]) -> None:
        """Takes the cells of the next rows."""
        if self.texts is not None:
            self.texts += [cell.strip() for cell in cells]
        try:
            self.numbers.append(np.array(cells, dtype=np.float64))
        except ValueError:
            parsed = [_number(cell) for cell in cells]
            self.words += sum(number is None for number in parsed)
            self.numbers.append(np.array([np.nan if number is None else number for number in parsed]))

    def values(self) -> np.ndarray:
        """All numbers, float64 (n,)."""
        return np.concatenate(self.numbers) if self.numbers else np.empty(0)


def _number(cell: str) -> float | None:
    """The number in a cell; NaN where it is missing, None where it is a word."""
    if cell.strip().lower() in _MISSING:
        return np.nan
    try:
        return float(cell)
    except ValueError:
        return None


def read_csv(path: Path) -> Found:
    """The numbers of a CSV or TSV file, with or without a header (a first row that holds no number).

    Raises UserError for ragged rows, NUL bytes, text that is not UTF-8, and tables without numbers.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline(1024**2)
            file.seek(0)
            marks = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=first.count)
            columns, notes = _columns(csv.reader(_without_nul(file, path), delimiter=marks), path)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except (OSError, csv.Error) as error:
        raise UserError(f"{path} can't be read as a table ({error}); check what it is") from error
    return _found(columns, notes, path)


def _without_nul(lines: Iterator[str], path: Path) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise UserError(f"{path}, line {number}, holds a NUL byte; a table is text: check what the file is")
        yield line


def _columns(rows: Iterator[list[str]], path: Path) -> tuple[list[_Column], list[str]]:
    rows = (row for row in rows if row)
    first = next(rows, None)
    if first is None:
        raise UserError(f"{path} is an empty table; expected rows of numbers")
    if len(first) > _COLUMNS:
        raise UserError(f"{path} has {len(first):,} columns; {_COLUMNS:,} at most: leave some out")
    notes: list[str] = []
    if any(_number(cell) is not None and _number(cell) == _number(cell) for cell in first):
        names = [f"column {k + 1}" for k in range(len(first))]
        rows = chain([first], rows)
    else:
        names, notes = _distinct([" ".join(cell.split()) for cell in first])
    columns = [_Column(name, texts=[] if name.lower() in _LABELS else None) for name in names]
    done = 0
    while block := list(islice(rows, _BLOCK)):
        for offset, row in enumerate(block):
            if len(row) != len(columns):
                raise UserError(
                    f"{path}: row {done + offset + 1} has {len(row)} cells and the first has {len(columns)}; "
                    "every row must have as many: mend or quote it"
                )
        for column, cells in zip(columns, zip(*block, strict=True), strict=True):
            column.add(list(cells))
        done += len(block)
    return columns, notes


def _distinct(names: list[str]) -> tuple[list[str], list[str]]:
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    twice = [name for name, count in seen.items() if count > 1]
    return distinct, [f"columns share the name {', '.join(map(repr, twice))}; later ones are numbered"] if twice else []


def read_parquet(path: Path) -> Found:
    """The numbers of a parquet file.

    Raises UserError where pyarrow is not installed, or the file is damaged.
    """
    try:
        import pyarrow.parquet
    except Exception as error:
        raise UserError(f"{path} needs pyarrow ({error}); pip install adversaria[tables]") from error
    try:
        table = pyarrow.parquet.read_table(path)
        columns = [_arrow_column(name, table.column(k)) for k, name in enumerate(_distinct(table.column_names)[0])]
    except Exception as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise UserError(f"{path} is no readable parquet file ({reason}); write or download it again") from error
    return _found(columns, _distinct(table.column_names)[1], path)


def _arrow_column(name: str, values: Any) -> _Column:
    import pyarrow

    column = _Column(name)
    kind = values.type
    if pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_boolean(kind):
        column.numbers = [values.cast(pyarrow.float64()).to_numpy(zero_copy_only=False).astype(np.float64)]
    else:
        column.numbers, column.words = [np.full(len(values), np.nan)], len(values)
    if name.lower() in _LABELS:
        column.texts = ["" if cell is None else str(cell) for cell in values.to_pylist()]
    return column


def _found(columns: list[_Column], notes: list[str], path: Path) -> Found:
    """Columns sorted into numbers, labels and dropped ones; rows with a missing number left out."""
    count = len(columns[0].values()) if columns else 0
    label = next((c for c in columns if c.texts is not None and _is_label(c, count)), None)
    kept: list[_Column] = []
    for column in columns:
        if column is label:
            continue
        reason = _useless(column, first=column is columns[0])
        if reason:
            notes.append(f"column '{column.name}' was dropped: {reason}")
        else:
            kept.append(column)
    if not kept:
        raise UserError(f"{path} has no column of numbers ({'; '.join(notes)[:200] or 'it has no rows'}); add one")
    values = np.stack([column.values() for column in kept], axis=1)
    whole = (np.abs(values) < _MOST).all(axis=1)
    labels = None
    if label is not None and label.texts is not None:
        labels = np.array([text.removesuffix(".0") for text in label.texts])
        whole &= np.array([text.lower() not in _MISSING for text in labels.tolist()])
        notes.append(f"column '{label.name}' was read as labels")
    if not whole.all():
        missing = len(whole) - int(whole.sum())
        notes.append(f"{missing:,} of {len(whole):,} rows have missing or infinite numbers and were left out")
    if not whole.any():
        worst = max(kept, key=lambda column: int((~np.isfinite(column.values())).sum()))
        raise UserError(f"{path}: no row is complete; column '{worst.name}' lacks most: fill it in or leave it out")
    names = tuple(column.name for column in kept)
    chosen = None if labels is None else _numbered(labels[whole])
    return Found("points", values[whole], chosen, notes=notes, columns=names, standardise=True)


def _numbered(labels: np.ndarray) -> np.ndarray:
    """Labels as integers where they all are."""
    try:
        return labels.astype(np.int64)
    except (ValueError, OverflowError):
        return labels


def _is_label(column: _Column, count: int) -> bool:
    """Few different values, and words or whole numbers."""
    distinct = len(set(column.texts or ()) - _MISSING)
    values = column.values()
    values = values[np.isfinite(values)]
    return 1 <= distinct <= min(_CLASSES, max(2, count // 2)) and (
        column.words > 0 or bool((values == np.rint(values)).all())
    )


def _useless(column: _Column, first: bool) -> str:
    values = column.values()
    present = values[np.isfinite(values)]
    if column.words:
        return f"{column.words:,} of its cells are no numbers"
    if len(present) == 0:
        return "it is empty"
    whole = bool((present == np.rint(present)).all())
    if whole and len(present) > 2 and len(np.unique(present)) == len(present):
        counts = first and bool((np.diff(present) == 1).all())
        if counts or column.name.lower() in _IDS or column.name.lower().endswith("_id"):
            return "it numbers the rows"
    return ""
