"""From a survey of true fields to verdicts, by the product's own road: readings, place cells, bins, verdicts.

What a phone adds to the truth: an offset of its own, fast fading of every reading, and silence where there is no service.
"""

from dataclasses import dataclass

import numpy as np

from phusong.kernels.columns import Float64Column, Int64Column, SignalReadings
from phusong.kernels.locate import DEGREE_M
from phusong.kernels.radio import SERVICE_IN, SERVICE_NONE
from phusong.kernels.screen_signal import screen_signal
from phusong.verifier.coverage.policy import Policy, default_policy
from phusong.verifier.coverage.records import SiteVerdict
from phusong.verifier.coverage.state import CoverageState
from phusong.verifier.names import Names
from phusong.verifier.registry.plane import degree_east_m
from phusong.verifier.registry.sites import SiteRegister, read_sites
from reference.signal_rows import RAT, VIETTEL
from simulation.fields import CELL_M, Terrain
from simulation.samplers import DEVICE_COUNT, HOME_COUNT_MAX, Visits, device_of

POLICY = default_policy()
FLOOR_DBM = float(POLICY.technology(RAT["LTE"]).floor_dbm)
MORNING_MS = 1_633_050_000_000  # 2021-10-01 08:00 in Vietnam
DAY_MS, HOUR_MS = 86_400_000, 3_600_000
TRIP_MS = 3 * HOUR_MS
NOW_MS = MORNING_MS + 310 * DAY_MS
# Sites stand on a lattice in degrees, far enough apart that no reading lies in two.
SITES_PER_ROW = 50
LATTICE_DEG = 0.05
READINGS_PER_VISIT = 3
DEAF_DB = 60.0


@dataclass(frozen=True, slots=True)
class Phones:
    """What phones add to the truth."""

    offset_db: float = 1.5  # standard deviation between devices
    # Of a gamma-distributed power: 8 is 1.6 dB, 1 is Rayleigh's 5.6 dB, 0 is none at all.
    fading_paths: float = 8.0
    service_margin_db: float = 4.0  # so far below the floor there is no service any more
    is_silence_sent: bool = True  # a phone that found no service reports it when it can
    deaf: tuple[int, ...] = ()  # of the site's devices, those that hear nothing anywhere
    source_of: tuple[int, ...] = (1,)  # by which source each of a site's devices sends, in turn


def judge(
    rng: np.random.Generator,
    terrain: Terrain,
    levels_dbm: Float64Column,
    visits: Visits,
    phones: Phones,
    policy: Policy = POLICY,
) -> list[SiteVerdict]:
    """Return the verdict of each site, measured as the visits say."""
    site_count = len(levels_dbm)
    register = _register(terrain, site_count)
    state, operators = CoverageState(register, policy), Names(["viettel"])
    readings = readings_of(rng, terrain, levels_dbm, visits, phones, register)
    row_count = len(readings.row)
    reason = np.zeros(row_count, np.int64)
    screen_signal(readings, reason)
    assert not reason.any(), "the simulation sends nothing implausible"
    route = np.zeros(row_count, np.int64)
    number = (readings.device_key - 1) % (DEVICE_COUNT + HOME_COUNT_MAX)
    source = np.array(phones.source_of)[number % len(phones.source_of)]
    state.add(readings, readings.observed_time_ms, route, operators, reason, source=source)
    assert not reason.any()
    rows = state.verdicts(NOW_MS, operators)
    assert len(rows) == site_count
    assert not any(row.counts.quarantined for row in rows), (
        "the simulation sends nothing implausible"
    )
    return rows


def readings_of(
    rng: np.random.Generator,
    terrain: Terrain,
    levels_dbm: Float64Column,
    visits: Visits,
    phones: Phones,
    register: SiteRegister,
) -> SignalReadings:
    """Return what the devices send: some readings per visit, near the middle of the place cell."""
    visits = Visits(*(np.repeat(column, READINGS_PER_VISIT) for column in visits))
    site, trip, count = visits.site, visits.trip, len(visits.site)
    device, device_count = device_of(trip), DEVICE_COUNT + HOME_COUNT_MAX
    offset_db = rng.normal(0, phones.offset_db, (len(levels_dbm), device_count))
    offset_db[:, phones.deaf] -= DEAF_DB
    level = levels_dbm[site, visits.cell] + offset_db[site, device]
    if phones.fading_paths:
        power = rng.gamma(phones.fading_paths, 1 / phones.fading_paths, count)
        level += 10 * np.log10(power)
    is_silent = level < FLOOR_DBM - phones.service_margin_db
    middle = (terrain.cells[visits.cell] + 0.5) * CELL_M + rng.uniform(-20, 20, (count, 2))
    latitude = np.array([s.parts[0].latitude_deg for s in register.sites])[site]
    longitude = np.array([s.parts[0].longitude_deg for s in register.sites])[site]
    east_m = np.array([degree_east_m(s.parts[0].latitude_deg) for s in register.sites])[site]
    columns = dict.fromkeys(SignalReadings._fields, np.full(count, -1))
    nothing = np.full(count, np.nan)
    columns |= dict.fromkeys(FLOAT_FIELDS, nothing) | {
        "device_key": site * device_count + device + 1,
        "observed_time_ms": _times(site, trip, terrain.cells[visits.cell]),
        "latitude_deg": latitude + middle[:, 1] / DEGREE_M,
        "longitude_deg": longitude + middle[:, 0] / east_m,
        "position_accuracy_m": np.full(count, 8.0),
        "rat": np.where(is_silent, 0, RAT["LTE"]),
        "sim_plmn": np.full(count, VIETTEL),
        "serving_plmn": np.where(is_silent, 0, VIETTEL),
        "service_state": np.where(is_silent, SERVICE_NONE, SERVICE_IN),
        "rsrp_dbm": np.where(is_silent, np.nan, np.clip(level, -140, -43)),
        "cell_role": np.where(is_silent, 0, 1),
        "row": np.arange(count),
        "payload_row": np.zeros(count, np.int64),
    }
    sent = np.flatnonzero(~is_silent | phones.is_silence_sent)
    return SignalReadings(*(columns[name][sent] for name in SignalReadings._fields))


FLOAT_FIELDS = [
    "latitude_deg",
    "longitude_deg",
    "position_accuracy_m",
    "rsrp_dbm",
    "ss_rsrp_dbm",
    "rscp_dbm",
    "rxlev_dbm",
    "rsrq_db",
    "sinr_db",
    "latency_ms",
    "speed_m_per_s",
]


def _times(site: Int64Column, trip: Int64Column, cells: Int64Column) -> Int64Column:
    """Return times of readings: trips take turns with mornings and afternoons, two a day.

    Whoever makes a trip goes through its places row by row, to and fro, as people walk: nobody jumps about.
    """
    east, north = cells.T
    order = np.lexsort((np.where(north % 2, -east, east), north, trip, site))
    is_start = np.diff(site[order] * (trip.max() + 1) + trip[order], prepend=-1) != 0
    start = np.flatnonzero(is_start)
    length = np.diff(start, append=len(order))
    run = np.cumsum(is_start) - 1
    step = np.empty(len(order), np.int64)
    step[order] = (np.arange(len(order)) - start[run]) * TRIP_MS // length[run]
    return MORNING_MS + trip // 2 * DAY_MS + trip % 2 * 5 * HOUR_MS + step


def _register(terrain: Terrain, site_count: int) -> SiteRegister:
    lines = [
        f"S{n:05d},Ban {n},02,1910,viettel,{10 + n // SITES_PER_ROW * LATTICE_DEG:.3f},"
        f"{105 + n % SITES_PER_ROW * LATTICE_DEG:.3f},{terrain.radius_m}"
        for n in range(site_count)
    ]
    header = "site_code,name,province_code,list,operators,latitude_deg,longitude_deg,radius_m"
    register = read_sites("\n".join([header, *lines]).encode())
    assert isinstance(register, SiteRegister), register
    assert [site.code for site in register.sites] == [f"S{n:05d}" for n in range(site_count)]
    return register
