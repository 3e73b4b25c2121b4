"""What the benchmarks of doors and service share: a load in a process of its own, and rounds that were timed outside."""

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def load():
    """Start `name`_load.py; yield a function that waits for it and returns when it began and how long it took."""

    @contextmanager
    def start(name, port, count):
        command = [sys.executable, str(HERE / f"{name}_load.py"), str(port), str(count)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            yield lambda: json.loads(process.stdout.readline())

    return start


@pytest.fixture
def report(benchmark):
    """Hand the seconds of some rounds to pytest-benchmark; the best one counts."""

    def tell(group, count, seconds, **facts):
        benchmark.group = group
        benchmark.extra_info |= {"rows": count, **facts}
        benchmark.pedantic(lambda: None, rounds=1)
        benchmark.stats.stats.data[:] = seconds
        rates = ", ".join(f"{count / s:,.0f}" for s in seconds)
        print(f"\n{benchmark.name}: {rates} a second")

    return tell
