"""The pupils' SIMs: who they are, what each really used on which day, and where that is counted.

Everything here is truth; `sessions` turns it into the readings a core network would send.
"""

from typing import NamedTuple

import numpy as np

from phusong.dashboards.demo import season
from phusong.dashboards.demo.provinces import Province
from phusong.dashboards.demo.sites import OPERATORS
from phusong.kernels.columns import BoolColumn, Int64Column

SIM_COUNT_MAX = 200_000  # beyond it the demo would take minutes; the load tests live in bench/

QUOTA_BYTES = 4 * 2**30  # DOMAIN §3: "4Gb" read as 4 GiB; 4·10⁹ is the other reading
OTHER_QUOTA_BYTES = 4 * 10**9

OPERATOR_SHARES = (0.48, 0.24, 0.22, 0.06)  # of OPERATORS

CROSSING_SHARE = 0.03  # of SIM-days: over 4 GiB
BETWEEN_SHARE = 0.005  # over 4·10⁹ and not over 4 GiB: only one reading of "4Gb" cuts them off
ZERO_RATED_SHARE = 0.25
LONG_SHARE = 0.08  # SIMs whose one session runs over midnight, with a reading exactly at midnight
SPLIT_SHARE = 0.01  # the same without that reading: the interval must be split pro rata

# Days that end exactly on an edge of 32 bits or of a reading of the quota.
EDGE_BYTES = (2**31 - 1, 2**31, 4 * 10**9, 2**32 - 1, 2**32, 2**32 + 1)


class Subscribers(NamedTuple):
    """One row per SIM; `used` and `zero_rated` have one column per day, split in uplink and downlink."""

    subscriber_key: Int64Column  # positive, so that it reads the same signed and unsigned
    operator: Int64Column  # index into OPERATORS
    province_code: list[str]
    handover_date: list[str]
    source_kind: Int64Column  # 0 core, 1 RADIUS, 2 hotspot: see `sources`
    is_long: BoolColumn
    is_split: BoolColumn
    uplink_bytes: Int64Column  # int64[sim, day], metered
    downlink_bytes: Int64Column
    zero_uplink_bytes: Int64Column
    zero_downlink_bytes: Int64Column

    def used_bytes(self) -> Int64Column:
        """Return the metered volume, int64[sim, day]."""
        return self.uplink_bytes + self.downlink_bytes

    def zero_rated_bytes(self) -> Int64Column:
        """Return the volume that is free, int64[sim, day]."""
        return self.zero_uplink_bytes + self.zero_downlink_bytes


def make_subscribers(
    rng: np.random.Generator, provinces: list[Province], sim_count: int
) -> Subscribers:
    """Return `sim_count` SIMs, the same for the same generator state."""
    assert 0 < sim_count <= SIM_COUNT_MAX
    used_bytes = _draw_used_bytes(rng, sim_count)
    uplink_bytes, downlink_bytes = _split_directions(rng, used_bytes)
    zero_bytes = (rng.lognormal(19.5, 0.8, used_bytes.shape)).astype(np.int64)
    zero_bytes[rng.random(used_bytes.shape) >= ZERO_RATED_SHARE] = 0
    zero_uplink_bytes, zero_downlink_bytes = _split_directions(rng, zero_bytes)
    habit = rng.random(sim_count)
    habit[: len(EDGE_BYTES)] = 1.0  # the edges are to be met exactly, not pro rata
    operator = rng.choice(len(OPERATORS), size=sim_count, p=OPERATOR_SHARES)
    # The virtual operator has one core network and nothing else.
    source_kind = np.where(
        operator == OPERATORS.index("itelecom"),
        0,
        rng.choice(3, size=sim_count, p=(0.55, 0.35, 0.1)),
    )
    homes = rng.integers(len(provinces), size=sim_count)
    # From the day after the plan to mid-December: three calendar months later is after the demo's days.
    handover = np.datetime64("2021-09-22") + rng.integers(0, 80, sim_count)
    return Subscribers(
        subscriber_key=_draw_keys(rng, sim_count),
        operator=operator,
        province_code=[provinces[i].gso_code for i in homes],
        handover_date=[str(day) for day in handover],
        source_kind=source_kind,
        is_long=habit < LONG_SHARE + SPLIT_SHARE,
        is_split=habit < SPLIT_SHARE,
        uplink_bytes=uplink_bytes,
        downlink_bytes=downlink_bytes,
        zero_uplink_bytes=zero_uplink_bytes,
        zero_downlink_bytes=zero_downlink_bytes,
    )


def _draw_keys(rng: np.random.Generator, count: int) -> Int64Column:
    keys = np.unique(rng.integers(1, 2**63 - 1, 2 * count))
    return rng.permutation(keys)[:count]


def _draw_used_bytes(rng: np.random.Generator, sim_count: int) -> Int64Column:
    shape = (sim_count, season.USAGE_DAY_COUNT)
    used_bytes = np.minimum(rng.lognormal(20.6, 0.7, shape), 3.8e9).astype(np.int64)
    fate = rng.random(shape)
    crossing = rng.integers(QUOTA_BYTES + 10**6, 9 * 10**9, shape)
    between = rng.integers(OTHER_QUOTA_BYTES + 1, QUOTA_BYTES, shape)
    used_bytes = np.where(fate < CROSSING_SHARE, crossing, used_bytes)
    is_between = (fate >= CROSSING_SHARE) & (fate < CROSSING_SHARE + BETWEEN_SHARE)
    used_bytes = np.where(is_between, between, used_bytes)
    edges = EDGE_BYTES[: used_bytes.size]
    used_bytes.reshape(-1)[: len(edges)] = edges
    return used_bytes


def _split_directions(
    rng: np.random.Generator, total_bytes: Int64Column
) -> tuple[Int64Column, Int64Column]:
    # Integer permille, so that both directions always add up to the total.
    uplink_bytes = total_bytes * rng.integers(40, 160, total_bytes.shape) // 1000
    return uplink_bytes, total_bytes - uplink_bytes
