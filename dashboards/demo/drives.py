"""Signal readings of the synthetic world: people walking the footprints with phones, at different hours and days."""

import math
from typing import Any, NamedTuple

import numpy as np

from phusong.dashboards.demo import season
from phusong.dashboards.demo.radio import (
    SERVICE_LOST_DBM,
    Field,
    degrees,
    lattice,
    make_field,
)
from phusong.dashboards.demo.sites import OPERATORS, VIRTUAL_HOST, Part, Site, Situation
from phusong.kernels.columns import Float64Column, Int64Column
from phusong.v1.telemetry_pb2 import CellRole, Rat, ServiceState

WALK_STEP_M = (
    40.0  # finer than the place cells of the policy (50 m), so that four walks miss hardly any
)
READING_INTERVAL_MS = 15 * season.SECOND_MS  # 3.3 m/s from step to step: a bicycle
BREAK_MS = 10 * season.MINUTE_MS  # between two parts of a site
FADING_DB = 2.0
HARDLY_READING_COUNT = 7
DEVICE_COUNT = 3  # per site and operator
NEIGHBOUR_SHARE = 0.04
VIRTUAL_SHARE = (
    0.25  # of the host's well served pairs, measured by the virtual operator's customers
)
# The day of the first walk and of the second, and the hour of each: windows over four hours apart on two days.
WALKS = (
    (0, season.MORNING_MS),
    (0, season.AFTERNOON_MS),
    (1, season.MORNING_MS),
    (1, season.AFTERNOON_MS),
)

NO_OPERATOR = -1
SERVING = int(CellRole.CELL_ROLE_SERVING)
NEIGHBOUR = int(CellRole.CELL_ROLE_NEIGHBOUR)
LTE, UMTS, GSM = int(Rat.RAT_LTE), int(Rat.RAT_UMTS), int(Rat.RAT_GSM)
IN_SERVICE = int(ServiceState.SERVICE_STATE_IN_SERVICE)
NO_SERVICE = int(ServiceState.SERVICE_STATE_NO_SERVICE)


class SignalRows(NamedTuple):
    """Readings as columns. `pair` numbers (site, operator); operators are indices into OPERATORS."""

    pair: Int64Column
    device: Int64Column  # 0 .. DEVICE_COUNT-1 within the pair
    device_key: Int64Column
    sim_operator: Int64Column
    serving_operator: Int64Column  # NO_OPERATOR without service
    observed_time_ms: Int64Column
    latitude_deg: Float64Column
    longitude_deg: Float64Column
    position_accuracy_m: Float64Column
    rat: Int64Column
    cell_identity: Int64Column
    level_dbm: Float64Column
    rsrq_db: Float64Column
    sinr_db: Float64Column
    service_state: Int64Column
    cell_role: Int64Column

    def taken(self, index: Int64Column) -> "SignalRows":
        """Return some of the rows."""
        columns: tuple[Any, ...] = self
        return SignalRows(*(column[index] for column in columns))


class Pair(NamedTuple):
    """One operator at one site: what is true there, and the cell that stands there."""

    number: int
    site: Site
    operator: str
    sim_operator: str  # a virtual operator where its customers did the measuring
    situation: Situation
    fields: tuple[Field, ...]  # one per part
    cell_identity: int


def make_pairs(rng: np.random.Generator, sites: list[Site]) -> list[Pair]:
    """Return every operator at every site with its true radio field."""
    pairs: list[Pair] = []
    for site in sites:
        for operator, situation in zip(site.operators, site.situations, strict=True):
            fields = _make_fields(rng, site, situation)
            virtual = next(
                (name for name, host in VIRTUAL_HOST.items() if host == operator), operator
            )
            # Without service nobody can say whose network failed a virtual operator's customer.
            is_virtual = (
                situation in (Situation.COVERED, Situation.HARDLY) and rng.random() < VIRTUAL_SHARE
            )
            number = len(pairs)
            pairs.append(
                Pair(
                    number=number,
                    site=site,
                    operator=operator,
                    sim_operator=virtual if is_virtual else operator,
                    situation=situation,
                    fields=fields,
                    cell_identity=(20_000 + number) * 256 + 1,
                )
            )
    return pairs


def make_drives(rng: np.random.Generator, pairs: list[Pair]) -> SignalRows:
    """Return all readings of all pairs, pair by pair and walk by walk."""
    rows: list[SignalRows] = []
    for pair in pairs:
        if pair.situation is Situation.UNTESTED:
            continue
        device_keys = rng.integers(1, 2**63 - 1, DEVICE_COUNT)
        first_day = int(rng.integers(season.DRIVES_DAY_COUNT - 12))
        second_day = first_day + 1 + int(rng.integers(11))
        walks = WALKS[:1] if pair.situation is Situation.HARDLY else WALKS
        for walk, (day, hour_ms) in enumerate(walks):
            start_ms = (
                season.DRIVES_START_MS + (first_day, second_day)[day] * season.DAY_MS + hour_ms
            )
            device = walk % DEVICE_COUNT
            rows.append(_walk_site(rng, pair, device, int(device_keys[device]), start_ms))
    return SignalRows(*(np.concatenate(columns) for columns in zip(*rows, strict=True)))


def _make_fields(rng: np.random.Generator, site: Site, situation: Situation) -> tuple[Field, ...]:
    # Every third weak site of several parts is weak in one cluster only, and no less uncovered for it.
    weak_part = len(site.parts) - 1 if len(site.parts) > 1 and rng.random() < 1 / 3 else None
    return tuple(
        make_field(
            rng,
            part,
            Situation.COVERED
            if situation is Situation.WEAK and weak_part not in (None, i)
            else situation,
        )
        for i, part in enumerate(site.parts)
    )


def _walk_site(
    rng: np.random.Generator, pair: Pair, device: int, device_key: int, start_ms: int
) -> SignalRows:
    walked = slice(1) if pair.situation is Situation.HARDLY else slice(None)
    parts = [
        _walk_part(rng, pair, part, field)
        for part, field in zip(pair.site.parts[walked], pair.fields[walked], strict=True)
    ]
    latitude_deg, longitude_deg, level_dbm = (
        np.concatenate(columns) for columns in zip(*parts, strict=True)
    )
    count = len(level_dbm)
    pauses = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts]) * BREAK_MS
    observed_time_ms = start_ms + np.arange(count) * READING_INTERVAL_MS + pauses
    walk = SignalRows(
        pair=np.full(count, pair.number),
        device=np.full(count, device),
        device_key=np.full(count, device_key),
        sim_operator=np.full(count, OPERATORS.index(pair.sim_operator)),
        serving_operator=np.full(count, OPERATORS.index(pair.operator)),
        observed_time_ms=observed_time_ms + rng.integers(0, 3_000, count),
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        position_accuracy_m=np.clip(rng.lognormal(1.7, 0.4, count), 2.0, 20.0).round(1),
        rat=np.full(count, LTE),
        cell_identity=np.full(count, pair.cell_identity),
        level_dbm=level_dbm,
        rsrq_db=np.clip(rng.normal(-11.0, 2.0, count), -19.5, -4.0).round(1),
        sinr_db=np.clip(level_dbm + 112.0 + rng.normal(0.0, 2.0, count), -15.0, 30.0).round(1),
        service_state=np.full(count, IN_SERVICE),
        cell_role=np.full(count, SERVING),
    )
    return _with_neighbours(rng, _without_service(_as_old_network(rng, pair, walk)))


def _walk_part(
    rng: np.random.Generator, pair: Pair, part: Part, field: Field
) -> tuple[Float64Column, Float64Column, Float64Column]:
    """Return latitude, longitude and level of one walk over one part."""
    east_m, north_m = lattice(part, WALK_STEP_M)
    jitter = rng.uniform(-WALK_STEP_M / 2, WALK_STEP_M / 2, size=(2, len(east_m)))
    east_m, north_m = east_m + jitter[0], north_m + jitter[1]
    # Pulled in, so that a position error at the rim does not put a reading outside.
    pull = np.minimum(1.0, (part.radius_m - 5.0) / np.maximum(np.hypot(east_m, north_m), 1.0))
    east_m, north_m = east_m * pull, north_m * pull
    if pair.situation is Situation.HARDLY:
        start = int(rng.integers(max(1, len(east_m) - HARDLY_READING_COUNT)))
        window = slice(start, start + HARDLY_READING_COUNT)
        east_m, north_m = east_m[window], north_m[window]
    level_dbm = field.level_dbm(east_m, north_m) + rng.normal(0.0, FADING_DB, len(east_m))
    latitude_deg, longitude_deg = degrees(part, east_m, north_m)
    return latitude_deg.round(6), longitude_deg.round(6), np.clip(level_dbm, -139.0, -50.0).round(1)


def _as_old_network(rng: np.random.Generator, pair: Pair, walk: SignalRows) -> SignalRows:
    if pair.situation is not Situation.OLD:
        return walk
    count = len(walk.pair)
    rat = np.where(rng.random(count) < 0.7, UMTS, GSM)
    level_dbm = np.where(rat == UMTS, rng.normal(-92.0, 4.0, count), rng.normal(-85.0, 4.0, count))
    # A 2G cell identity has 16 bits.
    cell_identity = np.where(rat == UMTS, walk.cell_identity, 1_000 + pair.number)
    return walk._replace(
        rat=rat,
        level_dbm=np.clip(level_dbm, -108.0, -60.0).round(1),
        cell_identity=cell_identity,
        rsrq_db=np.full(count, np.nan),
        sinr_db=np.full(count, np.nan),
    )


def _without_service(walk: SignalRows) -> SignalRows:
    is_lost = (walk.rat == LTE) & (walk.level_dbm < SERVICE_LOST_DBM)
    return walk._replace(
        serving_operator=np.where(is_lost, NO_OPERATOR, walk.serving_operator),
        rat=np.where(is_lost, 0, walk.rat),
        cell_identity=np.where(is_lost, -1, walk.cell_identity),
        level_dbm=np.where(is_lost, np.nan, walk.level_dbm),
        rsrq_db=np.where(is_lost, np.nan, walk.rsrq_db),
        sinr_db=np.where(is_lost, np.nan, walk.sinr_db),
        service_state=np.where(is_lost, NO_SERVICE, walk.service_state),
    )


def _with_neighbours(rng: np.random.Generator, walk: SignalRows) -> SignalRows:
    """Add rows of cells that were heard and not used, some of them far stronger than what served."""
    heard = np.flatnonzero((walk.rat == LTE) & (rng.random(len(walk.pair)) < NEIGHBOUR_SHARE))
    rows = walk.taken(heard)
    neighbours = rows._replace(
        cell_identity=rows.cell_identity + 1,
        level_dbm=np.clip(rows.level_dbm + rng.normal(0.0, 12.0, len(heard)), -139.0, -50.0).round(
            1
        ),
        cell_role=np.full(len(heard), NEIGHBOUR),
    )
    joined = SignalRows(
        *(np.concatenate(columns) for columns in zip(walk, neighbours, strict=True))
    )
    return joined.taken(np.argsort(joined.observed_time_ms, kind="stable"))


def reading_count_of(sites: list[Site]) -> int:
    """Return about how many readings a full measurement of some sites takes."""
    area_m2 = sum(math.pi * part.radius_m**2 for site in sites for part in site.parts)
    return int(len(WALKS) * area_m2 / WALK_STEP_M**2)
