"""Who may send what: receipts, acknowledgements and what is remembered over a restart."""

import hashlib
import threading
from collections import Counter

import pytest
from batches import TIME_MS, usage_payload
from mqtt5 import PubAckPacket, PubAckReasonCode
from mqtt_peer import Peer, publish

import phusong.collector.routes as routes_module
from phusong.collector.doors import open_intake
from phusong.collector.journal.reader import read_frames
from phusong.collector.memory import CACHE_NAME
from phusong.collector.mqtt.answers import puback
from phusong.collector.routes import RouteTable
from phusong.collector.topics import route_of_names
from phusong.kernels.admission import refusal_of
from phusong.kernels.frame import PayloadKind, Route, Transport, decode_frame
from phusong.kernels.grants import Grant
from phusong.kernels.registers import SourceRegister
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.route_names import LABEL_OPERATOR_COUNT_MAX
from phusong.v1.ingest_pb2 import RowKind
from phusong.v1.journal_pb2 import RegistryEntry
from phusong.v1.telemetry_pb2 import Batch, CellReport, SignalReading

REGISTRY_ROUTE = Route("", "registry", "", Transport.SERVICE, PayloadKind.REGISTRY)
HASH = hashlib.sha256(b"token").hexdigest()
REGISTER = f"""source,operator,token_sha256,topics,row_kinds,sites,subscriber_first,subscriber_last
pgw-1,viettel,{HASH},,usage cells,HN-1,1000,1001
gateway,viettel,,phusong/v1/viettel/+/batch,,,,
pgw-1,mobifone,,,,,,
"""


def register(content=REGISTER):
    entry = RegistryEntry(registry="sources", file="sources.csv", content=content.encode())
    return entry.SerializeToString()


def sent(source="pgw-1", principal="viettel/pgw-1", operator="viettel", transport=Transport.GRPC):
    return route_of_names(operator, source, transport, principal=principal)


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        (sent(operator="mobifone"), "OPERATOR_FORBIDDEN"),
        (sent("gateway"), "TOPIC_FORBIDDEN"),
        (sent("stranger", "viettel/gateway"), "UNKNOWN_SOURCE"),
        (sent(principal="viettel/gone"), "CREDENTIAL_UNKNOWN"),
        (sent(principal=""), "CREDENTIAL_MISSING"),
    ],
)
async def test_what_a_sender_may_not_send_is_kept_and_refused_as_a_whole(tmp_path, route, reason):
    async with open_intake(tmp_path) as opened:
        await opened.intake.submit(REGISTRY_ROUTE, register())
        receipt = await opened.intake.submit(route, usage_payload(1, rows=2))
        counts = opened.intake.counts

    assert (receipt.accepted_count, receipt.refused_count) == (0, 1)
    assert receipt.refused[0].kind == RowKind.ROW_KIND_UNSPECIFIED
    assert receipt.refused[0].reason == reason
    assert receipt.journal_sequence == 2
    assert counts.refused == {((Transport.GRPC, route.operator), reason): 1}


async def test_what_was_refused_counts_when_it_is_sent_with_the_credential(tmp_path):
    async with open_intake(tmp_path) as opened:
        await opened.intake.submit(REGISTRY_ROUTE, register())
        await opened.intake.submit(sent(principal=""), usage_payload(1))
        taken = await opened.intake.submit(sent(), usage_payload(1))
        again = await opened.intake.submit(sent(principal="viettel/gateway"), usage_payload(1))

    assert (taken.accepted_count, taken.duplicate_count) == (1, 0)
    # A source's sequences are its own, whoever brings them.
    assert (again.accepted_count, again.duplicate_count) == (0, 1)


async def test_rows_without_a_number_count_too_when_they_are_sent_with_the_credential(tmp_path):
    batch = Batch(cell_reports=[cell_report("HN-1")]).SerializeToString()
    async with open_intake(tmp_path, clock_ms=lambda: TIME_MS) as opened:
        await opened.intake.submit(REGISTRY_ROUTE, register())
        await opened.intake.submit(sent(principal=""), batch)
        taken = await opened.intake.submit(sent(), batch)
        again = await opened.intake.submit(sent(), batch)

    assert (taken.accepted_count, taken.duplicate_count) == (1, 0)
    assert (again.accepted_count, again.duplicate_count) == (0, 1)


def cell_report(site):
    return CellReport(
        plmn="45204",
        cell_identity=1,
        rat=3,
        observed_time_ms=TIME_MS,
        on_air=True,
        site_code=site,
    )


async def test_rows_beyond_the_bounds_are_named_and_the_others_taken(tmp_path):
    batch = Batch(sequence=1)
    batch.MergeFromString(usage_payload(1, rows=3))  # keys 1000, 1001, 1002
    batch.signal_readings.append(SignalReading(device_key=1, observed_time_ms=TIME_MS))
    for site in ("HN-1", "HN-2"):
        batch.cell_reports.append(cell_report(site))
    batch.signal_readings[0].rat = 3
    batch.signal_readings[0].service_state = 2
    batch.signal_readings[0].latitude_deg = batch.signal_readings[0].longitude_deg = 20.0
    async with open_intake(tmp_path) as opened:
        await opened.intake.submit(REGISTRY_ROUTE, register())
        receipt = await opened.intake.submit(sent(), batch.SerializeToString())

    assert (receipt.accepted_count, receipt.refused_count) == (3, 3)
    assert [(row.kind, row.row, row.reason) for row in receipt.refused] == [
        (RowKind.ROW_KIND_SIGNAL, 0, "ROW_KIND_FORBIDDEN"),
        (RowKind.ROW_KIND_USAGE, 2, "SUBSCRIBER_FORBIDDEN"),
        (RowKind.ROW_KIND_CELL, 1, "SITE_FORBIDDEN"),
    ]


@pytest.mark.parametrize("has_cache", [True, False])
async def test_after_a_restart_the_same_may_send_the_same(tmp_path, has_cache):
    async with open_intake(tmp_path) as opened:
        await opened.intake.submit(REGISTRY_ROUTE, register())
        before = opened.intake.table.register
    if not has_cache:
        (tmp_path / "journal" / CACHE_NAME).unlink()

    async with open_intake(tmp_path) as opened:
        after = opened.intake.table.register
        forbidden = await opened.intake.submit(sent(operator="mobifone"), usage_payload(1))
        bounded = await opened.intake.submit(sent(), usage_payload(1, rows=3))

    assert after.grants == before.grants
    assert after.of_token("token").principal == "viettel/pgw-1"
    assert forbidden.refused[0].reason == "OPERATOR_FORBIDDEN"
    assert [row.reason for row in bounded.refused] == ["SUBSCRIBER_FORBIDDEN"]


async def test_the_sequences_of_a_source_are_remembered_once_it_may_send(tmp_path):
    async with open_intake(tmp_path) as opened:
        await opened.intake.submit(REGISTRY_ROUTE, register("source,operator\nother,viettel\n"))
        made_up = [sent(f"made-up-{number}", "") for number in range(50)]
        for route in [*made_up, sent()]:
            await opened.intake.submit(route, usage_payload(1))
        assert opened.intake.table.identities == [("", "registry")]

        await opened.intake.submit(REGISTRY_ROUTE, register())
        taken = await opened.intake.submit(sent(), usage_payload(1))
        again = await opened.intake.submit(sent(), usage_payload(1))
        assert opened.intake.table.identities == [("", "registry"), ("viettel", "pgw-1")]

    assert (taken.accepted_count, again.duplicate_count) == (1, 1)


async def test_made_up_operators_do_not_take_the_counts_of_real_ones(tmp_path):
    async with open_intake(tmp_path) as opened:
        await opened.intake.submit(REGISTRY_ROUTE, register())
        for number in range(2 * LABEL_OPERATOR_COUNT_MAX):
            await opened.intake.submit(sent(operator=f"made-up-{number}"), usage_payload(1))
        await opened.intake.submit(sent(principal="", operator="mobifone"), usage_payload(1))
        counts = opened.intake.counts

    assert counts.refused == {
        ((Transport.GRPC, ""), "OPERATOR_FORBIDDEN"): 2 * LABEL_OPERATOR_COUNT_MAX
    }
    assert counts.origins[Transport.GRPC, "mobifone"].accepted_row_count == 1


async def test_a_register_is_told_to_whoever_asked(tmp_path):
    told = []
    async with open_intake(tmp_path) as opened:
        opened.intake.table.call_on_register(told.append)
        await opened.intake.submit(REGISTRY_ROUTE, register())

        assert [found.grants for found in told] == [opened.intake.table.register.grants]


def test_a_route_met_while_a_register_is_admitted_is_judged_by_it(monkeypatch):
    table = RouteTable()
    other = SourceRegister((Grant("viettel", "other"),))
    admitting = threading.Thread(target=table.admit, args=(other,))

    def refusal_met_by_a_register(route, register):
        refusal = refusal_of(route, register)
        if register is None:
            admitting.start()
            admitting.join(0.2)  # without a lock it is through by now, and has not seen the route
        return refusal

    monkeypatch.setattr(routes_module, "refusal_of", refusal_met_by_a_register)
    number = table.number(sent(principal=""))
    admitting.join()

    assert table.reject[number] == Reject.UNKNOWN_SOURCE


@pytest.mark.parametrize(
    "reject",
    [
        Reject.OPERATOR_FORBIDDEN,
        Reject.TOPIC_FORBIDDEN,
        Reject.CREDENTIAL_MISSING,
        Reject.CREDENTIAL_UNKNOWN,
        Reject.UNKNOWN_SOURCE,
    ],
)
def test_mqtt_says_not_authorized_and_why(reject):
    answer = puback(7, reject, with_reason=True, packet_max_bytes=None)

    assert answer == (
        PubAckPacket(7, reason_code=PubAckReasonCode.NOT_AUTHORIZED, reason_str=reject.name).write()
    )
    assert answer[4] == 0x87


async def test_an_mqtt_client_hears_that_a_credential_is_missing(doors):
    peer = await Peer.connected(doors.mqtt_port)
    await doors.intake.submit(REGISTRY_ROUTE, register())

    peer.send(publish("phusong/v1/viettel/pgw-1/batch", usage_payload(1), 9))
    answer = await peer.packet()
    peer.send(publish("phusong/v1/mobifone/pgw-1/batch", usage_payload(1), 10))
    taken = await peer.packet()

    assert (answer.packet_id, answer.reason_code) == (9, PubAckReasonCode.NOT_AUTHORIZED)
    assert answer.reason_str == "CREDENTIAL_MISSING"
    assert taken.reason_code == PubAckReasonCode.SUCCESS
    peer.close()


async def test_names_without_end_leave_a_bounded_memory_and_are_kept_and_refused(
    doors, tmp_path, monkeypatch
):
    monkeypatch.setattr(routes_module, "REFUSED_ROUTE_COUNT_MAX", 5)
    await doors.intake.submit(REGISTRY_ROUTE, register("source,operator\npgw-1,viettel\n"))
    before = len(doors.intake.table.routes)
    peer = await Peer.connected(doors.mqtt_port)

    reasons = []
    for number in range(1, 21):
        peer.send(publish(f"phusong/v1/viettel/made-up-{number}/batch", usage_payload(1), number))
        reasons.append((await peer.packet()).reason_str)
    peer.send(publish("a" * 300 + "b", b"x", 30), publish("a" * 300 + "c", b"x", 31))
    await peer.packet()
    await peer.packet()

    assert reasons == ["UNKNOWN_SOURCE"] * 5 + ["BAD_TOPIC"] * 15
    assert len(doors.intake.table.routes) == before + 6
    # Who recomputes it from the journal finds the same reasons.
    found = Counter(
        refusal_of(route, doors.intake.table.register) for route in journalled(tmp_path)
    )
    assert found == {TAKEN: 1, Reject.UNKNOWN_SOURCE: 5, Reject.BAD_TOPIC: 17}
    # A name that a newer register knows is used again, whatever came under it before.
    await doors.intake.submit(REGISTRY_ROUTE, register("source,operator\nmade-up-20,viettel\n"))
    peer.send(publish("phusong/v1/viettel/made-up-20/batch", usage_payload(1), 40))
    assert (await peer.packet()).reason_code == PubAckReasonCode.SUCCESS
    peer.close()


def journalled(data):
    """Return the route of every payload in the journal."""
    frames = [decode_frame(stored.body) for stored in read_frames(data / "journal")]
    return [frame.routes[int(number)] for frame in frames for number in frame.route]
