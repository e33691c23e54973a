"""The frame of a page: one HTML document that loads nothing and tells the browser so."""

import time
from pathlib import Path

from adversaria._version import __version__
from adversaria.report.markup import Html, tag
from adversaria.report.wording import date

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def document(title: str, *parts: Html | None) -> Html:
    """A whole document of these parts."""
    style = Html(Path(__file__).with_name("style.css").read_text(encoding="utf-8"))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", **{"http-equiv": "Content-Security-Policy", "content": POLICY}),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="generator", content=f"adversaria {__version__}"),
        tag("title", title),
        tag("style", style),
    )
    foot = tag("footer", f"Written by adversaria {__version__}, {date(time.time())}. One file; it loads nothing.")
    return Html("<!doctype html>\n" + tag("html", head, tag("body", *parts, foot), lang="en"))
