"""What base stations say of themselves: milestones and contradictions, never coverage.

Kept per cell and claimed site: when the first report came, since when it is claimed to be on air, and what the
latest report said. New, add, merge, export; order, cuts and merges change nothing.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.claims import ClaimCounts, Claims
from phusong.kernels.columns import INT_MISSING, CellReports, Int64Column
from phusong.kernels.plmn import operator_of
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.wire.text import text_hash
from phusong.verifier.registry.sites import SiteRegister

NO_SITE = 0  # the hash of ""


class SiteClaim(NamedTuple):
    """What an operator's cells say of one site: the claim's milestones, None where nothing says."""

    first_telemetry_ms: int
    on_air_since_ms: int | None
    is_on_air: bool


class CellState:
    """Reports of cells."""

    def __init__(self) -> None:
        """Start with no report."""
        self.claims = Claims()

    def add(
        self,
        reports: CellReports,
        time_ms: Int64Column,
        sites: SiteRegister,
        reason: Int64Column,
    ) -> None:
        """Count the rows whose reason is 0; a site that the register does not have is a reason."""
        known = np.array([NO_SITE, *(text_hash(site.code) for site in sites.sites)], np.int64)
        is_unknown = ~np.isin(reports.site_code, known)
        reason[is_unknown & (reason == TAKEN)] = Reject.SITE_UNKNOWN
        taken = reason == TAKEN
        since_ms = reports.on_air_since_time_ms
        since_ms = np.where(since_ms == INT_MISSING, time_ms, since_ms)
        self.claims.add(
            (reports.plmn[taken], reports.cell_identity[taken], reports.site_code[taken]),
            time_ms[taken],
            reports.on_air[taken],
            since_ms[taken],
        )

    def merge(self, other: "CellState") -> None:
        """Add what another state has counted."""
        self.claims.merge(other.claims)

    def export(self) -> dict[str, NDArray[Any]]:
        """Return everything counted, sorted by cell."""
        keys, counts = self.claims.export()
        return {"keys": keys, **counts._asdict()}

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Become what was exported."""
        counts = ClaimCounts(*(arrays[name] for name in ClaimCounts._fields))
        self.claims.restore(arrays["keys"], counts)

    def site_claims(self) -> dict[tuple[int, str], SiteClaim]:
        """Return the claims about sites, by hash of the site's code and operator slug."""
        found: dict[tuple[int, str], SiteClaim] = {}
        keys, counts = self.claims.export()
        for (plmn, _, site_code), first, since, on_air in zip(
            keys.tolist(),
            counts.first_time_ms.tolist(),
            counts.on_air_since_ms.tolist(),
            counts.last_on_air.tolist(),
            strict=True,
        ):
            if site_code == NO_SITE:
                continue
            claim = SiteClaim(first, None if since == INT_MISSING else since, on_air == 1)
            key = (site_code, operator_of(plmn))
            found[key] = _joined(found[key], claim) if key in found else claim
        return found


def _joined(one: SiteClaim, other: SiteClaim) -> SiteClaim:
    """Return the claim of two cells of a site: it is on air when either is."""
    times = [t for t in (one.on_air_since_ms, other.on_air_since_ms) if t is not None]
    return SiteClaim(
        min(one.first_telemetry_ms, other.first_telemetry_ms),
        min(times, default=None),
        one.is_on_air or other.is_on_air,
    )
