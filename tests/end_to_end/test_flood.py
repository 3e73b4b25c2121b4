"""Memory under garbage: whatever strangers make up, a running service remembers no more of it than its bounds say."""

import asyncio
import os
import time
import urllib.request
from pathlib import Path

import pytest
from flooding import Flood

from running import serving

# What the first flood fills: tables up to their bounds, buffers, the allocator's pools.
WARM_UP_COUNT = 20_000
# Of a process, after the warm-up: its allocator's moods. One kilobyte for each message would be twice this in the short form.
GROWTH_MAX_BYTES = 24 << 20
JUDGED_TIMEOUT_S = 240


def processes(served):
    """Return the ids of the collector and of the verifier."""
    pid = served.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    names = {child: Path(f"/proc/{child}/cmdline").read_text() for child in children}
    verifier = [child for child, name in names.items() if "verifier" in name or "spawn" in name]
    assert len(verifier) == 1, names
    return {"collector": pid, "verifier": int(verifier[0])}


def resident_bytes(served):
    """Return what each process holds in memory, once everything that came was judged."""
    deadline_s = time.monotonic() + JUDGED_TIMEOUT_S
    while lag(served):
        assert time.monotonic() < deadline_s, "the verifier does not catch up"
        time.sleep(0.2)
    return {name: resident(pid) for name, pid in processes(served).items()}


def resident(pid):
    (line,) = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS:")
    ]
    return int(line.split()[1]) * 1024


def lag(served):
    with urllib.request.urlopen(f"http://127.0.0.1:{served.http_port}/metrics") as response:
        values = dict(
            line.rsplit(" ", 1) for line in response.read().decode().splitlines() if line[0] != "#"
        )
    sequence = float(values["phusong_journal_sequence"])
    return sequence - float(values["phusong_verifier_applied_sequence"])


def flood(data, count, seed):
    """Flood a service and return what it held before and after."""
    with serving(data) as served:
        garbage = Flood(served.mqtt_port, served.grpc_port, seed)
        asyncio.run(garbage.pour(WARM_UP_COUNT))
        before = resident_bytes(served)
        asyncio.run(garbage.pour(count))
        after = resident_bytes(served)
        assert garbage.count == WARM_UP_COUNT + count
        assert served.stop() == 0
    for name in before:
        told = f"{name}: {before[name] >> 20} MiB before, {after[name] >> 20} after"
        print(count, "messages;", told)  # noqa: T201 - the figures
    return before, after


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_stays_flat_under_garbage(data):
    before, after = flood(data, 50_000, seed=1)

    assert all(after[name] - before[name] < GROWTH_MAX_BYTES for name in before), (before, after)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_memory_stays_flat_over_a_million_garbage_messages(data):
    seed = int(os.environ.get("PHUSONG_SEED") or int.from_bytes(os.urandom(3)))
    print("PHUSONG_SEED", seed)  # noqa: T201 - repeats the run

    before, after = flood(data, 1_000_000, seed)

    assert all(after[name] - before[name] < GROWTH_MAX_BYTES for name in before), (before, after)
