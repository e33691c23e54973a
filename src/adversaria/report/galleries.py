"""The galleries: pictures that exhibits, evaluation and diagnosis keep, each with what a person should look for."""

import re

from adversaria.report.markup import Html, section, tag
from adversaria.report.pictures import picture
from adversaria.report.reading import Reading, mapping_of
from adversaria.report.wording import count

BESIDE = ("sources", "samples", "data")
"""Pictures that have a place of their own, in the order in which they stand there."""
TITLES = {
    "data": ("held-out data", ""),
    "closest-to-training": (
        "samples closest to the training set",
        "Is a sample the same picture as the training example beside it, and not only alike?",
    ),
    "birthday-pairs": (
        "birthday pairs",
        "Do you see the same picture twice? Count the pairs and note them: adversaria evaluate RUN --duplicates COUNT",
    ),
    "missing-modes": ("missing modes", "Kinds of data that samples lack: does any sample look like one of these?"),
    "over-represented": ("over-represented", "Samples of what comes too often: is it one picture again and again?"),
    "precision-recall": (
        "precision and recall",
        "Does the curve come as near to the corner as that between two real sets?",
    ),
    "neighbours": ("nearest neighbours", "Is a sample in the first column a copy of a picture in its row?"),
    "reconstructions": ("reconstructions", "What is lost: sharpness, or what is shown?"),
    "interpolation": ("interpolation", "Is every picture on the way plausible, and does none jump?"),
}
"""Title, and what to look for, in the order of the page; others follow."""
MOST = 20


def titled(name: str, figure: Html) -> Html:
    """A picture under its title, with what to look for."""
    title, look = TITLES.get(name, (name.replace("-", " "), ""))
    return tag("div", tag("h3", title), tag("p", look, class_="look") if look else None, figure)


def galleries(reading: Reading) -> Html | None:
    """The pictures besides samples and data, in the order of `TITLES`, then as they are listed."""
    captions: dict[str, str] = {}
    for told in (reading.exhibits, reading.evaluation, reading.diagnosis):
        made = "" if told is reading.exhibits else f" (round {count(told.get('round'))})"
        captions |= {name: f"{said}{made}" for name, said in mapping_of(told.get("pictures")).items()}
    names = [n for n in captions if n not in BESIDE and re.fullmatch(r"[a-z0-9-]{1,40}", n)]
    order = {name: i for i, name in enumerate(TITLES)}
    names.sort(key=lambda name: order.get(name, len(order)))
    shown = [(n, picture(reading.path / "exhibits" / f"{n}.png", captions[n])) for n in names[:MOST]]
    parts = [titled(name, figure) for name, figure in shown if figure]
    return section("A closer look", tag("div", *parts, class_="gallery") if parts else None)
