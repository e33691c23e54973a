"""Tasks that need no torch, so that processes start at once."""

import os
import signal


def square(x):
    if x == 3:
        raise ValueError("three\nis  bad")
    return x * x


def die(x):
    if x == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return x
