"""Who sent it decides whether it counts: from the journal alone, with the quota's sums and every restart agreeing."""

import hashlib
from pathlib import Path

import pytest

from phusong.collector.journal.writer import JournalWriter, NewFrame
from phusong.kernels.frame import PayloadKind, Route, Transport, encode_envelope_head, encode_route
from phusong.kernels.reject import reason_name
from phusong.kernels.route_names import LABEL_OPERATOR_COUNT_MAX
from phusong.v1.journal_pb2 import RegistryEntry
from phusong.v1.telemetry_pb2 import Batch, UsageReading
from phusong.verifier.journal import JournalReader
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.replay import build_state
from phusong.verifier.snapshot import read_snapshot, write_snapshot
from phusong.verifier.state import State

TIME_MS = 1_638_320_400_000  # 2021-12-01 08:00 in Vietnam
DAY = 18_962
HASH = hashlib.sha256(b"token").hexdigest()
OPEN = b"source,operator\na,viettel\n"
BOUND = f"""source,operator,token_sha256,row_kinds,subscriber_last
a,viettel,{HASH},usage,1
a,mobifone,,,
""".encode()

Payload = tuple[Route, bytes]


def registry(content: bytes) -> Payload:
    route = Route("", "registry", "", Transport.SERVICE, PayloadKind.REGISTRY)
    entry = RegistryEntry(registry="sources", file="f", content=content)
    return route, entry.SerializeToString()


def usage(sequence: int, *subscribers: int, principal: str, operator: str = "viettel") -> Payload:
    route = Route(operator, "a", principal, Transport.MQTT, PayloadKind.BATCH)
    batch = Batch(boot_epoch=1, sequence=sequence)
    for key in subscribers:
        batch.usage_readings.append(
            UsageReading(
                subscriber_key=key, session="s", observed_time_ms=TIME_MS, downlink_bytes=10
            )
        )
    return route, batch.SerializeToString()


def journal(data: Path, *frames: list[Payload]) -> None:
    with JournalWriter(data / "journal") as writer:
        for payloads in frames:
            routes = list(dict.fromkeys(route for route, _ in payloads))
            parts = [encode_route(number, route) for number, route in enumerate(routes, 1)]
            for route, payload in payloads:
                parts += [encode_envelope_head(routes.index(route) + 1, len(payload)), payload]
            writer.append([NewFrame(TIME_MS, b"".join(parts))])


def state_of(data: Path) -> State:
    return build_state(data, Horizon(), QuotaSettings())


def refused(state: State) -> dict[str, int]:
    return {reason_name(why): n for why, n in state.tallies.refused_by_reason().items()}


def used_bytes(state: State) -> int:
    return sum(row.used_bytes for row in state.quota.day(DAY).sims)


OWN = "viettel/a"


def test_what_may_not_be_sent_is_not_counted_and_the_sums_of_the_quota_reconcile(
    tmp_path: Path,
) -> None:
    journal(
        tmp_path,
        [registry(BOUND)],
        [
            usage(1, 1, 2, 3, principal=OWN),
            usage(2, 1, principal=""),
            usage(3, 1, principal=OWN, operator="mobifone"),
            usage(4, 1, principal="viettel/gone"),
        ],
    )

    state = state_of(tmp_path)

    assert refused(state) == {
        "SUBSCRIBER_FORBIDDEN": 2,
        "CREDENTIAL_MISSING": 1,
        "OPERATOR_FORBIDDEN": 1,
        "CREDENTIAL_UNKNOWN": 1,
    }
    assert used_bytes(state) == 10
    totals = state.quota.day(DAY).totals
    # Three payloads refused whole, two rows of a payload that was taken.
    assert (totals["received"], totals["counted"]) == (6, 1)
    assert (totals["rejected"], totals["quarantined"]) == (3, 2)


def test_what_was_refused_claims_no_sequence(tmp_path: Path) -> None:
    refused_first = [usage(1, 1, principal=""), usage(1, 1, principal=OWN)]
    journal(tmp_path, [registry(BOUND)], refused_first)

    state = state_of(tmp_path)

    assert used_bytes(state) == 10
    assert sum(state.tallies.duplicate.values()) == 0


def test_every_frame_is_judged_by_the_register_before_it(tmp_path: Path) -> None:
    journal(
        tmp_path,
        [usage(1, 1, principal="")],
        [registry(BOUND), usage(2, 2, principal="")],
        [usage(3, 3, principal=""), registry(OPEN)],
        [usage(4, 4, principal="")],
    )

    state = state_of(tmp_path)

    assert refused(state) == {"CREDENTIAL_MISSING": 1}
    assert used_bytes(state) == 30


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_restart_from_a_snapshot_goes_by_the_same_register(tmp_path: Path, cut: int) -> None:
    frames = [
        [registry(BOUND), usage(1, 7, principal="")],
        [usage(2, 1, 9, principal=OWN)],
        [usage(3, 1, principal="")],
        [usage(4, 1, 9, principal=OWN), usage(5, 1, principal="viettel/gone")],
    ]
    journal(tmp_path / "whole", *frames)
    journal(tmp_path / "cut", *frames[:cut])
    write_snapshot(tmp_path / "cut", state_of(tmp_path / "cut"))
    journal(tmp_path / "cut", *frames[cut:])
    reader = JournalReader(tmp_path / "cut" / "journal")
    assert read_snapshot(tmp_path / "cut", reader, Horizon(), QuotaSettings()) is not None

    restarted, whole = state_of(tmp_path / "cut"), state_of(tmp_path / "whole")

    assert refused(whole) == {
        "SUBSCRIBER_FORBIDDEN": 2,
        "CREDENTIAL_MISSING": 1,
        "CREDENTIAL_UNKNOWN": 1,
    }
    assert restarted.tallies == whole.tallies
    assert restarted.quota.day(DAY) == whole.quota.day(DAY)


def test_names_that_are_refused_are_not_remembered(tmp_path: Path) -> None:
    made_up = [usage(1, 1, principal="", operator=f"made-up-{number}") for number in range(50)]
    journal(tmp_path, [registry(BOUND)], made_up, [usage(1, 1, principal=OWN)])

    state = state_of(tmp_path)

    assert refused(state) == {"UNKNOWN_SOURCE": 50}
    assert state.sources.texts == ["/", OWN]
    assert state.operators.texts == ["viettel"]
    assert state.quota.day(DAY).totals["rejected"] == 50


def test_made_up_operators_do_not_take_the_counts_of_real_ones(tmp_path: Path) -> None:
    made_up = [
        usage(1, 1, principal=OWN, operator=f"made-up-{n}")
        for n in range(2 * LABEL_OPERATOR_COUNT_MAX)
    ]
    journal(tmp_path, [registry(BOUND)], made_up, [usage(1, 1, principal="", operator="mobifone")])

    state = state_of(tmp_path)

    assert {key.operator: n for key, n in state.tallies.received.items()} == {
        "": 2 * LABEL_OPERATOR_COUNT_MAX,
        "mobifone": 1,
    }
    assert refused(state) == {"OPERATOR_FORBIDDEN": 2 * LABEL_OPERATOR_COUNT_MAX}


def test_a_register_of_before_credentials_still_opens(tmp_path: Path) -> None:
    twice = b"source,operator,note\na,viettel,ours\na,viettel,again\n"
    journal(tmp_path, [registry(twice)], [usage(1, 1, principal="")])

    assert used_bytes(state_of(tmp_path)) == 10
