"""A snapshot is held to the journal it was made from."""

import pytest

from phusong.collector.journal.writer import JournalWriter, NewFrame
from phusong.kernels.frame import PayloadKind, Route, Transport, encode_envelope_head, encode_route
from phusong.v1.journal_pb2 import RegistryEntry
from phusong.v1.telemetry_pb2 import Batch, UsageReading
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.recompute import snapshot_differences
from phusong.verifier.replay import build_state, settings_of
from phusong.verifier.snapshot import write_snapshot

TIME_MS = 1_638_320_400_000
SITES = (
    b"site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m\n"
    b"A,a,01,283,viettel,centre,21.0,105.8,300\n"
)


def frame(kind, payload):
    transport = Transport.SERVICE if kind == PayloadKind.REGISTRY else Transport.MQTT
    route = encode_route(1, Route("viettel", "gateway", "", transport, kind))
    return NewFrame(TIME_MS, route + encode_envelope_head(1, len(payload)) + payload)


def usage(number):
    reading = UsageReading(
        subscriber_key=7, observed_time_ms=TIME_MS + number, downlink_bytes=1000 * number
    )
    return frame(
        PayloadKind.BATCH, Batch(sequence=number, usage_readings=[reading]).SerializeToString()
    )


@pytest.fixture
def data(tmp_path):
    sites = RegistryEntry(registry="sites", file="f", content=SITES).SerializeToString()
    with JournalWriter(tmp_path / "journal") as writer:
        writer.append([usage(1), usage(2), frame(PayloadKind.REGISTRY, sites), usage(2)])
    return tmp_path


def state_of(data):
    return build_state(data, Horizon(), QuotaSettings())


def test_without_a_snapshot_there_is_nothing_to_compare(data):
    assert snapshot_differences(data, QuotaSettings()) is None


def test_a_snapshot_of_the_same_frames_answers_the_same(data):
    write_snapshot(data, state_of(data))
    with JournalWriter(data / "journal") as writer:
        writer.append([usage(3)])

    assert snapshot_differences(data, QuotaSettings()) == []


def test_a_snapshot_that_counts_otherwise_is_found(data):
    state = state_of(data)
    state.quota.add_rejected(0, 18_901, 3)
    next(iter(state.tallies.taken.values()))
    state.tallies.taken[next(iter(state.tallies.taken))] += 5
    write_snapshot(data, state)

    differences = snapshot_differences(data, QuotaSettings())

    assert differences
    assert {"rows taken"} < set(differences)


def test_the_quota_in_force_is_the_one_figures_were_last_made_with(data):
    assert settings_of(data) == QuotaSettings()
    other = QuotaSettings(quota_bytes=4 * 10**9)

    write_snapshot(data, build_state(data, Horizon(), other))

    assert settings_of(data) == other
    assert snapshot_differences(data, settings_of(data)) == []
