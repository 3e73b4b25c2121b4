"""Locate, screen and bin: which readings are possible, in which of 2,193 sites they lie, and what each bin holds.

Ours is what the service runs for every frame: the screen of rows and `CoverageState.add`, on one thread. The peer does the same
work: NumPy screens the same columns by the same rules, SciPy's cKDTree answers "which sites are near" in metres of a plane on two threads, and NumPy
finds place cells, windows and bins, and counts readings, silence, floors, first and last time. Both give the same bins, which is asserted. Positions
come as a day's would: most within a walk of some site, one in five anywhere in the country.
"""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from phusong.kernels.columns import SignalReadings
from phusong.kernels.locate import DEGREE_M, Located, locate_readings
from phusong.kernels.screen_signal import screen_signal
from phusong.verifier.coverage.policy import default_policy
from phusong.verifier.coverage.state import CoverageState
from phusong.verifier.names import Names
from phusong.verifier.registry.sites import SiteRegister, read_sites

SITE_COUNT = 2193
READING_COUNT = 1_000_000
DEVICE_COUNT = 20_000
RADIUS_M = 1000.0
CELL_M = 50.0
BATCH = 100_000  # about what the readings of one commit of 4 MiB come to
DAY_START_MS = 1_638_313_200_000  # 2021-12-01 06:00 in Vietnam
HOUR_MS, WINDOW_MS, ICT_OFFSET_MS = 3_600_000, 14_400_000, 25_200_000
LTE, VIETTEL = 3, 45204
POLICY = default_policy()
FLOORS = POLICY.floors_dbm()[LTE]
LOAD = f"{READING_COUNT:,} readings, {SITE_COUNT:,} sites"


def make_register(rng: np.random.Generator) -> SiteRegister:
    lines = ["site_code,name,province_code,list,operators,latitude_deg,longitude_deg,radius_m"]
    latitude, longitude = rng.uniform(8.5, 23.3, SITE_COUNT), rng.uniform(102.2, 109.4, SITE_COUNT)
    lines += [
        f"S{n},Ban {n},02,1910,viettel,{latitude[n]:.6f},{longitude[n]:.6f},{RADIUS_M:.0f}"
        for n in range(SITE_COUNT)
    ]
    register = read_sites("\n".join(lines).encode())
    assert isinstance(register, SiteRegister), register
    return register


RNG = np.random.default_rng(2021)
REGISTER = make_register(RNG)
GROUND = CoverageState(REGISTER, POLICY).footprints
PARTS, INDEX = GROUND.parts, GROUND.index


def make_readings(rng: np.random.Generator) -> SignalReadings:
    site = rng.integers(0, SITE_COUNT, READING_COUNT)
    north_m, east_m = rng.normal(0.0, RADIUS_M / 2, (2, READING_COUNT))
    latitude = PARTS.latitude_deg[site] + north_m / DEGREE_M
    longitude = PARTS.longitude_deg[site] + east_m / PARTS.degree_east_m[site]
    is_anywhere = rng.random(READING_COUNT) < 0.2
    count = int(is_anywhere.sum())
    latitude[is_anywhere] = rng.uniform(8.5, 23.3, count)
    longitude[is_anywhere] = rng.uniform(102.2, 109.4, count)
    missing, unknown = np.full(READING_COUNT, -1), np.full(READING_COUNT, np.nan)
    floats = ("rsrq_db", "sinr_db", "latency_ms", "speed_m_per_s")
    levels = ("ss_rsrp_dbm", "rscp_dbm", "rxlev_dbm")
    columns = dict.fromkeys(SignalReadings._fields, missing)
    columns |= dict.fromkeys((*floats, *levels), unknown)
    columns |= {
        "payload_row": np.zeros(READING_COUNT, np.int64),
        "row": np.arange(READING_COUNT),
        "device_key": rng.integers(1, DEVICE_COUNT + 1, READING_COUNT),
        "observed_time_ms": DAY_START_MS + rng.integers(0, 16 * HOUR_MS, READING_COUNT),
        "latitude_deg": latitude,
        "longitude_deg": longitude,
        "position_accuracy_m": np.full(READING_COUNT, 8.0),
        "rat": np.full(READING_COUNT, LTE),
        "sim_plmn": np.full(READING_COUNT, VIETTEL),
        "serving_plmn": np.full(READING_COUNT, VIETTEL),
        "cell_identity": 1000 + site,
        # One in some hundreds holds the sentinel of real logs.
        "rsrp_dbm": np.where(rng.random(READING_COUNT) < 0.003, -200.0, rng.normal(-95, 12, READING_COUNT)).clip(-200, -44),
        "service_state": np.ones(READING_COUNT, np.int64),
        "cell_role": np.ones(READING_COUNT, np.int64),
    }  # fmt: skip
    return SignalReadings(**columns)


READINGS = make_readings(RNG)
BATCHES = [
    SignalReadings(*(column[i : i + BATCH] for column in READINGS))
    for i in range(0, READING_COUNT, BATCH)
]
LATITUDE, LONGITUDE = READINGS.latitude_deg, READINGS.longitude_deg
OPERATORS = Names(["viettel"])


@pytest.fixture
def binning(benchmark):
    benchmark.group = f"locate, screen and bin: {LOAD}"
    benchmark.extra_info["rows"] = READING_COUNT
    return benchmark


@pytest.fixture
def locating(benchmark):
    benchmark.group = f"locate: {LOAD}"
    benchmark.extra_info["rows"] = READING_COUNT
    return benchmark


def kernel_bins() -> CoverageState:
    state = CoverageState.__new__(CoverageState)
    state.__dict__ |= EMPTY.__dict__ | {"bins": type(EMPTY.bins)(WINDOW_MS, ICT_OFFSET_MS)}
    for readings in BATCHES:
        reason = np.zeros(len(readings.row), np.int64)
        screen_signal(readings, reason)
        route = np.zeros(len(reason), np.int64)
        state.add(readings, readings.observed_time_ms, route, OPERATORS, reason)
    return state


# Reading a list of sites is no part of what is measured.
EMPTY = CoverageState(REGISTER, POLICY)


def locate_all(parts, index) -> list[Located]:
    return [
        locate_readings(LATITUDE[i : i + BATCH], LONGITUDE[i : i + BATCH], parts, index)
        for i in range(0, READING_COUNT, BATCH)
    ]


def is_within(value: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.isnan(value) | ((value >= low) & (value <= high))


def numpy_screen(rows: SignalReadings) -> np.ndarray:
    """Tell which rows are possible: the rules of screen_signal that these rows can break, column by column."""
    is_good = rows.device_key != 0
    is_good &= (rows.observed_time_ms > 0) & (rows.observed_time_ms <= 4_102_444_800_000)
    is_good &= rows.reporting_delay_ms >= -1
    is_good &= (rows.rat >= 1) & (rows.rat <= 4) & (rows.service_state >= 0)
    is_good &= (rows.service_state <= 3) & (rows.cell_role >= 0) & (rows.cell_role <= 2)
    is_good &= ~np.isnan(rows.latitude_deg) & ~np.isnan(rows.longitude_deg)
    is_good &= is_within(rows.latitude_deg, -90, 90) & is_within(rows.longitude_deg, -180, 180)
    is_good &= ~(rows.position_accuracy_m < 0) & ~np.isinf(rows.position_accuracy_m)
    is_good &= (rows.rsrp_dbm >= -140) & (rows.rsrp_dbm <= -43)
    is_good &= is_within(rows.rsrq_db, -43, 20) & is_within(rows.sinr_db, -23, 40)
    is_good &= (rows.sim_plmn != -2) & (rows.serving_plmn != -2)
    is_good &= (rows.cell_identity >= -1) & (rows.cell_identity < 2**28)
    is_good &= (rows.pci >= -1) & (rows.pci <= 503) & (rows.tac >= -1) & (rows.tac < 2**16)
    is_good &= (rows.download_bits_per_s >= -1) & (rows.upload_bits_per_s >= -1)
    is_good &= ~(rows.latency_ms < 0) & ~np.isinf(rows.latency_ms)
    is_good &= is_within(rows.speed_m_per_s, 0, 70)
    is_good &= (rows.cell_role != 2) & ~(rows.position_accuracy_m > 100)
    return is_good


def tree_pairs(rows: SignalReadings, is_screened: bool) -> tuple[np.ndarray, ...]:
    """Return reading, site and place cell of every reading in a site."""
    # Degrees of longitude shrink northwards; near enough here, because every candidate is measured again.
    scale = np.array([DEGREE_M, DEGREE_M * np.cos(np.radians(16.0))])
    tree = cKDTree(np.stack((PARTS.latitude_deg, PARTS.longitude_deg), axis=1) * scale)
    reach_m = (RADIUS_M + CELL_M) * float((scale[1] / PARTS.degree_east_m).max())
    found = []
    for i in range(0, READING_COUNT, BATCH):
        batch = SignalReadings(*(column[i : i + BATCH] for column in rows))
        kept = np.flatnonzero(numpy_screen(batch)) if is_screened else np.arange(len(batch.row))
        latitude, longitude = batch.latitude_deg[kept], batch.longitude_deg[kept]
        points = np.stack((latitude, longitude), axis=1) * scale
        near = tree.query_ball_point(points, reach_m, workers=2, return_sorted=False)
        count = np.fromiter(map(len, near), np.int64, len(near))
        site = np.concatenate([one for one in near if one]).astype(np.int64)
        row = np.repeat(np.arange(len(near)), count)
        north_m = (latitude[row] - PARTS.latitude_deg[site]) * DEGREE_M
        east_m = (longitude[row] - PARTS.longitude_deg[site]) * PARTS.degree_east_m[site]
        east, north = np.floor(east_m / CELL_M), np.floor(north_m / CELL_M)
        middle_m = (np.stack((east, north)) + 0.5) * CELL_M
        is_inside = (middle_m**2).sum(axis=0) <= RADIUS_M**2
        columns = (i + kept[row], site, east.astype(np.int64), north.astype(np.int64))
        found.append([column[is_inside] for column in columns])
    return tuple(np.concatenate(columns) for columns in zip(*found, strict=True))


def tree_bins() -> tuple[np.ndarray, ...]:
    """Return what the bins hold, sorted by site, place cell, device and window."""
    reading, site, east, north = tree_pairs(READINGS, True)
    time_ms, level = READINGS.observed_time_ms[reading], READINGS.rsrp_dbm[reading]
    window = (time_ms + ICT_OFFSET_MS) // WINDOW_MS
    # One number per bin, because NumPy finds distinct numbers far quicker than distinct rows.
    place = (site * 64 + east + 32) * 64 + north + 32
    code = (place << 36) | (READINGS.device_key[reading] << 20) | window
    order = np.argsort(code)
    start = np.flatnonzero(np.diff(code[order], prepend=-1))
    ordered = time_ms[order]
    met = np.stack(
        [np.add.reduceat((level[order] >= floor).astype(np.int64), start) for floor in FLOORS],
        axis=1,
    )
    heard = np.diff(start, append=len(order))
    return (
        code[order][start],
        heard,
        met,
        np.minimum.reduceat(ordered, start),
        np.maximum.reduceat(ordered, start),
    )


def test_kernels(binning) -> None:
    kernel_bins()  # compiles

    state = binning(kernel_bins)

    keys, counts, _ = state.bins.export()
    place = (keys.part * 64 + keys.cell_east + 32) * 64 + keys.cell_north + 32
    code = (place << 36) | (keys.device_key << 20) | keys.window
    other_code, heard, met, first_ms, last_ms = tree_bins()
    assert (code == other_code).all()
    assert (counts.heard_count == heard).all()
    assert (counts.met_count == met).all()
    assert (counts.first_time_ms == first_ms).all()
    assert (counts.last_time_ms == last_ms).all()


def test_scipy(binning) -> None:
    code, *_ = binning.pedantic(tree_bins, rounds=3, warmup_rounds=1)

    assert len(code)


def test_kernels_locate(locating) -> None:
    located = locating(locate_all, PARTS, INDEX)

    assert sum(len(batch.reading) for batch in located) > READING_COUNT / 2


def test_scipy_locate(locating) -> None:
    site = locating.pedantic(tree_pairs, (READINGS, False), rounds=3, warmup_rounds=1)[1]

    assert len(site) > READING_COUNT / 2
