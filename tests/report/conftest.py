"""Fixtures of the report's tests."""

from pathlib import Path

import pytest
from report_helpers import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """An empty run folder."""
    return Run(tmp_path / "run")
