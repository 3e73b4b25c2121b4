"""What a receipt says of who may send what, an auditor finds in the journal alone: on random registers and senders."""

import hashlib
from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phusong.collector.judge import Envelopes, Judge, Judgement
from phusong.collector.routes import RouteTable
from phusong.kernels.frame import (
    CHAIN_START,
    PayloadKind,
    Route,
    Transport,
    chain_hash,
    decode_frame,
    encode_envelope_head,
    encode_route,
)
from phusong.kernels.reject import Reject
from phusong.kernels.unnumbered import UnnumberedRows
from phusong.kernels.windows import SequenceWindows
from phusong.v1.journal_pb2 import RegistryEntry
from phusong.v1.telemetry_pb2 import Batch, CellReport, Rat, SignalReading, UsageReading
from phusong.verifier.journal import StoredFrame
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import RegistryHistory
from phusong.verifier.state import new_state
from phusong.verifier.tallies import Refusals

pytestmark = pytest.mark.slow

TIME_MS = 1_638_324_000_000
# What only the verifier can know: it has the list of sites (here an empty one) and what came before.
OF_THE_VERIFIER = {Reject.SITE_UNKNOWN, Reject.COUNTER_WENT_BACK}
OPERATORS, SOURCES = ["viettel", "mobifone"], ["a", "b", "gateway"]
REGISTRY_ROUTE = Route("", "registry", "", Transport.SERVICE, PayloadKind.REGISTRY)

Payload = tuple[Route, bytes]


class Said(NamedTuple):
    """What one side says of a frame: every refusal (envelope, kind, row, reason), and how many rows came again."""

    refusals: set[tuple[int, int, int, int]]
    duplicate_count: int


names = st.tuples(st.sampled_from(OPERATORS), st.sampled_from(SOURCES))
filters = st.sampled_from(["phusong/v1/{}/#", "phusong/v1/{}/+/batch", "phusong/v1/{}/b/batch/#"])
HEADER = "source,operator,token_sha256,topics,row_kinds,sites,subscriber_first"


@st.composite
def registries(draw: st.DrawFn) -> Payload:
    """A register of most sources, each with a credential and bounds or without."""
    lines = [HEADER]
    for operator in OPERATORS:
        for source in SOURCES:
            token = hashlib.sha256(f"{operator}/{source}".encode()).hexdigest()
            fields = (
                source,
                operator,
                draw(st.sampled_from(["", token])),
                draw(st.just("") | filters).format(operator),
                draw(st.sampled_from(["", "", "usage", "signal cells", "signal usage cells"])),
                draw(st.sampled_from(["", "HN-1", "HN-1 HN-2"])),
                draw(st.sampled_from(["", "2", "0x8000000000000000"])),
            )
            if draw(st.integers(0, 4)):
                lines.append(",".join(fields))
    return registry_payload("\n".join(lines).encode())


def registry_payload(content: bytes) -> Payload:
    entry = RegistryEntry(registry="sources", file="sources.csv", content=content)
    return REGISTRY_ROUTE, entry.SerializeToString()


principals = st.sampled_from(["", "viettel/a", "viettel/gateway", "mobifone/b", "viettel/gone"])
transports = st.sampled_from(
    [Transport.MQTT, Transport.MQTT_BROKER, Transport.GRPC, Transport.IMPORT]
)


@st.composite
def routes(draw: st.DrawFn) -> Route:
    operator, source = draw(names)
    own = f"{operator}/{source}"
    principal = draw(st.just(own) | st.just(own) | principals)
    return Route(operator, source, principal, draw(transports), PayloadKind.BATCH)


usage_rows = st.builds(
    lambda key: UsageReading(
        subscriber_key=key, session="s", observed_time_ms=TIME_MS, downlink_bytes=1
    ),
    st.sampled_from([0, 1, 2, 2**63 - 1, 2**63, 2**64 - 1]),
)
signal_rows = st.builds(
    lambda level: SignalReading(
        device_key=1,
        observed_time_ms=TIME_MS,
        latitude_deg=21.0,
        longitude_deg=105.8,
        position_accuracy_m=5,
        rat=Rat.RAT_LTE,
        serving_plmn="45204",
        rsrp_dbm=level,
    ),
    st.sampled_from([-90.0, -200.0]),
)
cell_rows = st.builds(
    lambda site: CellReport(
        plmn="45204",
        cell_identity=1,
        rat=Rat.RAT_LTE,
        site_code=site,
        observed_time_ms=TIME_MS,
        on_air=True,
    ),
    st.sampled_from(["", "HN-1", "HN-2", "HN-3"]),
)


@st.composite
def batches(draw: st.DrawFn) -> Payload:
    route = draw(routes())
    batch = Batch(
        source=draw(st.sampled_from(["", route.source, route.source, "b"])),
        boot_epoch=1,
        sequence=draw(st.integers(0, 3)),
        signal_readings=draw(st.lists(signal_rows, max_size=2)),
        usage_readings=draw(st.lists(usage_rows, max_size=2)),
        cell_reports=draw(st.lists(cell_rows, max_size=2)),
    )
    payload = batch.SerializeToString()
    return route, payload if draw(st.integers(0, 9)) else payload[:-1]


frames_of_any = st.lists(batches() | batches() | batches() | registries(), min_size=1, max_size=6)
journals = st.builds(
    lambda register, frames: [[register], *frames],
    registries(),
    st.lists(frames_of_any, min_size=1, max_size=4),
)


def frame_body(payloads: list[Payload]) -> bytes:
    routes = list(dict.fromkeys(route for route, _ in payloads))
    parts = [encode_route(number, route) for number, route in enumerate(routes, 1)]
    for route, payload in payloads:
        parts += [encode_envelope_head(routes.index(route) + 1, len(payload)), payload]
    return b"".join(parts)


def said_by_the_collector(bodies: list[bytes]) -> list[Said]:
    judge = Judge(RouteTable(), SequenceWindows(), UnnumberedRows())
    found = []
    for body in bodies:
        frame = decode_frame(body)
        numbers = {number: judge.table.number(route) for number, route in frame.routes.items()}
        route = np.array([numbers[number] for number in frame.route.tolist()], np.int64)
        envelopes = Envelopes(body, route, frame.offset, frame.length)
        found.append(said_of(judge.judge(envelopes, TIME_MS)))
    return found


def said_of(judgement: Judgement) -> Said:
    rejected = np.flatnonzero(judgement.reject)
    refusals = {(int(i), 0, 0, int(judgement.reject[i])) for i in rejected}
    rows = zip(*(column.tolist() for column in judgement.refused), strict=True)
    return Said(refusals | set(rows), int(judgement.repeated_count.sum()))


def said_by_the_verifier(bodies: list[bytes]) -> list[Said]:
    state = new_state(RegistryHistory(), Horizon(), QuotaSettings())
    found = []
    chain = CHAIN_START
    duplicate_count = 0
    for sequence, body in enumerate(bodies, 1):
        chain = chain_hash(chain, sequence, TIME_MS, body)
        refusals = refusals_of(state.apply(StoredFrame(sequence, TIME_MS, body, chain)))
        before, duplicate_count = duplicate_count, sum(state.tallies.duplicate.values())
        found.append(Said(refusals, duplicate_count - before))
    counted = Counter(reason for said in found for _, _, _, reason in said.refusals)
    assert state.tallies.refused_by_reason() == counted
    return [
        said._replace(refusals={row for row in said.refusals if row[3] not in OF_THE_VERIFIER})
        for said in found
    ]


def refusals_of(refusals: Refusals) -> set[tuple[int, int, int, int]]:
    rows = list(zip(*(column.tolist() for column in refusals), strict=True))
    assert len(set(rows)) == len(rows), "nothing is refused twice"
    return set(rows)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(journals)
def test_receipts_and_the_verifier_refuse_the_same_for_the_same_reasons(
    frames: list[list[Payload]],
) -> None:
    bodies = [frame_body(payloads) for payloads in frames]

    assert said_by_the_collector(bodies) == said_by_the_verifier(bodies)


def test_of_three_registers_in_one_frame_the_last_holds() -> None:
    one, other = (b"source,operator\n" + name + b",viettel\n" for name in (b"a", b"b"))
    rows = Batch(signal_readings=[SignalReading(device_key=1)]).SerializeToString()
    route = Route("viettel", "a", "", Transport.GRPC, PayloadKind.BATCH)
    frames = [[registry_payload(content) for content in (one, other, one)], [(route, rows)]]
    bodies = [frame_body(payloads) for payloads in frames]

    collector, verifier = said_by_the_collector(bodies), said_by_the_verifier(bodies)

    assert collector == verifier
    assert Reject.UNKNOWN_SOURCE not in {reason for _, _, _, reason in verifier[1].refusals}
