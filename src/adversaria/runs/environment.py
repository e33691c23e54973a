"""What a run ran on: machine and data."""

import os
import platform
import sys
from typing import Any

import numpy as np
import torch

from adversaria._version import __version__
from adversaria.data import Dataset


def environment() -> dict[str, Any]:
    """Versions, machine and the settings that decide bits."""
    cuda = torch.cuda.is_available()
    return {
        "adversaria": __version__,
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if cuda else None,
    }


def account(data: Dataset) -> dict[str, Any]:
    """What the data are and what was done to them on the way in."""
    return {
        "name": data.name,
        "kind": data.spec.kind,
        "shape": data.spec.shape,
        "classes": data.spec.classes,
        "sizes": {split: data.size(split) for split in data.splits},
        "fingerprint": data.fingerprint,
        "notes": data.notes,
        "skipped": [[skipped.name, skipped.reason] for skipped in data.skipped],
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
