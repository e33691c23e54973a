"""The report: one self-contained page on a run, written from its folder alone."""

from pathlib import Path

from adversaria.report.page import page
from adversaria.report.reading import read
from adversaria.runs.folder import RunFolder

__all__ = ["write"]


def write(folder: RunFolder) -> Path:
    """Writes report.html into the run folder, in one step, and returns its path.

    Raises:
        UserError: where the folder holds no run.
    """
    return folder.write("report.html", page(read(folder)).encode("utf-8", errors="replace"))
