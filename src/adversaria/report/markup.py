"""HTML that can't be injected into: text is escaped unless `tag` made it."""

import html


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | None
"""Html stays as it is, other text is escaped, None is left out."""


def tag(name: str, *children: Child, **attributes: str | float | None) -> Html:
    """An element; an attribute that is a Python word has an underscore behind it, one that is None is left out.

    >>> tag("p", "a < b", tag("b", "c"), class_="x")
    '<p class="x">a &lt; b<b>c</b></p>'
    """
    told = "".join(
        f' {key.rstrip("_")}="{html.escape(str(value))}"' for key, value in attributes.items() if value is not None
    )
    return Html(f"<{name}{told}>" if name in ("img", "meta") else f"<{name}{told}>{join(*children)}</{name}>")


def join(*children: Child) -> Html:
    """Children one after another."""
    return Html("".join(c if isinstance(c, Html) else html.escape(c) for c in children if c is not None))


def section(title: str, *children: Child, anchor: str | None = None) -> Html | None:
    """A titled part of the page, to which links may lead; None where it would be empty."""
    return tag("section", tag("h2", title), *children, id=anchor) if any(children) else None


def table(head: tuple[str, ...], rows: list[tuple[str, ...]], class_: str | None = None) -> Html | None:
    """A table that scrolls by itself where the page is narrow; None without rows."""
    if not rows:
        return None
    top = tag("thead", tag("tr", *(tag("th", cell) for cell in head))) if head else None
    body = tag("tbody", *(tag("tr", *(tag("td", cell) for cell in row)) for row in rows))
    return tag("div", tag("table", top, body, class_=class_), class_="scroll")
