"""One thread, a fixed seed before each test, checked tensor shapes, and float64 for the tests that ask for it."""

import os
import subprocess
import sys
import warnings

import pytest
import torch
from jaxtyping import install_import_hook

# Before anything imports them: the annotations are checked in the suite only (compilation has no use for checks).
install_import_hook(["adversaria.ops", "adversaria.distributions", "adversaria.objectives"], "beartype.beartype")
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # for processes the tests start

from adversaria.cli import main  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory, worker_id):
    """Features that tests train are trained once for all of them, and never come from an earlier version's."""
    base = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADVERSARIA_CACHE", str((base if worker_id == "master" else base.parent) / "cache"))
        yield


@pytest.fixture
def seed():
    return 0


@pytest.fixture(autouse=True)
def _seeded(seed):
    torch.manual_seed(seed)


@pytest.fixture
def float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    """Runs the command line in this process, in an empty folder; returns what came of it, as `process` does."""

    def run(*arguments, check=None):
        monkeypatch.chdir(tmp_path)
        capsys.readouterr()
        words = [str(argument) for argument in arguments]
        with warnings.catch_warnings():
            try:
                code = main(words)
            except SystemExit as exit:
                code = exit.code or 0
        out, err = capsys.readouterr()
        if check is not None:
            assert code == check, (code, out, err)
        return subprocess.CompletedProcess(words, code, out, err)

    return run


@pytest.fixture
def process(tmp_path):
    """Runs the command line in a process of its own, in an empty folder; returns what came of it."""

    def run(*arguments, check=None):
        command = [sys.executable, "-m", "adversaria", *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110)
        if check is not None:
            assert done.returncode == check, (done.returncode, done.stdout, done.stderr)
            assert "Traceback" not in done.stderr, done.stderr
        return done

    return run
