"""The command line as typed options; what can't be read is told in one line."""

from __future__ import annotations

import contextlib
import io
import re
from typing import Any

import tyro

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
