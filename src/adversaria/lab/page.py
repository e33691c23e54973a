"""The lab's page and its gallery: for each claim question, equation, figure, what was measured, verdict."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from adversaria.lab import running, shelf
from adversaria.lab.bench import Finding
from adversaria.lab.shelf import Card
from adversaria.report.document import document
from adversaria.report.markup import Html, section, table, tag
from adversaria.report.pictures import picture

ABOUT = (
    "Claims of lectures on generative models, each as an experiment that uses this library's own recipes, losses and "
    "divergences. A claim holds where the median over seeds of every number lies between its limits. A claim that "
    "does not hold is a result too: its row says what was found."
)
FIGURE_BYTES = 400_000


def told_of(folder: Path) -> list[tuple[Card, dict[str, Any]]]:
    """Every experiment that has been run, with its numbers."""
    found = [(card, running.read(folder / card.name)) for card in shelf.cards().values()]
    return [(card, told) for card, told in found if told]


def counted(found: list[tuple[Card, dict[str, Any]]]) -> str:
    """How many claims hold, and at which budget."""
    held = sum(told["verdict"] == "holds" for _, told in found)
    quick = sum(told["quick"] for _, told in found)
    return f"{len(found)} claims, of which {held} hold" + (f"; {quick} at the quick budget" if quick else "")


def page(folder: Path) -> Html:
    """One document of all experiments that `folder` has, which loads nothing."""
    found = told_of(folder)
    links = [tag("li", tag("a", card.question, href=f"#{card.name}"), " ", _word(told)) for card, told in found]
    title = tag("p", "adversaria lab", class_="eyebrow"), tag("h1", "What the lectures claim, measured")
    head = tag("header", *title, tag("p", ABOUT, class_="summary"), tag("p", counted(found), class_="tally"),
               tag("ol", *links))  # fmt: skip
    return document("The lab", head, *(_part(folder, card, told) for card, told in found))


def _part(folder: Path, card: Card, told: dict[str, Any]) -> Html | None:
    findings = [running.finding_of(found) for found in told["findings"]]
    drawn = picture(folder / card.name / running.FIGURE, told["said"], FIGURE_BYTES)
    rows = [_row(finding) for finding in findings]
    parts = [
        tag("p", _word(told), " ", tag("small", f"{card.name}; {sources(card)}")),
        tag("pre", card.equation) if card.equation else None,
        *(tag("p", paragraph) for paragraph in card.setup.split("\n\n") if paragraph),
        tag("p", tag("b", "Where a lecture slips: "), card.slip) if card.slip else None,
        drawn,
        table(("measured", "median", "over seeds", "must be", "known", ""), rows, "measured"),
        tag("p", protocol(told), class_="protocol"),
        tag("p", tag("code", told["command"])),
        tag("p", "Read more: ", "; ".join(card.more) + ".", class_="note") if card.more else None,
    ]
    return section(card.question, *parts, anchor=card.name)


def _row(finding: Finding) -> tuple[str, ...]:
    several = len(finding.values) > 1
    spread = f"{min(finding.values):.4g} to {max(finding.values):.4g}; {finding.agreed} of {len(finding.values)} agree"
    unit = finding.unit and f" {finding.unit}"
    return (finding.quantity, f"{finding.value:.4g}{unit}", spread if several else "", finding.limits, finding.exact,
            "holds" if finding.holds else "does not hold")  # fmt: skip


def _word(told: dict[str, Any]) -> Html:
    held = told["verdict"] == "holds"
    return tag("span", told["verdict"], class_="state " + ("pass" if held else "fail"))


def sources(card: Card) -> str:
    """The lectures that claim it."""
    return "; ".join(shelf.LECTURES[source] for source in card.sources)


def protocol(told: dict[str, Any]) -> str:
    """What the numbers rest on."""
    narrow = ", narrow networks" * told.get("tiny", False)
    budget = "quick budget (smaller than described)" if told["quick"] else f"full budget{narrow}"
    seeds = max(len(found["values"]) for found in told["findings"])
    return (
        f"{budget}, {seeds} {'seed' if seeds == 1 else 'seeds'}, images of {told['images']} where any are taken "
        f"(fingerprint {told['fingerprint'][:12]}), {told['seconds']:g} s, {told['date']}, code {told['code']}"
    )


def gallery(folder: Path, place: Path) -> str:
    """The same as Markdown, with links from `place`'s folder to the figures."""
    found = told_of(folder)
    written = "Written by `adversaria lab gallery` from what `adversaria lab run` left; nobody edits it by hand."
    parts = ["# The lab", "", f"{ABOUT} {written} {counted(found)}.", ""]
    parts += [f"- [{card.question}](#{card.name}) {told['verdict']}" for card, told in found]
    for card, told in found:
        where = Path(os.path.relpath(folder / card.name / running.FIGURE, place.parent))
        parts += ["", f"## {card.name}", "", f"**{card.question}** {told['verdict'].capitalize()}.", ""]
        parts += ["```", card.equation, "```", ""] if card.equation else []
        parts += [card.setup, ""] if card.setup else []
        parts += [f"*Where a lecture slips:* {card.slip}", ""] if card.slip else []
        parts += [f"![{told['said'] or card.question}]({where.as_posix()})", "", told["said"], ""]
        parts += [f"- {running.finding_of(one)}" for one in told["findings"]]
        parts += ["", f"`{told['command']}`, {protocol(told)}. {sources(card)}. " + "; ".join(card.more)]
    return "\n".join(parts).rstrip()
