"""Sources that do not number their batches: receipts and verifier agree on every row, whatever stops in between."""

import random
from collections import Counter

import pytest
from google.protobuf import json_format

from phusong.collector.doors import open_intake
from phusong.collector.memory import CACHE_NAME
from phusong.collector.topics import route_of_names
from phusong.kernels.clock import BEHIND_MAX_MS
from phusong.kernels.days import DAY_MS
from phusong.kernels.frame import PayloadKind, Transport
from phusong.kernels.reject import Reject
from phusong.kernels.row_identity import RowIdentities
from phusong.v1.telemetry_pb2 import Batch, CellReport, Rat, ServiceState, SignalReading
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.replay import build_state
from phusong.verifier.snapshot import NAME, write_snapshot

START_MS = 1_638_320_400_000
SOURCES = ("probe-1", "probe-2")
SETTINGS = QuotaSettings()
# How many rows are remembered, in all and of one source.
ROOMY, TIGHT = (1 << 21, 1 << 18), (40, 30)


def signal(observed_time_ms: int, device: int = 1) -> SignalReading:
    return SignalReading(
        device_key=device,
        observed_time_ms=observed_time_ms,
        latitude_deg=21.0,
        longitude_deg=105.8,
        service_state=ServiceState.SERVICE_STATE_NO_SERVICE,
    )


def cell(observed_time_ms: int, load: int) -> CellReport:
    return CellReport(
        plmn="45204",
        cell_identity=7,
        rat=Rat.RAT_LTE,
        observed_time_ms=observed_time_ms,
        load_permille=load,
        rsrp_histogram_count=[load, 1],
    )


def random_batch(rng: random.Random, now_ms: int) -> Batch:
    """Return a batch of rows that come again often, some old, some impossible, some numbered."""
    batch = Batch(sequence=rng.choice([0, 0, 0, rng.randrange(1, 20)]), boot_epoch=rng.randrange(2))
    for _ in range(rng.randrange(1, 4)):
        hour_ms = 3_600_000
        observed_ms = (now_ms // hour_ms - rng.randrange(240)) * hour_ms
        delay_ms = rng.choice([None, now_ms - observed_ms])
        row = signal(observed_ms, device=rng.randrange(1, 4))
        if delay_ms is not None:
            row.reporting_delay_ms = delay_ms
        batch.signal_readings.append(row)
        if rng.random() < 0.5:
            batch.cell_reports.append(cell(observed_ms, rng.randrange(2)))
    return batch


async def send_all(data, batches, cut_at, rng):
    """Send batches with restarts in between; return the sums of their receipts."""
    sums: Counter[str] = Counter()
    for start, stop in zip([0, *cut_at], [*cut_at, len(batches)], strict=True):
        part = batches[start:stop]
        clock = [part[0][0]]
        async with open_intake(data, clock_ms=lambda: clock[0]) as opened:  # noqa: B023 - used within the turn
            for now_ms, source, batch in part:
                clock[0] = now_ms
                route = route_of_names("viettel", source, Transport.MQTT)
                receipt = await opened.intake.submit(route, batch.SerializeToString())
                sums["accepted"] += receipt.accepted_count
                sums["duplicate"] += receipt.duplicate_count
                sums["needed"] += sum(r.reason == "SEQUENCE_NEEDED" for r in receipt.refused)
        if rng.random() < 0.5:
            (data / "journal" / CACHE_NAME).unlink()
    return sums


@pytest.mark.parametrize(("seed", "limits"), [(0, ROOMY), (1, ROOMY), (2, TIGHT), (3, TIGHT)])
async def test_receipts_and_verifier_agree_whatever_stops_in_between(
    tmp_path, monkeypatch, seed, limits
):
    monkeypatch.setattr(RowIdentities.__init__, "__defaults__", (*limits, 1))
    rng = random.Random(seed)
    now_ms, batches = START_MS, []
    for _ in range(120):
        now_ms += rng.randrange(4 * 3_600_000)
        batches.append((now_ms, rng.choice(SOURCES), random_batch(rng, now_ms)))
    cut_at = sorted(rng.sample(range(1, len(batches)), 3))

    sums = await send_all(tmp_path, batches, cut_at, rng)
    state = build_state(tmp_path, Horizon(), SETTINGS)

    assert min(sums["duplicate"], sums["needed"]) > 5
    assert sum(state.tallies.duplicate.values()) == sums["duplicate"]
    refused = state.tallies.refused_by_reason()
    assert refused[Reject.SEQUENCE_NEEDED] == sums["needed"]
    # The verifier alone refuses rows for their clock.
    taken = sum(state.tallies.taken.values())
    assert taken == sums["accepted"] - refused[Reject.CLOCK_FAR]
    assert taken == _rows_that_count(batches) or limits == TIGHT


def _rows_that_count(batches) -> int:
    """Return how many rows there are that may count, each once, by remembering all of them."""
    seen, numbers, count = set(), set(), 0
    for now_ms, source, batch in batches:
        number = (source, batch.boot_epoch, batch.sequence)
        if batch.sequence and number in numbers:
            continue
        numbers.add(number)
        for row in [*batch.signal_readings, *batch.cell_reports]:
            delay_ms = row.reporting_delay_ms if row.HasField("reporting_delay_ms") else 0
            if row.observed_time_ms < now_ms - delay_ms - BEHIND_MAX_MS:
                continue
            if batch.sequence:
                count += 1
                continue
            said = type(row)()
            said.CopyFrom(row)
            said.ClearField("reporting_delay_ms")
            identity = (source, type(row), said.SerializeToString(deterministic=True))
            if row.observed_time_ms >= now_ms - BEHIND_MAX_MS and identity not in seen:
                seen.add(identity)
                count += 1
    return count


async def test_json_and_protobuf_of_one_reading_are_one_reading(tmp_path):
    batch = Batch(signal_readings=[signal(START_MS)], cell_reports=[cell(START_MS, 3)])
    route = route_of_names("viettel", "probe-1", Transport.MQTT)
    text = json_format.MessageToJson(batch).encode()
    async with open_intake(tmp_path, clock_ms=lambda: START_MS) as opened:
        await opened.intake.submit(route, batch.SerializeToString())
        again = await opened.intake.submit(route._replace(kind=PayloadKind.BATCH_JSON), text)

    assert (again.accepted_count, again.duplicate_count) == (0, 2)


async def test_a_receipt_names_what_is_new_what_came_before_and_what_is_refused(tmp_path):
    route = route_of_names("viettel", "probe-1", Transport.GRPC)
    first = Batch(signal_readings=[signal(START_MS)])
    held = signal(START_MS - 9 * DAY_MS)
    held.reporting_delay_ms = 9 * DAY_MS
    second = Batch(signal_readings=[signal(START_MS), held, signal(START_MS + 1)])
    async with open_intake(tmp_path, clock_ms=lambda: START_MS) as opened:
        await opened.intake.submit(route, first.SerializeToString())
        receipt = await opened.intake.submit(route, second.SerializeToString())
        counts = next(iter(opened.intake.counts.origins.values()))

    assert (receipt.accepted_count, receipt.duplicate_count, receipt.refused_count) == (1, 1, 1)
    assert [(row.row, row.reason) for row in receipt.refused] == [(1, "SEQUENCE_NEEDED")]
    assert (counts.accepted_row_count, counts.duplicate_row_count) == (2, 1)


async def test_as_of_a_date_the_same_rows_are_repeats(tmp_path):
    route = route_of_names("viettel", "probe-1", Transport.MQTT)
    rows = [signal(START_MS), signal(START_MS + 60_000), signal(START_MS)]
    async with open_intake(tmp_path, clock_ms=lambda: START_MS + 60_000) as opened:
        for row in rows:
            await opened.intake.submit(route, Batch(signal_readings=[row]).SerializeToString())

    state = build_state(tmp_path, Horizon(START_MS, None), SETTINGS)

    assert sum(state.tallies.taken.values()) == 1
    assert sum(state.tallies.duplicate.values()) == 1
    assert state.unnumbered.signal.count == 2


async def test_a_snapshot_remembers_rows_that_nobody_numbered(tmp_path):
    route = route_of_names("viettel", "probe-1", Transport.MQTT)
    payload = Batch(signal_readings=[signal(START_MS)]).SerializeToString()
    async with open_intake(tmp_path, clock_ms=lambda: START_MS) as opened:
        await opened.intake.submit(route, payload)
        write_snapshot(tmp_path, build_state(tmp_path, Horizon(), SETTINGS))
        await opened.intake.submit(route, payload)

    from_snapshot = build_state(tmp_path, Horizon(), SETTINGS)
    (tmp_path / "snapshot" / NAME).unlink()

    assert sum(from_snapshot.tallies.duplicate.values()) == 1
    assert from_snapshot.tallies == build_state(tmp_path, Horizon(), SETTINGS).tallies
