"""Lives of a collector and a verifier, ended anyhow, their caches written at any moment, deleted, cut or scribbled on.

All the same as one life.

Of the collector's memory and the verifier's snapshot nothing may be seen in any answer, whatever becomes of them.
"""

import asyncio
import os
import random
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from batches import decision

from phusong.collector import memory_cache
from phusong.collector.doors import OpenIntake, open_intake
from phusong.collector.memory import CACHE_NAME, Memory, recover
from phusong.collector.topics import route_of_names
from phusong.kernels.frame import PayloadKind, Route, Transport
from phusong.v1.journal_pb2 import RegistryEntry
from phusong.v1.telemetry_pb2 import RAT_LTE, Batch, CellReport, SignalReading, UsageReading
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.recompute import _answers
from phusong.verifier.replay import build_state, rebuild_state
from phusong.verifier.snapshot import NAME, PARTS, write_snapshot
from phusong.verifier.state import State

SEED = int(os.environ.get("PHUSONG_SEED") or random.SystemRandom().randrange(2**31))
CLOCK_MS = 1_638_320_400_000
VIETTEL_PLMN = "45204"
REGISTRY = Route("", "registry", "", Transport.SERVICE, PayloadKind.REGISTRY)
SITES = (
    "site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m\n"
    "A,a,01,283,viettel,centre,21.0,105.8,300\n"
)
MORE_SITES = SITES + "B,b,01,283,viettel,centre,21.5,105.8,300\n"
# Of the short form: enough lives that every way of ending and of damage comes up.
HISTORY_COUNT = 8
CACHES = (Path("journal") / CACHE_NAME, Path("snapshot") / NAME)


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the collector's memory as soon as there is a reason."""
    for name in ("SAVE_AFTER_BYTES", "COPY_SHARE", "WRITE_SHARE"):
        monkeypatch.setattr(memory_cache, name, 0)


def telemetry(dice: random.Random) -> Batch:
    """Return a batch of any kind, numbered or not; numbers come out of order, again, and with gaps."""
    batch = Batch(boot_epoch=dice.choice([0, 7]), sequence=dice.choice([0, dice.randrange(1, 60)]))
    for _ in range(dice.randrange(1, 6)):
        time_ms = CLOCK_MS - dice.randrange(7_200_000)
        match dice.randrange(4):
            case 0:
                batch.signal_readings.append(signal(dice, time_ms))
            case 1:
                batch.cell_reports.append(
                    CellReport(
                        plmn=VIETTEL_PLMN,
                        cell_identity=dice.randrange(1, 5),
                        site_code="A",
                        rat=RAT_LTE,
                        observed_time_ms=time_ms,
                        on_air=dice.random() < 0.8,
                    )
                )
            case _:
                batch.usage_readings.append(
                    UsageReading(
                        subscriber_key=dice.randrange(1, 9),
                        session="s",
                        observed_time_ms=time_ms,
                        downlink_bytes=dice.randrange(2**33),
                    )
                )
    return batch


def signal(dice: random.Random, time_ms: int) -> SignalReading:
    """Return a reading in or near the site."""
    return SignalReading(
        observed_time_ms=time_ms,
        device_key=dice.randrange(1, 5),
        latitude_deg=21.0 + dice.uniform(-0.004, 0.004),
        longitude_deg=105.8 + dice.uniform(-0.004, 0.004),
        position_accuracy_m=10,
        rat=RAT_LTE,
        sim_plmn=VIETTEL_PLMN,
        serving_plmn=VIETTEL_PLMN,
        rsrp_dbm=dice.uniform(-130, -70),
    )


async def take(opened: OpenIntake, dice: random.Random) -> None:
    """Let one thing happen."""
    if dice.random() < 0.05:
        content = dice.choice([SITES, MORE_SITES]).encode()
        entry = RegistryEntry(registry="sites", file="f", content=content)
        await opened.intake.submit(REGISTRY, entry.SerializeToString())
    elif dice.random() < 0.1:
        await opened.board.publish([decision(f"2021-12-01/{dice.randrange(1, 9)}/ACTION_CUT/1")])
    else:
        source = dice.choice(["pgw-1", "pgw-2"])
        route = route_of_names("viettel", source, dice.choice([Transport.MQTT, Transport.GRPC]))
        is_garbage = dice.random() < 0.05
        payload = dice.randbytes(20) if is_garbage else telemetry(dice).SerializeToString()
        await opened.intake.submit(route, payload)


async def live(data: Path, after: Path, dice: random.Random) -> bool:
    """Run for a while, and leave what is on disk in `after`: at a clean end, or in the middle of it all.

    Return whether it was killed with a memory that was written in this life.
    """
    is_killed = dice.random() < 0.5
    was_written = False
    async with open_intake(data, lambda: CLOCK_MS) as opened:
        cache = opened.intake._committer._cache
        memory_cache.SAVE_AFTER_BYTES = dice.choice([0, 200, 1000, 5000])
        for _ in range(dice.randrange(1, 25)):
            await take(opened, dice)
            if dice.random() < 0.1:
                write_snapshot(data, built(data))
        if is_killed:
            was_written = cache._saved_sequence is not None
            shutil.copytree(data, after, ignore=shutil.ignore_patterns("*.draft"))
    if not is_killed:
        shutil.copytree(data, after)
    return was_written


def damage(data: Path, dice: random.Random) -> str:
    """Do something to each cache, or nothing; return what."""
    done = []
    for name in CACHES:
        path = data / name
        how = dice.choice(["left", "left", "deleted", "cut", "flipped"]) if path.exists() else "no"
        done.append(how)
        content = bytearray(path.read_bytes()) if path.exists() else bytearray()
        match how:
            case "deleted":
                path.unlink()
            case "cut":
                path.write_bytes(content[: dice.randrange(len(content))])
            case "flipped":
                content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
                path.write_bytes(content)
    return " ".join(done)


def built(data: Path) -> State:
    return build_state(data, Horizon(), QuotaSettings())


def arrays_of_state(state: State) -> dict[str, np.ndarray]:
    return {
        f"{part}.{name}": array
        for part in PARTS
        for name, array in getattr(state, part).export().items()
    }


def arrays_of_memory(memory: Memory) -> dict[str, np.ndarray]:
    parts = {"windows": memory.judge.windows, "unnumbered": memory.judge.unnumbered}
    arrays = {
        f"{part}.{name}": array
        for part, state in parts.items()
        for name, array in state.export().items()
    }
    return arrays | {"board": np.frombuffer(memory.board.export(), np.uint8)}


def assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], seed: int) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        where = f"PHUSONG_SEED={seed}: {name}"
        assert found[name].dtype == array.dtype, where
        assert found[name].shape == array.shape, where
        assert found[name].tobytes() == array.tobytes(), where


def check_history(folder: Path, seed: int) -> Counter[str]:
    """Go through some lives; return what was done to the caches between them."""
    dice = random.Random(seed)
    done: Counter[str] = Counter()
    data = folder / "0"
    data.mkdir(parents=True)
    for life in range(1, dice.randrange(3, 6)):
        done["written while it ran"] += asyncio.run(live(data, folder / str(life), dice))
        data = folder / str(life)
        done[damage(data, dice)] += 1

    memory = recover(data / "journal")
    state = built(data)
    for cache in CACHES:
        (data / cache).unlink(missing_ok=True)
    alone = recover(data / "journal")
    whole = rebuild_state(data, Horizon(), QuotaSettings(), state.position.sequence)

    assert_same(arrays_of_memory(memory), arrays_of_memory(alone), seed)
    assert memory.judge.table.identities == alone.judge.table.identities
    assert_same(arrays_of_state(state), arrays_of_state(whole), seed)
    assert (state.operators.texts, state.sources.texts) == (
        whole.operators.texts,
        whole.sources.texts,
    )
    assert _answers(state, whole) == _answers(whole, whole), f"PHUSONG_SEED={seed}"
    assert state.quota.take_decisions() == whole.quota.take_decisions()
    return done


@pytest.mark.slow
@pytest.mark.parametrize("number", range(HISTORY_COUNT))
def test_whatever_becomes_of_the_caches_the_state_is_that_of_one_life(
    tmp_path: Path, number: int
) -> None:
    check_history(tmp_path, SEED + number)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_hundreds_of_histories_with_damaged_caches_all_end_in_the_same_state(
    tmp_path: Path,
) -> None:
    done: Counter[str] = Counter()
    for number in range(300):
        folder = tmp_path / str(number)
        done += check_history(folder, SEED + number)
        shutil.rmtree(folder)
    print(f"PHUSONG_SEED={SEED}: 300 histories; memory, snapshot: {dict(done)}")  # noqa: T201 - figures
