"""The command line as typed options; what can't be read is told in one line."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from dataclasses import field, fields, is_dataclass, make_dataclass
from typing import Annotated, Any, get_type_hints

import tyro

from adversaria import catalogue
from adversaria.errors import UserError

SAYINGS = (
    (r"Error parsing recipe\.?([\w.]*): \d+ validation errors? for \w+ (\w+) (.*?) \[.*?input_value=(.*?), input_.*",
     lambda m: f"{m[1]}{'.' if m[1] else ''}{m[2]} is {m[4]}: {m[3][0].lower()}{m[3][1:]}"),
    (r"Error parsing (\S+): invalid literal for int\(\) with base 10: ('.*')", r"\1 is \2, which is no whole number"),
    (r"Error parsing (\S+): could not convert string to float: ('.*')", r"\1 is \2, which is no number"),
    (r"Error parsing (\S+): no type matching (\S+) could be instantiated from \[(.*?)\].*",
     lambda m: f"{m[1]} is {m[3]}; it takes {m[2].removeprefix('{None}|')}"),
    (r"[Ii]nvalid choice (.*) for argument '(.*)'\. Expected one of \((.*)\)\.", r"\2 is \1; one of \3"),
    (r"Unrecognized options: (.*)", r"there is no option \1"),
    (r"Missing value for argument ('.*')\. Expected (\d+) values?\.", r"\1 wants a value"),
    (r"Missing from .*?: (--[\w.-]+).*", r"\1 is missing"),
)  # fmt: skip
"""What tyro and pydantic say, and how it is said here."""


PLACES = ("--out", "--page")


def typed(prog: str, arguments: list[str]) -> str:
    """The command, to stand beside what it measured: without where that was written."""
    kept = iter(arguments)
    told = []
    for word in kept:
        if word in PLACES:
            next(kept, None)
        elif not word.startswith(tuple(f"{place}=" for place in PLACES)):
            told.append(word)
    return shlex.join([*prog.split(), *told])


def parsed(kind: Any, arguments: list[str], prog: str, **how: Any) -> Any:
    """The options of type `kind` that the arguments say.

    Args:
        kind: a dataclass.
        arguments: words after the command.
        prog: the command, for its help.
        how: further arguments of `tyro.cli`.

    Raises:
        UserError: where they can't be read.
        SystemExit: after help was printed.
    """
    if {"-h", "--help"} & set(arguments):
        return tyro.cli(kind, args=arguments, prog=prog, **how)
    told = io.StringIO()
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            return tyro.cli(kind, args=arguments, prog=prog, **how)
    except SystemExit:
        raise UserError(f"{one_line(told.getvalue())}; see '{prog} --help'") from None


def parsed_with(base: type, recipe: Any, arguments: list[str], prog: str, description: str) -> Any:
    """The options of type `base` that the arguments say, and as `recipe` that one with the hyperparameters they change.

    Args:
        base: a frozen dataclass whose fields have names.
        recipe: whose values stand where the arguments say nothing.
        arguments: words after the command and the recipe's name.
        prog: the command, for its help.
        description: what the help says first.

    Raises:
        UserError: where they can't be read, a value is out of range, or a field of the recipe has an option's name.
        SystemExit: after help was printed.
    """
    kind: Any = type(recipe)
    if taken := sorted({f.name for f in fields(base)} & set(recipe.fields())):
        flag = taken[0].replace("_", "-")
        raise UserError(f"{kind.__name__} has a field {taken[0]}, and {prog} an option --{flag}; rename the field")
    own: Any = Annotated[kind, tyro.conf.FlagConversionOff, tyro.conf.arg(name="")]
    both = make_dataclass(
        f"{base.__name__}Recipe", [("recipe", own, field(default=recipe))], bases=(base,), frozen=True, kw_only=True
    )
    return catalogue.checked(lambda: parsed(
        both, switched(arguments, switches(kind)), prog=prog, description=description,
        config=(tyro.conf.AvoidSubcommands, tyro.conf.FlagCreatePairsOff),
    ))  # fmt: skip


def switches(kind: type, before: str = "--") -> set[str]:
    """The flags of a dataclass's fields, and of those of its dataclasses, that are True or False."""
    found = set()
    for name, hint in get_type_hints(kind).items():
        flag = before + name.replace("_", "-")
        if hint is bool:
            found.add(flag)
        elif is_dataclass(hint) and isinstance(hint, type):
            found |= switches(hint, f"{flag}.")
    return found


def switched(arguments: list[str], known: set[str]) -> list[str]:
    """The same arguments, every switch with its value.

    >>> switched(["--grow", "--no-grow", "--grow", "False"], {"--grow"})
    ['--grow', 'True', '--grow', 'False', '--grow', 'False']
    """
    words: list[str] = []
    for word, following in zip(arguments, [*arguments, ""][1:], strict=True):
        if word in known and following not in ("True", "False"):
            words += [word, "True"] if not following or following.startswith("--") else [word]
        elif word.startswith("--no-") and f"--{word[5:]}" in known:
            words += [f"--{word[5:]}", "False"]
        else:
            words.append(word)
    return words


def one_line(box: str) -> str:
    """What a box of tyro's says, on one line.

    >>> one_line("╭─ Oh ─╮\\n│ Unrecognized options: --or │\\n│ ─── │\\n│ Perhaps you meant: │\\n│ --of INT │\\n╰╯")
    'there is no option --or; did you mean --of?'
    """
    lines = [line.strip("│| ") for line in box.splitlines() if not line.startswith(("╭", "╰", "+"))]
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if set(line) in ({"─"}, {"-"}):
            paragraphs.append([])
        elif line:
            paragraphs[-1].append(line)
    said = " ".join(paragraphs[0 if "╭" in box else 1])  # without Unicode the box's title stands in a paragraph
    for pattern, saying in SAYINGS:
        if re.fullmatch(pattern, said):
            said = re.sub(pattern, saying, said)
            break
    close = [line.split()[0] for part in paragraphs if part[:1] == ["Perhaps you meant:"]
             for line in part if line.startswith("--")]  # fmt: skip
    return said.rstrip(".") + (f"; did you mean {' or '.join(dict.fromkeys(close))}?" if close else "")
