"""The generator: the same seed gives the same world, and what it calls the truth is true."""

import itertools
import math
from collections import Counter, defaultdict
from functools import cache

import numpy as np
import pytest
from google.protobuf.json_format import Parse

from phusong.dashboards.demo.drives import LTE, NEIGHBOUR
from phusong.dashboards.demo.programme import Programme, make_programme, write_registries
from phusong.dashboards.demo.provinces import read_provinces
from phusong.dashboards.demo.radio import true_share
from phusong.dashboards.demo.season import CLOCK_START_MS, DAY_MS, MIDNIGHT_MS
from phusong.dashboards.demo.sites import SITE_COUNT_MAX, Site, Situation, make_sites
from phusong.dashboards.demo.subscribers import QUOTA_BYTES
from phusong.kernels.registers import read_sources
from phusong.v1.telemetry_pb2 import (
    Batch,
    CounterKind,
    ServiceState,
    TrafficClass,
    UsageReading,
)
from phusong.verifier.registry.sims_file import read_sims
from phusong.verifier.registry.sites import read_sites

SITE_COUNT, SIM_COUNT = 40, 400
ZERO_RATED = TrafficClass.TRAFFIC_CLASS_ZERO_RATED
DELTA = CounterKind.COUNTER_KIND_DELTA


@cache
def programme(seed: int = 1) -> Programme:
    return make_programme(seed, SITE_COUNT, SIM_COUNT, lambda *_: None)


@cache
def batches() -> list[tuple[str, Batch]]:
    """Every readable batch of a registered source, once, with its source."""
    found = {}
    for message in programme().messages:
        batch = Batch()
        try:
            if message.topic.endswith("/json"):
                Parse(message.payload, batch)
            else:
                batch = Batch.FromString(message.payload)
        except Exception:  # noqa: BLE001  (garbage fails in many ways)
            continue
        if batch.sequence:
            found[message.source.name, batch.sequence] = batch
    return [(source, batch) for (source, _), batch in found.items()]


def test_the_same_seed_gives_the_same_bytes() -> None:
    again = make_programme(1, SITE_COUNT, SIM_COUNT, lambda *_: None)

    assert again.messages == programme().messages
    assert again.truth.refused == programme().truth.refused


def test_another_seed_gives_another_world() -> None:
    assert make_programme(2, SITE_COUNT, SIM_COUNT, lambda *_: None).sites != programme().sites


def test_every_site_lies_in_the_circle_of_its_province() -> None:
    provinces = {province.gso_code: province for province in read_provinces()}

    for site in programme().sites:
        home = provinces[site.province_code]
        assert distance_m(site.parts[0], home) < home.radius_m


def test_no_two_sites_share_ground_even_when_there_are_most() -> None:
    sites = make_sites(np.random.default_rng(5), read_provinces(), SITE_COUNT_MAX)
    by_province: dict[str, list[Site]] = defaultdict(list)
    for site in sites:
        by_province[site.province_code].append(site)

    for neighbours in by_province.values():
        for one, other in itertools.combinations(neighbours, 2):
            for a, b in itertools.product(one.parts, other.parts):
                assert distance_m(a, b) > a.radius_m + b.radius_m


def test_the_radio_field_is_what_the_situation_says() -> None:
    for pair in programme().truth.pairs:
        shares = [
            true_share(field, part)
            for field, part in zip(pair.fields, pair.site.parts, strict=True)
        ]
        match pair.situation:
            case Situation.COVERED | Situation.HARDLY | Situation.UNTESTED:
                assert min(shares) == 1.0
            case Situation.BORDER:
                assert 0.91 < min(shares) < 0.98
            case _:
                assert min(shares) < 0.65


def test_every_situation_occurs_and_few_are_left_undecided() -> None:
    counts = Counter(pair.situation for pair in programme().truth.pairs)

    assert set(counts) == set(Situation)
    assert counts[Situation.BORDER] / counts.total() < 0.05


def test_an_untested_pair_has_no_reading_and_a_hardly_tested_one_a_handful() -> None:
    readings = Counter(
        (row.sim_plmn, round(row.latitude_deg, 1), round(row.longitude_deg, 1))
        for _, batch in batches()
        for row in batch.signal_readings
    )

    assert min(readings.values()) < 10
    assert max(readings.values()) > 500


def test_readings_without_service_and_of_old_networks_are_sent() -> None:
    rows = [row for _, batch in batches() for row in batch.signal_readings]

    assert any(row.service_state == ServiceState.SERVICE_STATE_NO_SERVICE for row in rows)
    assert any(row.HasField("rscp_dbm") for row in rows)
    assert any(row.HasField("rxlev_dbm") for row in rows)
    assert all(row.rat == LTE for row in rows if row.HasField("rsrp_dbm") and row.rat)


def test_a_drive_of_last_month_says_how_long_it_was_held_back() -> None:
    rows = [
        row for source, batch in batches() if "drive" in source for row in batch.signal_readings
    ]
    held = [row for row in rows if 0 < row.observed_time_ms < CLOCK_START_MS - 30 * DAY_MS]

    assert held
    assert all(row.observed_time_ms + row.reporting_delay_ms == CLOCK_START_MS for row in held)


def test_neighbours_are_counted_as_refused() -> None:
    neighbours = sum(
        row.cell_role == NEIGHBOUR for _, batch in batches() for row in batch.signal_readings
    )

    assert programme().truth.refused["NOT_A_SERVING_CELL"] == neighbours


def test_a_virtual_operators_customer_names_the_network_that_served() -> None:
    served = {
        row.serving_plmn
        for source, batch in batches()
        if source.startswith("itelecom-")
        for row in batch.signal_readings
    }

    assert served == {"45202"}  # VinaPhone's


def test_the_truth_of_every_sim_day_follows_from_the_readings() -> None:
    truth = programme().truth
    metered, free = volumes_of(batches())

    for sim, key in enumerate(truth.subscribers.subscriber_key.tolist()):
        for day in range(2):
            assert metered[key, day] == truth.usage.used_bytes[sim, day], key
            assert free[key, day] == truth.subscribers.zero_rated_bytes()[sim, day], key


def test_some_sims_end_a_day_exactly_on_the_edges_of_32_bits() -> None:
    used = set(programme().truth.usage.used_bytes.reshape(-1).tolist())

    assert {2**32 - 1, 2**32, 2**32 + 1, 4 * 10**9, 2**31} <= used


def test_some_sims_cross_only_the_smaller_reading_of_4_gb() -> None:
    used = make_programme(1, 1, 4_000, lambda *_: None).truth.usage.used_bytes

    assert ((used > 4 * 10**9) & (used < QUOTA_BYTES)).sum() > 10


def test_repeats_are_whole_batches() -> None:
    counts = Counter((m.source, m.payload) for m in programme().messages if m.row_count)

    assert sum(count - 1 for count in counts.values()) == programme().truth.repeated_batch_count > 0


def test_registries_are_written_as_csv(tmp_path) -> None:
    paths = write_registries(programme(), tmp_path)

    assert set(paths) == {"sites", "sims", "sources"}
    lines = paths["sims"].read_text(encoding="utf-8").splitlines()
    assert lines[0] == "subscriber_key,operator,province_code,handover_date"
    assert len(lines) == SIM_COUNT + 1


@pytest.mark.parametrize("registry", ["sites", "sims", "sources"])
def test_registries_are_what_the_service_takes(registry, tmp_path) -> None:
    readers = {"sites": read_sites, "sims": read_sims, "sources": read_sources}

    content = write_registries(programme(), tmp_path)[registry].read_bytes()

    assert not isinstance(readers[registry](content), list)


def volumes_of(sent: list[tuple[str, Batch]]) -> tuple[Counter, Counter]:
    """Metered and free bytes by SIM and day, read off the readings with dictionaries and plain integers."""
    counters: dict[tuple, list[tuple[int, int]]] = defaultdict(list)
    volumes: dict[bool, Counter] = {False: Counter(), True: Counter()}
    for source, batch in sent:
        for row in batch.usage_readings:
            is_free = row.traffic_class == ZERO_RATED
            if row.counter_kind == DELTA:
                add(
                    volumes[is_free],
                    row,
                    row.interval_start_time_ms,
                    row.observed_time_ms,
                    total(row),
                )
            else:
                key = (row.subscriber_key, source, row.session, is_free, row.counter_epoch)
                counters[key].append((row.observed_time_ms, total(row)))
    for (key, _, _, is_free, _), readings in counters.items():
        readings.sort()
        previous_ms, previous = readings[0][0], 0
        for time_ms, value in readings:
            row = UsageReading(subscriber_key=key)
            add(volumes[is_free], row, previous_ms, time_ms, value - previous)
            previous_ms, previous = time_ms, value
    return volumes[False], volumes[True]


def total(row: UsageReading) -> int:
    wraps = row.uplink_gigawords + row.downlink_gigawords
    return row.uplink_bytes + row.downlink_bytes + wraps * 2**32


def add(volumes: Counter, row: UsageReading, from_ms: int, until_ms: int, count: int) -> None:
    if from_ms < MIDNIGHT_MS < until_ms:
        before = count * (MIDNIGHT_MS - from_ms) // (until_ms - from_ms)
        volumes[row.subscriber_key, 0] += before
        volumes[row.subscriber_key, 1] += count - before
    else:
        day = 0 if until_ms <= MIDNIGHT_MS else 1
        volumes[row.subscriber_key, day] += count


def distance_m(a, b) -> float:
    east_m = (
        111_195.0 * math.cos(math.radians(a.latitude_deg)) * (a.longitude_deg - b.longitude_deg)
    )
    return math.hypot(east_m, 111_195.0 * (a.latitude_deg - b.latitude_deg))
