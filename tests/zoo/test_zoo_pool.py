"""Tasks over processes: the same answers as here, and trouble that stays where it is."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import fake_claims
import pytest
import torch
from light_tasks import die, square

from adversaria.zoo.pool import Failure, spread


def draw(seed):
    return fake_claims.drawn(SimpleNamespace(seed=seed)), torch.get_num_threads()


def test_every_item_is_answered_once_and_a_failure_is_one_line():
    found = dict(spread(square, range(6), 2))
    assert found.pop(3) == Failure("ValueError: three is bad")
    assert found == {x: x * x for x in (0, 1, 2, 4, 5)}


def test_processes_give_the_bits_that_this_one_gives():
    here, there = dict(spread(draw, range(3), 1)), dict(spread(draw, range(3), 2))
    assert here == there and {threads for _, threads in here.values()} == {1}


def test_threads_are_as_before_after_tasks_that_ran_here():
    torch.set_num_threads(2)
    try:
        assert next(spread(draw, [0], 1))[1][1] == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_a_worker_that_is_killed_costs_its_item_alone():
    found = dict(spread(die, range(4), 2))
    assert found.pop(1) == Failure("its process ended with exit code -9")
    assert found == {0: 0, 2: 2, 3: 3}


def test_nobody_is_left_behind_when_the_caller_stops_early():
    tasks = spread(time.sleep, [0.0, 60.0, 60.0], 2)
    assert next(tasks) == (0.0, None)
    started = time.monotonic()
    tasks.close()
    assert time.monotonic() - started < 5 and not multiprocessing.active_children()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import time\nfrom adversaria.zoo.pool import spread\n"
        "if __name__ == '__main__':\n"
        "    for _ in spread(time.sleep, [0.0, 600.0, 600.0], 2): print('one', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "one\n"
    process.kill()
    assert process.communicate(timeout=20) == ("", None)  # which comes when nobody has its output any more


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_ends_all_of_it_without_a_traceback(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import signal, time\nfrom adversaria.zoo.pool import spread\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        "    try:\n        for _ in spread(time.sleep, [0.0, 60.0, 60.0], 2): print('one', flush=True)\n"
        "    except KeyboardInterrupt:\n        print('stopped', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               start_new_session=True)  # fmt: skip
    assert process.stdout.readline() == "one\n"
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the whole group
    out, err = process.communicate(timeout=20)
    assert (out, err) == ("stopped\n", "")


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals of threads")
def test_an_interrupt_that_does_not_end_the_waiting_is_heard_all_the_same(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import signal, threading, time\nfrom adversaria.zoo.pool import spread\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "    def elsewhere(): signal.pthread_kill(threading.get_ident(), signal.SIGINT)\n"
        "    try:\n        for _ in spread(time.sleep, [0.0, 60.0, 60.0], 2): threading.Timer(0.5, elsewhere).start()\n"
        "    except KeyboardInterrupt:\n        print('stopped', flush=True)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == ("stopped\n", "")
