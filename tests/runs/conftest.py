import subprocess
import sys

import pytest


@pytest.fixture
def shell(tmp_path):
    """Runs the command line in a process of its own, in an empty folder; returns what came of it."""

    def run(*arguments, check=None, **options):
        done = subprocess.run(
            [sys.executable, "-m", "adversaria", *map(str, arguments)],
            cwd=tmp_path, capture_output=True, text=True, timeout=110, **options,
        )  # fmt: skip
        if check is not None:
            assert done.returncode == check, (done.returncode, done.stdout, done.stderr)
            assert "Traceback" not in done.stderr, done.stderr
        return done

    return run
