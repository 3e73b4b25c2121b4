"""The whole state over a journal: horizons, snapshots, sources, and that received is taken, duplicate or refused."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phusong.collector.journal.writer import JournalWriter, NewFrame
from phusong.kernels.frame import PayloadKind, Route, Transport, encode_envelope_head, encode_route
from phusong.kernels.reject import Reject
from phusong.kernels.route_names import LABEL_OPERATOR_COUNT_MAX
from phusong.v1.enforcement_pb2 import Decision
from phusong.v1.journal_pb2 import FileRow, RegistryEntry
from phusong.v1.telemetry_pb2 import Batch, Rat, SignalReading, UsageReading
from phusong.verifier.journal import JournalDamaged, JournalReader
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import RegistryHistory
from phusong.verifier.replay import advance, build_state
from phusong.verifier.snapshot import NAME, read_snapshot, write_snapshot
from phusong.verifier.state import State, new_state

ROOT = Path(__file__).parents[2]
SITES = (
    b"site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m\n"
    b"A,a,01,283,viettel,centre,21.0,105.8,300\n"
)
TIME_MS = 1_638_320_400_000  # 2021-12-01 08:00 in Vietnam
MINUTE_MS = 60_000
SETTINGS = QuotaSettings()

Payload = tuple[Route, bytes]


def batch_route(source: str = "probe", transport: Transport = Transport.MQTT) -> Route:
    return Route("viettel", source, "", transport, PayloadKind.BATCH)


def registry(name: str, content: bytes) -> Payload:
    route = Route("", "registry", "", Transport.SERVICE, PayloadKind.REGISTRY)
    return route, RegistryEntry(registry=name, file="f", content=content).SerializeToString()


def signal(time_ms: int, **fields: Any) -> SignalReading:
    known = {
        "device_key": 1,
        "observed_time_ms": time_ms,
        "latitude_deg": 21.0,
        "longitude_deg": 105.8,
        "position_accuracy_m": 5,
        "rat": Rat.RAT_LTE,
        "serving_plmn": "45204",
        "rsrp_dbm": -90,
    }
    return SignalReading(**(known | fields))


def usage(time_ms: int, used: int, sim: int = 1) -> UsageReading:
    return UsageReading(
        subscriber_key=sim, session="s", observed_time_ms=time_ms, downlink_bytes=used
    )


def batch(sequence: int, *rows: SignalReading | UsageReading, source: str = "probe") -> Payload:
    message = Batch(boot_epoch=1, sequence=sequence)
    for row in rows:
        if isinstance(row, SignalReading):
            message.signal_readings.append(row)
        else:
            message.usage_readings.append(row)
    return batch_route(source), message.SerializeToString()


def frame_body(payloads: list[Payload]) -> bytes:
    routes = list(dict.fromkeys(route for route, _ in payloads))
    parts = [encode_route(number, route) for number, route in enumerate(routes, 1)]
    for route, payload in payloads:
        parts += [encode_envelope_head(routes.index(route) + 1, len(payload)), payload]
    return b"".join(parts)


def journal(data: Path, *frames: tuple[int, list[Payload]]) -> None:
    with JournalWriter(data / "journal") as writer:
        for time_ms, payloads in frames:
            writer.append([NewFrame(time_ms, frame_body(payloads))])


def state_of(data: Path, horizon: Horizon | None = None) -> State:
    return build_state(data, horizon or Horizon(), SETTINGS)


def raw_count(state: State) -> int:
    return sum(row.counts.raw for row in state.verdicts(TIME_MS + 10**9))


def used_bytes(state: State) -> int:
    return sum(row.used_bytes for row in state.quota.day(18_962).sims)


def arrays(state: State) -> dict[str, np.ndarray]:
    parts = ("coverage", "quota", "windows", "unnumbered", "cells")
    return {f"{p}.{name}": a for p in parts for name, a in getattr(state, p).export().items()}


def assert_equal(left: State, right: State) -> None:
    one, other = arrays(left), arrays(right)
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    assert left.tallies == right.tallies
    assert left.position == right.position


def test_readings_of_a_repeated_batch_count_once(tmp_path: Path) -> None:
    sent = batch(1, signal(TIME_MS), usage(TIME_MS, 50))
    journal(tmp_path, (TIME_MS, [registry("sites", SITES), sent, sent]), (TIME_MS, [sent]))

    state = state_of(tmp_path)

    assert raw_count(state) == 1
    assert used_bytes(state) == 50
    assert sum(state.tallies.duplicate.values()) == 4


def test_the_same_sequence_of_another_source_is_another_batch(tmp_path: Path) -> None:
    rows = [batch(1, signal(TIME_MS), source=source) for source in ("a", "b")]
    journal(tmp_path, (TIME_MS, [registry("sites", SITES), *rows]))

    assert raw_count(state_of(tmp_path)) == 2


def test_a_later_list_of_sites_judges_earlier_readings_too(tmp_path: Path) -> None:
    journal(
        tmp_path,
        (TIME_MS, [batch(1, signal(TIME_MS))]),
        (TIME_MS + MINUTE_MS, [registry("sites", SITES)]),
        (TIME_MS + 2 * MINUTE_MS, [batch(2, signal(TIME_MS + MINUTE_MS))]),
    )

    assert raw_count(state_of(tmp_path)) == 2


def test_what_arrived_after_known_at_is_not_used(tmp_path: Path) -> None:
    journal(
        tmp_path,
        (TIME_MS, [registry("sites", SITES), batch(1, signal(TIME_MS))]),
        (TIME_MS + MINUTE_MS, [batch(2, signal(TIME_MS))]),
    )

    assert raw_count(state_of(tmp_path, Horizon(None, TIME_MS))) == 1
    assert raw_count(state_of(tmp_path, Horizon(None, TIME_MS + MINUTE_MS))) == 2


def test_what_happened_after_as_of_is_not_judged(tmp_path: Path) -> None:
    rows = batch(1, signal(TIME_MS), signal(TIME_MS + 1), usage(TIME_MS + 2, 9))
    journal(tmp_path, (TIME_MS + 9, [registry("sites", SITES), rows]))

    state = state_of(tmp_path, Horizon(TIME_MS, None))

    assert raw_count(state) == 1
    assert used_bytes(state) == 0
    assert state.beyond_count == 2


def test_a_source_is_judged_by_the_register_of_its_day(tmp_path: Path) -> None:
    register = registry("sources", b"source,operator\nother,viettel\n")
    journal(
        tmp_path,
        (TIME_MS, [registry("sites", SITES), batch(1, signal(TIME_MS)), register]),
        (TIME_MS, [batch(2, signal(TIME_MS)), batch(2, signal(TIME_MS), source="other")]),
    )

    state = state_of(tmp_path)

    assert raw_count(state) == 2
    assert state.tallies.refused_by_reason() == {Reject.UNKNOWN_SOURCE: 1}


def test_everything_received_is_taken_duplicate_or_refused(tmp_path: Path) -> None:
    file_row = FileRow(file="x.csv", line=3, reason="NOT_A_NUMBER", kind=2).SerializeToString()
    unreadable = Route("", "a/topic", "", Transport.MQTT, PayloadKind.UNREADABLE)
    file_route = batch_route("f", Transport.IMPORT)._replace(kind=PayloadKind.FILE_ROW)
    journal(
        tmp_path,
        (
            TIME_MS,
            [
                registry("sites", SITES),
                batch(1, signal(TIME_MS), signal(TIME_MS, rsrp_dbm=-200), usage(TIME_MS, 5)),
                batch(1, signal(TIME_MS)),
                (batch_route(), b"\x07"),
                (unreadable, b"hello"),
                (unreadable._replace(source="", kind=PayloadKind.OVERSIZED), b"0"),
                (file_route, file_row),
            ],
        ),
    )

    tallies = state_of(tmp_path).tallies

    received = sum(tallies.received.values())
    outcomes = (tallies.taken, tallies.duplicate, tallies.refused)
    assert received == sum(sum(counts.values()) for counts in outcomes) == 8
    assert tallies.refused_by_reason() == {
        Reject.LEVEL_OUT_OF_RANGE: 1,
        Reject.MALFORMED: 1,
        Reject.BAD_TOPIC: 1,
        Reject.NOT_A_NUMBER: 1,
        Reject.TOO_LARGE: 1,
    }


def test_a_refused_row_is_named_by_envelope_kind_row_and_reason(tmp_path: Path) -> None:
    rows = batch(1, signal(TIME_MS), signal(TIME_MS, device_key=0))
    journal(tmp_path, (TIME_MS, [registry("sites", SITES), rows]))
    frame = next(JournalReader(tmp_path / "journal").frames())

    refusals = new_state(RegistryHistory(), Horizon(), SETTINGS).apply(frame)

    assert [column.tolist() for column in refusals] == [[1], [1], [1], [Reject.KEY_MISSING]]


def test_a_decision_in_the_journal_is_not_taken_again(tmp_path: Path) -> None:
    journal(tmp_path, (TIME_MS, [batch(1, usage(TIME_MS, 4 * 2**30))]))
    taken = state_of(tmp_path).quota.take_decisions()
    assert [record.threshold_percent for record in taken] == [50, 80, 100, 100]
    assert taken[0].operator == "viettel"
    route = Route("viettel", "", "", Transport.SERVICE, PayloadKind.DECISION)
    decided = [
        (route, Decision(position=n, decision_key=record.decision_key).SerializeToString())
        for n, record in enumerate(taken, start=1)
    ]
    journal(tmp_path, (TIME_MS, decided))

    assert state_of(tmp_path).quota.take_decisions() == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("policy", None),
        ("sims", b"subscriber_key,operator,province_code,handover_date\n7,viettel,01,2021-10-01\n"),
    ],
)
def test_what_was_known_is_not_rewritten_by_a_later_registry(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    if content is None:
        text = (ROOT / "verifier/coverage/plan3667-mobile-internet.toml").read_bytes()
        content = text.replace(b"floor_dbm = -121", b"floor_dbm = -80")
    rows = [registry("sites", SITES), batch(1, signal(TIME_MS), usage(TIME_MS, 9))]
    journal(tmp_path, (TIME_MS, rows))
    known = Horizon(None, TIME_MS)
    before = state_of(tmp_path, known)
    journal(tmp_path, (TIME_MS + MINUTE_MS, [registry(name, content)]))

    after = state_of(tmp_path, known)

    assert after.verdicts(TIME_MS) == before.verdicts(TIME_MS)
    assert after.quota.day(18_962) == before.quota.day(18_962)
    assert after.used == before.used
    latest = state_of(tmp_path)
    differs = latest.coverage.policy != before.coverage.policy
    assert differs or latest.quota.day(18_962) != before.quota.day(18_962)


def test_rows_of_a_file_that_held_no_usage_are_none_of_the_quotas(tmp_path: Path) -> None:
    route = batch_route("f", Transport.IMPORT)._replace(kind=PayloadKind.FILE_ROW)
    payloads = [
        (route, FileRow(reason="NOT_A_NUMBER", kind=kind).SerializeToString()) for kind in (1, 2, 3)
    ]
    journal(tmp_path, (TIME_MS, payloads))

    totals = state_of(tmp_path).quota.day(18_962).totals

    assert (totals["received"], totals["rejected"]) == (1, 1)


def test_made_up_operators_do_not_make_counts_of_their_own(tmp_path: Path) -> None:
    unreadable = [
        (Route(f"Operator {n}", "s", "", Transport.GRPC, PayloadKind.UNREADABLE), b"x")
        for n in range(100)
    ]
    named = [
        (batch_route()._replace(operator=f"op{n}"), batch(1, signal(TIME_MS))[1])
        for n in range(100)
    ]
    journal(tmp_path, (TIME_MS, [*unreadable, *named]))

    state = state_of(tmp_path)

    operators = {key.operator for key in state.tallies.received}
    assert len(operators) <= LABEL_OPERATOR_COUNT_MAX + 1
    assert {"", "op0", "other"} <= operators
    assert sum(state.tallies.received.values()) == 200


def random_frames(seed: int) -> list[tuple[int, list[Payload]]]:
    """A history with repeats, disorder, refusals and a late list of sites."""
    rng = random.Random(seed)
    frames: list[tuple[int, list[Payload]]] = []
    for number in range(30):
        payloads = []
        for _ in range(rng.randrange(1, 4)):
            time_ms = TIME_MS + rng.randrange(-600, 600) * MINUTE_MS
            rows = [
                signal(
                    time_ms, device_key=rng.randrange(3), rsrp_dbm=rng.choice([-90, -125, -200])
                ),
                usage(time_ms, rng.randrange(2**31), sim=rng.randrange(1, 4)),
            ]
            payloads.append(batch(rng.randrange(1, 40), *rows, source=rng.choice("ab")))
        if rng.random() < 0.2:
            payloads.append((batch_route(), rng.randbytes(20)))
        if number == rng.randrange(30) or number == 7:
            payloads.append(registry("sites", SITES))
        frames.append((TIME_MS + 700 * MINUTE_MS + number, payloads))
    return frames


@pytest.mark.parametrize("seed", range(5))
def test_a_restart_from_a_snapshot_equals_an_uninterrupted_run(tmp_path: Path, seed: int) -> None:
    frames = random_frames(seed)
    cut = random.Random(seed).randrange(1, len(frames))
    journal(tmp_path, *frames[:cut])
    write_snapshot(tmp_path, state_of(tmp_path))
    journal(tmp_path, *frames[cut:])
    reader = JournalReader(tmp_path / "journal")
    assert read_snapshot(tmp_path, reader, Horizon(), SETTINGS) is not None

    restarted = state_of(tmp_path)
    (tmp_path / "snapshot" / NAME).unlink()

    assert_equal(restarted, state_of(tmp_path))


def test_nobody_else_may_read_the_snapshot(tmp_path: Path) -> None:
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / NAME).with_suffix(".partial").touch(0o644)  # left by a crash
    journal(tmp_path, *random_frames(1))

    write_snapshot(tmp_path, state_of(tmp_path))

    assert (tmp_path / "snapshot" / NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kept", [0, 1, 100, 1000, -1])
def test_a_damaged_snapshot_is_worthless_and_never_wrong(tmp_path: Path, kept: int) -> None:
    journal(tmp_path, *random_frames(1))
    whole = state_of(tmp_path)
    write_snapshot(tmp_path, whole)
    path = tmp_path / "snapshot" / NAME
    content = bytearray(path.read_bytes())
    if kept >= 0:
        del content[kept:]
    else:
        content[len(content) // 2] ^= 1
    path.write_bytes(content)

    assert_equal(state_of(tmp_path), whole)


def test_a_snapshot_proves_that_frames_are_gone(tmp_path: Path) -> None:
    journal(tmp_path / "a", *random_frames(1))
    journal(tmp_path / "b", *random_frames(1)[:20])
    write_snapshot(tmp_path / "a", state_of(tmp_path / "a"))
    (tmp_path / "b" / "snapshot").mkdir()
    (tmp_path / "a" / "snapshot" / NAME).rename(tmp_path / "b" / "snapshot" / NAME)

    with pytest.raises(JournalDamaged, match=r"sequence 30.*ends at 20"):
        state_of(tmp_path / "b")


def test_a_snapshot_does_not_answer_for_a_time_before_its_last_reading(tmp_path: Path) -> None:
    journal(tmp_path, (TIME_MS, [registry("sites", SITES), batch(1, signal(TIME_MS))]))
    write_snapshot(tmp_path, state_of(tmp_path))
    reader = JournalReader(tmp_path / "journal")

    assert read_snapshot(tmp_path, reader, Horizon(TIME_MS - 1, None), SETTINGS) is None
    assert read_snapshot(tmp_path, reader, Horizon(None, TIME_MS - 1), SETTINGS) is None
    assert read_snapshot(tmp_path, reader, Horizon(TIME_MS, TIME_MS), SETTINGS) is not None


def test_following_frame_by_frame_equals_building_at_once(tmp_path: Path) -> None:
    frames = random_frames(3)
    sites = registry("sites", SITES)
    journal(tmp_path, (0, [sites]))
    followed = state_of(tmp_path)
    for frame in frames:
        journal(tmp_path, frame)
        followed = advance(followed, tmp_path, None)

    assert_equal(followed, state_of(tmp_path))
