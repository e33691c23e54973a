"""What was run: the system as its recipe states it, and every setting that makes the run again."""

import ast
import re
from typing import Any

from adversaria import catalogue
from adversaria.report.markup import Html, join, section, table, tag
from adversaria.report.reading import Reading, Record, mapping_of
from adversaria.report.wording import count

LISTED = 20
"""Skipped files that are named."""
UNKNOWN = "—"


def system(reading: Reading) -> Html | None:
    """Equations, reference and departures of the recipe."""
    entry = reading.entry
    if entry is None:
        return None
    departures = [tag("li", str(departure)) for departure in entry.departures]
    return section(
        "The system",
        tag("pre", entry.docstring),
        _reference(entry.reference),
        join(tag("h3", "departures from the paper"), tag("ul", *departures)) if departures else None,
    )


def _reference(said: Any) -> Html | None:
    if not said.get("title"):
        return None
    arxiv, venue = str(said.get("arxiv") or ""), str(said.get("venue") or "")
    link: Html | None = None
    if re.fullmatch(r"[\w.-]+(/\w+)?", arxiv, re.ASCII):
        link = tag("a", f"arXiv:{arxiv}", href=f"https://arxiv.org/abs/{arxiv}", rel="noreferrer")
    told = f"{said.get('authors', '')}. {said['title']}. {venue + ' ' if venue else ''}{said.get('year', '')}. "
    return tag("p", told, link, class_="reference")


def configuration(reading: Reading) -> Html | None:
    """Command, hyperparameters, data and machine."""
    config = reading.config
    command = join(tag("h3", "the command that makes it again"), tag("pre", config.command, class_="command"))
    hyperparameters = _hyperparameters(config.fields, reading.entry)
    return section(
        "Configuration",
        command,
        join(tag("h3", "hyperparameters"), hyperparameters) if hyperparameters else None,
        tag("div", _part("data", _data(reading)), _part("machine and settings", _machine(reading)), class_="two"),
        _skipped(reading.data.get("skipped")),
    )


def _part(title: str, rows: list[tuple[str, ...]]) -> Html:
    return tag("div", tag("h3", title), table((), rows, class_="pairs"))


def _hyperparameters(fields: Record, entry: catalogue.Entry | None) -> Html | None:
    values = flat(fields)
    known = entry.hyperparameters if entry else ()
    defaults = dict(pair for h in known for pair in default_of(h))
    meanings = {h.name: h.meaning for h in known}
    rows: list[tuple[str, ...]] = []
    changed = 0
    for key, value in values.items():
        differs = key in defaults and defaults[key] != value
        changed += differs
        default = spell(defaults[key]) if differs else ("" if key in defaults else UNKNOWN)
        shown = tag("b" if differs else "span", spell(value))
        rows.append((tag("code", key), shown, default, meanings.get(key, "")))
    head = ("name", "value", "default, where it differs", "meaning")
    said = f"{changed} of {len(values)} differ from the recipe's default. {UNKNOWN}: the recipe names none."
    return join(table(head, rows, "fields"), tag("p", said, class_="note")) if rows else None


def flat(fields: Record, prefix: str = "") -> Record:
    """Nested fields under dotted names."""
    found: Record = {}
    for key, value in fields.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def default_of(h: catalogue.Hyperparameter) -> list[tuple[str, Any]]:
    """The defaults that a field's text states, under dotted names; those of an optimiser that it names."""
    try:
        node = ast.parse(h.default, mode="eval").body
    except SyntaxError:
        return []
    named = [(f".{k.arg}", k.value) for k in node.keywords] if isinstance(node, ast.Call) else [("", node)]
    found = []
    for suffix, value in named:
        try:
            found.append((h.name + suffix, _as_json(ast.literal_eval(value))))
        except (ValueError, TypeError):
            continue
    return found


def _as_json(value: Any) -> Any:
    return [_as_json(part) for part in value] if isinstance(value, tuple | list) else value


def spell(value: Any) -> str:
    """A value of a configuration, in full."""
    if isinstance(value, list):
        return f"({', '.join(map(spell, value))})"
    return {True: "yes", False: "no", None: "none"}[value] if isinstance(value, bool | None) else str(value)


def _data(reading: Reading) -> list[tuple[str, ...]]:
    said, config = reading.data, reading.config
    shape = said.get("shape")
    rows = [
        ("name", reading.data_name),
        ("kind", str(said.get("kind", ""))),
        ("shape", " × ".join(map(str, shape)) if isinstance(shape, list) else ""),
        ("classes", count(said["classes"]) if said.get("classes") else ""),
        *((f"{split} examples", count(n)) for split, n in mapping_of(said.get("sizes")).items()),
        *(("asked for: " + key, spell(value)) for key, value in config.data.items()),
        ("fingerprint (SHA-256)", tag("code", config.fingerprint)),
    ]
    notes = said.get("notes")
    rows += [("note", str(note)) for note in notes] if isinstance(notes, list | tuple) else []
    return [row for row in rows if row[1]]


def _machine(reading: Reading) -> list[tuple[str, ...]]:
    config = reading.config
    stages = ", ".join(f"{name}: {count(rounds)} rounds" for name, rounds in config.stages)
    rows: list[tuple[str, ...]] = [
        ("seed", str(config.seed)),
        ("threads", str(config.threads)),
        ("device", config.device),
        ("stages", stages),
        ("adversaria", config.adversaria),
        ("recipe's file (SHA-256)", tag("code", config.recipe_sha256)),
    ]
    told = {row[0] for row in rows}
    rows += [(key, spell(value)) for key, value in reading.environment.items() if key not in told]
    return rows if reading.environment else [*rows, ("environment", "not recorded")]


def _skipped(skipped: Any) -> Html | None:
    """Files of the data that were left out, and why."""
    if not isinstance(skipped, list) or not skipped:
        return None
    pairs = [(str(s[0]), str(s[1])) if isinstance(s, list) and len(s) == 2 else (str(s), "") for s in skipped]
    more = len(pairs) - LISTED
    return join(
        tag("h3", f"skipped files: {count(len(pairs))}"),
        table(("file", "why"), list(pairs[:LISTED])),
        tag("p", f"and {count(more)} more, in data.json", class_="note") if more > 0 else None,
    )
