"""Milestones of a row: claimed on air, first telemetry, first verified. A claim is shown beside the verdict, never as it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from phusong.kernels.radio import RAT_NAMES
from phusong.kernels.wire.text import text_hash
from phusong.verifier.coverage import wording
from phusong.verifier.coverage.cells import CellState, ClaimKey
from phusong.verifier.coverage.claims import SiteClaim
from phusong.verifier.coverage.records import SiteVerdict, Verdict
from phusong.verifier.registry.sites import SiteRegister

UNIX_DAY = datetime(1970, 1, 1, tzinfo=UTC).date()

Claims = Mapping[ClaimKey, SiteClaim]


@dataclass(frozen=True, slots=True)
class Milestones:
    """Dates of one site, operator and technology; None where nothing says.

    `claimed_on_air` is the earliest date its cells claim. `first_verified` is the Vietnam day whose evidence first proved
    coverage. Gaps are those of announced heartbeats, since the first of them; None where none was announced.
    `lost_batch_count`: numbered batches of the senders of these reports that never came, by the known-at time.
    """

    claimed_on_air: str | None
    first_telemetry: str | None
    last_telemetry: str | None
    first_verified: str | None
    heartbeat_gap_count: int | None
    heartbeat_gap_ms: int | None
    heartbeat_gap_longest_ms: int | None
    lost_batch_count: int | None


NO_MILESTONES = Milestones(*[None] * 8)


def claim_of(claims: Claims, rat: int, row: SiteVerdict) -> SiteClaim | None:
    """Return what a row's base stations claim."""
    return claims.get(ClaimKey(text_hash(row.site_code), row.operator, rat))


def is_claimed_within(claims: Claims, row: SiteVerdict, first_ms: int, last_ms: int) -> bool:
    """Tell whether a row's operator claims to have been on air there within a time.

    By any technology: a phone without service found none of them.
    """
    site_code = text_hash(row.site_code)
    of_row = (ClaimKey(site_code, row.operator, rat) for rat in range(len(RAT_NAMES)))
    found = (claims[key] for key in of_row if key in claims)
    return any(claim.is_claimed_within(first_ms, last_ms) for claim in found)


def with_claim(row: SiteVerdict, claim: SiteClaim | None) -> SiteVerdict:
    """Return a row that names its claim, and what speaks against it. The verdict is never another for it."""
    if claim is None:
        return row
    reason = row.reason + wording.claimed(claim, row.technology)
    missing = row.missing
    if claim.silences and row.verdict is not Verdict.COVERED:
        missing = (*missing, wording.silent_stations(claim))
    return replace(row, reason=reason, missing=missing)


def claimed_sites(sites: SiteRegister, cells: CellState, as_of_ms: int) -> frozenset[str]:
    """Return the codes of sites that some base station claims to have been on air at by a time."""
    claimed = {
        key.site_code
        for key, claim in cells.site_claims(as_of_ms).items()
        if claim.on_air_since_ms is not None and claim.on_air_since_ms <= as_of_ms
    }
    return frozenset(site.code for site in sites.sites if text_hash(site.code) in claimed)


def site_milestones(
    cells: CellState,
    as_of_ms: int,
    verified: Mapping[tuple[str, str, str], int],
    lost_batches: Mapping[int, int],
    site_codes: Collection[str],
) -> dict[tuple[str, str, str], Milestones]:
    """Return the milestones of some sites, by site code, operator and technology.

    verified: the first day on which each was, counted from 1970-01-01. lost_batches: by hash of the sender.
    """
    code_of = {text_hash(code): code for code in site_codes}
    senders = cells.senders_by_site()
    found = {name: _milestones(None, day, None) for name, day in verified.items()}
    for key, claim in cells.site_claims(as_of_ms).items():
        if key.site_code in code_of:
            name = (code_of[key.site_code], key.operator, RAT_NAMES[key.rat])
            whose = senders.get((key.site_code, key.operator), set())
            lost = sum(lost_batches.get(sender, 0) for sender in whose)
            found[name] = _milestones(claim, verified.get(name), lost)
    return found


def _milestones(
    claim: SiteClaim | None, first_verified_day: int | None, lost_batch_count: int | None
) -> Milestones:
    verified = None
    if first_verified_day is not None:
        verified = (UNIX_DAY + timedelta(days=first_verified_day)).isoformat()
    if claim is None:
        return replace(NO_MILESTONES, first_verified=verified)
    gaps = claim.silences
    longest_ms = max((last - first + 1 for first, last in gaps or ()), default=0)
    return Milestones(
        claimed_on_air=_text(claim.on_air_since_ms),
        first_telemetry=_text(claim.first_telemetry_ms),
        last_telemetry=_text(claim.last_telemetry_ms),
        first_verified=verified,
        heartbeat_gap_count=None if gaps is None else len(gaps),
        heartbeat_gap_ms=None if gaps is None else claim.silent_ms,
        heartbeat_gap_longest_ms=None if gaps is None else longest_ms,
        lost_batch_count=lost_batch_count,
    )


def _text(time_ms: int | None) -> str | None:
    return None if time_ms is None else wording.time_text(time_ms)
