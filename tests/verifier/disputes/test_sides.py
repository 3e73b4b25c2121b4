from typing import Any, NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st
from signal_frames import SITES, TIME_MS, reading

from phusong.kernels.frame import (
    CHAIN_START,
    PayloadKind,
    Route,
    Transport,
    chain_hash,
    encode_envelope_head,
    encode_route,
)
from phusong.v1.telemetry_pb2 import Batch
from phusong.verifier.coverage.records import SiteVerdict
from phusong.verifier.disputes.records import Selection
from phusong.verifier.disputes.sides import Evidence, judge_sides
from phusong.verifier.journal import StoredFrame
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import RegistryHistory, Version
from phusong.verifier.state import new_state

ROUTES = [("viettel", "probe"), ("viettel", "village"), ("mobifone", "probe")]
AS_OF_MS = TIME_MS + 10**9
KEY_HIGH = 2**64 - 3  # negative as columns hold it


class Walked(NamedTuple):
    """A reading: in which frame, by which route, and what varies of it."""

    frame: int
    route: int
    device_key: int
    minute: int
    place: int
    rsrp_dbm: int


walks = st.lists(
    st.builds(
        Walked,
        st.integers(1, 3),
        st.integers(0, 2),
        st.sampled_from((1, 2, KEY_HIGH)),
        st.integers(0, 300),
        st.integers(0, 8),
        st.sampled_from((-90, -130)),
    ),
    max_size=40,
)
selections = st.builds(
    Selection,
    operator=st.sampled_from(("", "viettel", "mobifone")),
    source=st.sampled_from(("", "probe", "village")),
    device_key=st.sampled_from((0, 1, KEY_HIGH)),
    from_time_ms=st.sampled_from((0, TIME_MS + 60 * 60_000)),
    until_time_ms=st.sampled_from((0, TIME_MS + 120 * 60_000)),
    boot_epoch=st.sampled_from((0, 1, 2)),
)


def is_named(walked: Walked, evidence: Evidence) -> bool:
    """Tell by words whether a side named a reading."""
    operator, source = ROUTES[walked.route]
    time_ms = TIME_MS + walked.minute * 60_000
    return walked.frame < evidence.before_sequence and any(
        one.operator in ("", operator)
        and one.source in ("", source)
        and one.device_key in (0, walked.device_key)
        and time_ms >= one.from_time_ms
        and (one.until_time_ms == 0 or time_ms <= one.until_time_ms)
        and one.boot_epoch in (0, 1 + walked.route)
        for one in evidence.selections
    )


def frames_of(walked: list[Walked]) -> list[StoredFrame]:
    frames = []
    for sequence in (1, 2, 3):
        body = b"".join(
            encode_route(n + 1, Route(*names, "", Transport.IMPORT, PayloadKind.BATCH))
            for n, names in enumerate(ROUTES)
        )
        for number in range(len(ROUTES)):
            rows = [row_of(w) for w in walked if (w.frame, w.route) == (sequence, number)]
            batch = Batch(boot_epoch=1 + number, sequence=sequence, signal_readings=rows)
            payload = batch.SerializeToString() if rows else b""
            if rows:
                body += encode_envelope_head(number + 1, len(payload)) + payload
        chain = chain_hash(CHAIN_START, sequence, AS_OF_MS, body)
        frames.append(StoredFrame(sequence, AS_OF_MS, body, chain))
    return frames


def row_of(walked: Walked) -> Any:
    return reading(
        device_key=walked.device_key,
        observed_time_ms=TIME_MS + walked.minute * 60_000,
        latitude_deg=21.0 + (walked.place % 3 - 1) * 50 / 111_195,
        longitude_deg=105.8 + (walked.place // 3 - 1) * 53e-5,
        rsrp_dbm=walked.rsrp_dbm,
    )


def history() -> RegistryHistory:
    return RegistryHistory({"sites": [Version(0, 0, "sites.csv", SITES)]})


def verdicts_of(walked: list[Walked]) -> list[SiteVerdict]:
    """Return the verdicts on a journal that holds these readings and no others."""
    state = new_state(history(), Horizon(), QuotaSettings())
    for frame in frames_of(walked):
        state.apply(frame)
    return state.verdicts(AS_OF_MS)


@settings(max_examples=12, deadline=None)
@example(
    [Walked(1, 0, KEY_HIGH, 0, 4, -90), Walked(2, 0, 1, 0, 4, -90)],
    [Selection(device_key=KEY_HIGH)],
    [Selection(source="probe")],
    2,
)
@given(walks, st.lists(selections, max_size=2), st.lists(selections, max_size=2), st.integers(1, 4))
def test_each_side_is_judged_as_if_nothing_else_had_been_measured(
    walked: list[Walked], filer: list[Selection], other: list[Selection], before: int
) -> None:
    sides = (Evidence(tuple(filer), before), Evidence(tuple(other), 4))

    judged = judge_sides(iter(frames_of(walked)), history(), Horizon(), sides, AS_OF_MS)

    assert judged.whole == verdicts_of(walked)
    for evidence, rows in zip(sides, judged.sides, strict=True):
        assert rows == verdicts_of([w for w in walked if is_named(w, evidence)])
