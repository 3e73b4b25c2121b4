"""The terms of a policy, one record per table of its file."""

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Header:
    """What a policy is called and when it holds; `effective_until` is None while it is open."""

    id: str
    title: str
    effective_from: dt.date
    effective_until: dt.date | None


@dataclass(frozen=True, slots=True)
class Technology:
    """A technology and the level it must reach, in dBm of its own kind."""

    rat: str
    counts: bool
    floor_dbm: int
    reported_tiers_dbm: tuple[int, ...]
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Share:
    """The share of the footprint that must meet the floor, and how sure a verdict must be."""

    permille: int
    confidence_permille: int
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Place:
    """The squares ground is divided into, and how well a reading must know where it was."""

    cell_size_m: int
    cluster_size_m: int
    position_accuracy_max_m: int
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Time:
    """Windows of the Vietnam day, hours that are judged, and how long evidence is valid."""

    window_hours: int
    measuring_hour_first: int
    measuring_hour_end: int
    validity_days: int
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Minimum:
    """Evidence below which no verdict is given."""

    devices: int
    windows: int
    window_gap_hours: int
    days: int
    places_permille: int
    reach_permille: int
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Device:
    """What one device can contribute at most."""

    windows_per_place_max: int
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class ServiceTerms:
    """What is asked besides the level, and whether the verdict depends on it or only shows it.

    Download and latency must be reached at `share_permille` of the places; of attempts to open a data session, on at least
    `access_samples_min` of them, at most `access_failure_permille_max` may fail. Confidence is that of the policy's share.
    """

    decides: bool
    share_permille: int
    access_failure_permille_max: int
    access_samples_min: int
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class ServiceFloor:
    """What one technology must reach in some provinces, in all others where none are named; 0 is not asked."""

    rat: str
    zone: str
    provinces: tuple[str, ...]
    download_min_bits_per_s: int
    latency_max_ms: int
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Service:
    """The terms and the floors of each technology and zone."""

    terms: ServiceTerms
    floors: tuple[ServiceFloor, ...]

    def floor(self, rat: str, province_code: str) -> ServiceFloor | None:
        """Return the floor of a technology in a province, None where nothing is asked."""
        found = [floor for floor in self.floors if floor.rat == rat]
        named = [floor for floor in found if province_code in floor.provinces]
        return next(iter(named or [floor for floor in found if not floor.provinces]), None)


@dataclass(frozen=True, slots=True)
class Plausibility:
    """What readings cannot be, taken together; see docs/plausibility.md.

    A level proves too much when it is above free space from its cell's mast, which stands at most `mast_distance_max_m` from the
    site it was built for, by more than `free_space_sigmas` standard deviations of `free_space_sigma_db`.
    """

    speed_max_m_per_s: int
    stuck_places_min: int
    stuck_extent_min_m: int
    cell_reach_max_m: int
    devices_at_position_max: int
    eirp_max_dbm: int
    frequency_min_mhz: int
    free_space_sigma_db: int
    free_space_sigmas: int
    mast_distance_max_m: int
    source: str
    verified: bool
