"""What base stations say of themselves: milestones, silences and contradictions, never coverage.

Kept per cell, claimed site and technology: when the first and last report came, since when it is claimed to be on air, what
the latest report said, and two unions of spans: when telemetry was heard (a report speaks for HEARTBEAT_MISSED_MAX
intervals), and when the cell was claimed to be on air. New, add, merge, export; order, cuts and merges change nothing.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.claims import ClaimCounts, Claims
from phusong.kernels.columns import INT_MISSING, CellReports, Int64Column
from phusong.kernels.plmn import operator_of
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.spans import SpanUnion
from phusong.kernels.tally import Tally
from phusong.kernels.wire.text import text_hash
from phusong.verifier.coverage.claims import CellClaim, SiteClaim, joined_claim
from phusong.verifier.registry.sites import SiteRegister

NO_SITE = 0  # the hash of ""
# A report speaks for so many of its announced intervals: two may be lost on the way (VRRP and OSPF wait for three and
# four). What comes after is silence.
HEARTBEAT_MISSED_MAX = 3
# Who reports more seldom than weekly announces no heartbeat; and times stay far from the end of int64.
HEARTBEAT_MAX_MS = 7 * 86_400_000
HEARD, CLAIMED = 0, 1  # kinds of spans


class ClaimKey(NamedTuple):
    """Of what a claim is: the hash of a site's code, an operator's slug, a technology."""

    site_code: int
    operator: str
    rat: int


class CellState:
    """Reports of cells."""

    def __init__(self) -> None:
        """Start with no report."""
        self.claims = Claims()
        self.spans = SpanUnion(5)  # plmn, cell_identity, hash of site_code, technology, kind
        self.senders = Tally(3)  # plmn, hash of site_code, hash of the sender

    def add(
        self,
        reports: CellReports,
        time_ms: Int64Column,
        sites: SiteRegister,
        reason: Int64Column,
        sender: Int64Column | None = None,
    ) -> None:
        """Count the rows whose reason is 0; a site that the register does not have is a reason.

        sender: hash of who sent each row, whose lost batches speak against the claims.
        """
        known = np.array([NO_SITE, *(text_hash(site.code) for site in sites.sites)], np.int64)
        is_unknown = ~np.isin(reports.site_code, known)
        reason[is_unknown & (reason == TAKEN)] = Reject.SITE_UNKNOWN
        taken = np.flatnonzero(reason == TAKEN)
        reports = CellReports(*(column[taken] for column in reports))
        time_ms = time_ms[taken]
        since_ms = reports.on_air_since_time_ms
        since_ms = np.where(since_ms == INT_MISSING, time_ms, since_ms)
        key = (reports.plmn, reports.cell_identity, reports.site_code, reports.rat)
        self.claims.add(key, time_ms, reports.on_air, since_ms)
        self._add_spans(reports, time_ms, since_ms)
        if sender is not None:
            self.senders.add(reports.plmn, reports.site_code, sender[taken])

    def merge(self, other: "CellState") -> None:
        """Add what another state has counted."""
        self.claims.merge(other.claims)
        self.spans.merge(other.spans)
        self.senders.merge(other.senders)

    def export(self) -> dict[str, NDArray[Any]]:
        """Return everything counted, sorted by cell."""
        keys, counts = self.claims.export()
        arrays: dict[str, NDArray[Any]] = {"keys": keys, **counts._asdict()}
        arrays["span_keys"], arrays["span_first_ms"], arrays["span_last_ms"] = self.spans.export()
        arrays["sender_keys"], arrays["sender_count"] = self.senders.export()
        return arrays

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Become what was exported."""
        counts = ClaimCounts(*(arrays[name] for name in ClaimCounts._fields))
        self.claims.restore(arrays["keys"], counts)
        self.spans.restore(arrays["span_keys"], arrays["span_first_ms"], arrays["span_last_ms"])
        self.senders.restore(arrays["sender_keys"], arrays["sender_count"])

    def site_claims(self, as_of_ms: int) -> dict[ClaimKey, SiteClaim]:
        """Return the claims about sites, as far as they had been made by a time."""
        cells: dict[ClaimKey, list[CellClaim]] = {}
        spans = self._spans_by_cell()
        keys, counts = self.claims.export()
        for cell, first, last, on_air, since in zip(
            map(tuple, keys.tolist()),
            counts.first_time_ms.tolist(),
            counts.last_time_ms.tolist(),
            counts.last_on_air.tolist(),
            counts.on_air_since_ms.tolist(),
            strict=True,
        ):
            plmn, _, site_code, rat = cell
            if site_code == NO_SITE or first > as_of_ms:
                continue
            claim = CellClaim(
                first_telemetry_ms=first,
                last_telemetry_ms=min(last, as_of_ms),
                on_air_since_ms=None if since == INT_MISSING else since,
                is_on_air=on_air == 1,
                heard=spans.get((*cell, HEARD), []),
                claimed=spans.get((*cell, CLAIMED), []),
            )
            cells.setdefault(ClaimKey(site_code, operator_of(plmn), rat), []).append(claim)
        return {key: joined_claim(found, as_of_ms) for key, found in cells.items()}

    def senders_by_site(self) -> dict[tuple[int, str], set[int]]:
        """Return the hashes of who reported for each site, by the hash of its code and operator."""
        found: dict[tuple[int, str], set[int]] = {}
        for plmn, site_code, sender in self.senders.export()[0].tolist():
            if site_code != NO_SITE:
                found.setdefault((site_code, operator_of(plmn)), set()).add(sender)
        return found

    def _add_spans(self, reports: CellReports, time_ms: Int64Column, since_ms: Int64Column) -> None:
        interval_ms = np.minimum(reports.heartbeat_interval_ms, HEARTBEAT_MAX_MS)
        has_heartbeat = interval_ms != INT_MISSING
        end_ms = time_ms + np.where(has_heartbeat, HEARTBEAT_MISSED_MAX * interval_ms, 0)
        is_claimed = reports.on_air == 1
        for kind, chosen, first_ms in (
            (HEARD, has_heartbeat, time_ms),
            (CLAIMED, is_claimed, since_ms),
        ):
            key = (reports.plmn, reports.cell_identity, reports.site_code, reports.rat)
            columns = (*key, np.full(len(time_ms), kind, np.int64))
            self.spans.add(
                tuple(column[chosen] for column in columns), first_ms[chosen], end_ms[chosen]
            )

    def _spans_by_cell(self) -> dict[tuple[int, ...], list[tuple[int, int]]]:
        keys, first_ms, last_ms = self.spans.export()
        found: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        rows = zip(map(tuple, keys.tolist()), first_ms.tolist(), last_ms.tolist(), strict=True)
        for key, first, last in rows:
            found.setdefault(key, []).append((first, last))
        return found
