"""Every reader of foreign bytes under coverage-guided fuzzing, a few runs here and minutes in `make torture`."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

FUZZING = Path(__file__).parent / "fuzzing.py"
# How many runs fit into a second or so, by target.
RUNS = {
    "decoder": 300,
    "grpc_door": 100,
    "imports": 60,
    "json_road": 1500,
    "mqtt": 150,
    "registers": 2000,
    "stored": 2000,
}
# Edges that even the seeds reach when the code is instrumented and the kernels run as Python.
COVERED_MIN = 100
LONG_S = 120
PROCESS_COUNT = 2


def fuzzed(target, *arguments):
    done = subprocess.run(
        [sys.executable, "-W", "error", FUZZING, target, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{' '.join(map(str, done.args))}\n{said[-4000:]}"
    return said


def all_fuzzed(folder, seed, length):
    """Fuzz every target, two at a time; return how many runs each had."""

    def one(target):
        return fuzzed(target, "--found", folder / target, "--seed", seed, *length(target))

    with ThreadPoolExecutor(PROCESS_COUNT) as pool:
        said = dict(zip(RUNS, pool.map(one, RUNS), strict=True))
    for target, text in said.items():
        covered = int(re.search(r"INITED cov: (\d+)", text)[1])
        assert covered >= COVERED_MIN, f"{target}: {covered} edges; was it instrumented?"
    return {target: int(re.search(r"Done (\d+) runs", text)[1]) for target, text in said.items()}


def test_every_target_is_fuzzed():
    targets = {path.stem for path in (FUZZING.parent / "targets").glob("*.py")}

    assert targets == set(RUNS)


@pytest.mark.slow
def test_known_inputs_pass_with_compiled_kernels():
    with ThreadPoolExecutor(PROCESS_COUNT) as pool:
        said = list(pool.map(lambda target: fuzzed(target, "--compiled"), RUNS))

    assert all(re.search(r"^[1-9]\d* inputs", text, re.MULTILINE) for text in said)


@pytest.mark.slow
def test_a_few_runs_of_every_target_find_nothing(tmp_path):
    done = all_fuzzed(tmp_path, 1, lambda target: ("--runs", RUNS[target]))

    assert done == RUNS


@pytest.mark.torture
@pytest.mark.timeout(3000)
def test_minutes_of_every_target_find_nothing(tmp_path):
    seed = int(os.environ.get("PHUSONG_SEED") or int.from_bytes(os.urandom(3)))
    print("PHUSONG_SEED", seed)  # noqa: T201 - repeats the run

    done = all_fuzzed(tmp_path, seed, lambda _: ("--seconds", LONG_S))

    print(done)  # noqa: T201 - the figures
    assert all(done[target] > RUNS[target] for target in RUNS)
