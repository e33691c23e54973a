"""Streaming takes no more memory for ten times the images."""

import subprocess
import sys

import pytest
from data_helpers import encoded, noise, zip_of

CODE = """
import resource, sys
from adversaria.data import load
data = load(sys.argv[1], memory=10**6, cache=sys.argv[2])
batches = data.batches(32, seed=0)
for step in range(50):
    batches.at(step)
print(len(data), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(path, cache):
    environment = {"PYTHONPATH": ":".join(sys.path), "MALLOC_ARENA_MAX": "2"}
    command = [sys.executable, "-c", CODE, str(path), str(cache)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    count, kilobytes = done.stdout.split()
    return int(count), int(kilobytes) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
def test_ten_times_the_images_take_no_more_memory(tmp_path):
    images = [encoded(noise(32, 32, seed=i), "BMP") for i in range(20)]
    peaks = {}
    for n in (2_000, 20_000):
        path = zip_of(tmp_path / f"{n}.zip", {f"{i:06d}.bmp": images[i % 20] for i in range(n)})
        count, peaks[n] = peak(path, tmp_path / "cache")
        assert count == n
    packed = 20_000 * 32 * 32 * 3 / 2**20
    assert packed > 55
    assert peaks[20_000] - peaks[2_000] < 30
