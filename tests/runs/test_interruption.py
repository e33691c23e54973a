"""Whatever stops a run, it goes on with the bits it would have had."""

import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from adversaria.runs import checkpoints
from adversaria.runs.folder import RunFolder

TRAIN = ["train", "dcgan", "--data", "digits", "--preset", "smoke", "--rounds", "600", "--every", "20", "--out"]


def start(tmp_path, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "adversaria", *map(str, arguments)], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for_round(folder, least):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        names = checkpoints.names(RunFolder(folder))
        if names and int(names[-1]) >= least:
            return
        time.sleep(0.01)
    raise AssertionError("the run got nowhere")


def final(folder):
    found = checkpoints.newest(RunFolder(folder))
    assert found.round == 600
    return found.tensors


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_random_moments_ends_with_the_bits_of_one_go(tmp_path, shell):
    shell(*TRAIN, "whole", check=0)
    whole = final(tmp_path / "whole")
    moments = random.Random(0)
    process = start(tmp_path, *TRAIN, "parts")
    kills = 0
    while True:
        if kills < 3:
            done = checkpoints.names(RunFolder(tmp_path / "parts"))
            wait_for_round(tmp_path / "parts", (int(done[-1]) if done else 0) + 1)
            time.sleep(moments.uniform(0, 0.3))
            process.kill()
            kills += process.wait() == -signal.SIGKILL
        process.communicate(timeout=100)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        process = start(tmp_path, "resume", "parts", "--every", "20")
    assert kills == 3
    parts = final(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    for key, value in whole.items():
        assert torch.equal(value, parts[key]), key


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_saves_and_says_how_to_resume(tmp_path, shell, sent, code):
    process = start(tmp_path, *TRAIN, "a")
    wait_for_round(tmp_path / "a", 20)
    process.send_signal(sent)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, (out, err)
    assert "adversaria resume a" in out and "Traceback" not in err
    stopped = int(checkpoints.names(RunFolder(tmp_path / "a"))[-1])
    assert 20 <= stopped < 600
    events = RunFolder(tmp_path / "a").records("event")
    assert events[-1]["event"] == "stopped" and events[-1]["round"] == stopped
    shell("resume", "a", check=0)
    assert int(checkpoints.names(RunFolder(tmp_path / "a"))[-1]) == 600


def test_a_second_process_is_refused(tmp_path, shell):
    process = start(tmp_path, *TRAIN, "a")
    wait_for_round(tmp_path / "a", 20)
    refused = shell("resume", "a", check=2)
    assert f"in use by process {process.pid}" in refused.stderr
    process.kill()
    process.communicate()
    shell("resume", "a", check=0)  # the lock went with the process
