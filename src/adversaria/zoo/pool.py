"""Tasks over processes that outlive a task that fails, a worker that is killed, and Ctrl-C."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


CHECK = 1.0
"""Seconds of waiting at most: a Ctrl-C that comes just before the wait begins doesn't end it."""


@dataclass(frozen=True)
class Failure:
    """Why a task has no answer, on one line."""

    reason: str


@dataclass
class _Worker(Generic[Item]):
    process: Any
    line: Connection
    item: Item | None = None


def spread(
    task: Callable[[Item], Answer], items: Iterable[Item], jobs: int
) -> Iterator[tuple[Item, Answer | Failure]]:  # fmt: skip
    """Each item with the task's answer, in the order in which they come to an end.

    Every worker has one torch thread, so that an answer doesn't depend on `jobs`. With one job the tasks run here.
    Whatever ends the iteration, or this process, ends the workers.

    Args:
        task: a function at the top of its module.
        items: its arguments.
        jobs: how many processes.
    """
    waiting = list(items)
    if jobs == 1 or len(waiting) == 1:
        yield from ((item, _attempt(task, item)) for item in waiting)
        return
    waiting.reverse()
    workers: list[_Worker[Item]] = []
    try:
        while waiting or workers:
            while waiting and len(workers) < jobs:
                workers.append(_started(task))
                _give(workers[-1], waiting.pop())
            ready = wait([worker.line for worker in workers], CHECK)
            for worker in [worker for worker in workers if worker.line in ready]:
                item, answer, alive = _answered(worker)
                if alive and waiting:
                    _give(worker, waiting.pop())
                else:
                    workers.remove(worker)
                    _end(worker)
                yield item, answer
    finally:
        for worker in workers:
            _end(worker)


def _attempt(task: Callable[[Item], Answer], item: Item) -> Answer | Failure:
    with _one_thread():
        try:
            return task(item)
        except Exception as error:
            said = " ".join(str(error).split())
            return Failure(f"{type(error).__name__}: {said}" if said else type(error).__name__)


@contextmanager
def _one_thread() -> Iterator[None]:
    torch: Any = sys.modules.get("torch")  # a task that trains has loaded it with its module
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _started(task: Callable[[Item], Answer]) -> _Worker[Item]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(task, there), daemon=True)
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"  # is read when torch is loaded, in the child
    try:
        with _held_back(signal.SIGINT):  # or Ctrl-C could meet a child that doesn't ignore it yet
            process.start()
    finally:
        os.environ.pop("OMP_NUM_THREADS") if before is None else os.environ.update(OMP_NUM_THREADS=before)
    there.close()
    return _Worker(process, here)


@contextmanager
def _held_back(number: signal.Signals) -> Iterator[None]:
    """The signal waits meanwhile; in processes started here for good."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(task: Callable[[Item], Answer], line: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers
    threading.Thread(target=_follow, daemon=True).start()
    with suppress(EOFError, BrokenPipeError):
        while True:
            line.send(_attempt(task, line.recv()))


def _follow() -> None:
    """Ends this process when its parent is killed, in the midst of a task too."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _give(worker: _Worker[Item], item: Item) -> None:
    worker.item = item
    with suppress(BrokenPipeError):  # it has died: reading from it will say so
        worker.line.send(item)


def _answered(worker: _Worker[Item]) -> tuple[Item, Any, bool]:
    """The item, the answer, and whether the worker can go on."""
    assert worker.item is not None
    try:
        return worker.item, worker.line.recv(), True
    except (EOFError, OSError):
        worker.process.join()
        return worker.item, Failure(f"its process ended with exit code {worker.process.exitcode}"), False


def _end(worker: _Worker[Item]) -> None:
    worker.line.close()
    worker.process.terminate()
    worker.process.join()
