"""Whatever is in the journal, the verifier lives, and everything received is taken, duplicate or refused."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.frame import (
    CHAIN_START,
    PayloadKind,
    Route,
    Transport,
    chain_hash,
    encode_envelope_head,
    encode_route,
)
from phusong.verifier.journal import StoredFrame
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import RegistryHistory, Version
from phusong.verifier.state import State, new_state

GOLDEN = Path(__file__).parents[1] / "golden" / "wire.json"
PAYLOADS = [bytes.fromhex(entry["payload"]) for entry in json.loads(GOLDEN.read_text())]
KINDS = (
    PayloadKind.BATCH,
    PayloadKind.BATCH_JSON,
    PayloadKind.UNREADABLE,
    PayloadKind.OVERSIZED,
    PayloadKind.ACKNOWLEDGEMENT,
)
SITES = (
    b"site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m\n"
    b"A,a,01,283,viettel,centre,21.0,105.8,9000\n"
)
TIME_MS = 1_638_320_400_000
OUTCOMES = ("counted", "duplicate", "stale", "rejected", "quarantined")


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A golden payload, or two spliced, with bytes flipped, cut out or put in."""
    payload = bytearray(draw(st.sampled_from(PAYLOADS)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(payload)))
        match draw(st.sampled_from(["flip", "cut", "insert", "splice"])):
            case "flip" if place < len(payload):
                payload[place] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del payload[place : place + draw(st.integers(1, 9))]
            case "insert":
                payload[place:place] = draw(st.binary(min_size=1, max_size=9))
            case _:
                payload[place:place] = draw(st.sampled_from(PAYLOADS))
    return bytes(payload)


routes = st.builds(
    Route,
    operator=st.sampled_from(["viettel", "", "Ổ/\x00"]),
    source=st.sampled_from(["probe", "", "x" * 64]),
    principal=st.just(""),
    transport=st.sampled_from(list(Transport)),
    kind=st.sampled_from(KINDS),
)
frames = st.lists(
    st.lists(st.tuples(routes, mutated()), min_size=1, max_size=4), min_size=1, max_size=3
)


def body_of(envelopes: list[tuple[Route, bytes]]) -> bytes:
    parts = []
    for number, (route, _) in enumerate(envelopes, 1):
        parts.append(encode_route(number, route))
    for number, (_, payload) in enumerate(envelopes, 1):
        parts += [encode_envelope_head(number, len(payload)), payload]
    return b"".join(parts)


def state_after(bodies: list[bytes]) -> State:
    history = RegistryHistory({"sites": [Version(0, 0, "s", SITES)]})
    state = new_state(history, Horizon(), QuotaSettings())
    chain = CHAIN_START
    for sequence, body in enumerate(bodies, 1):
        chain = chain_hash(chain, sequence, TIME_MS, body)
        state.apply(StoredFrame(sequence, TIME_MS, body, chain))
    return state


@pytest.mark.slow
@settings(deadline=None, max_examples=400)
@given(frames)
def test_mutated_golden_bytes_are_counted_under_a_reason_and_end_nothing(
    sent: list[list[tuple[Route, bytes]]],
) -> None:
    state = state_after([body_of(envelopes) for envelopes in sent])

    tallies = state.tallies
    outcomes = (tallies.taken, tallies.duplicate, tallies.refused)
    assert sum(tallies.received.values()) == sum(sum(counts.values()) for counts in outcomes)
    assert all(row.reason for row in state.verdicts(TIME_MS))
    state.quota.take_decisions()
    for day in (18_961, 18_962, 18_963):
        totals = state.quota.day(day).totals
        assert totals["received"] == sum(totals[outcome] for outcome in OUTCOMES)
