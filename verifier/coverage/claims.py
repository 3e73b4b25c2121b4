"""What the cells of a site claim together: since when they are on air, when they were heard, when they were silent."""

from collections.abc import Iterable
from typing import NamedTuple

Span = tuple[int, int]  # Unix ms, both ends included


class CellClaim(NamedTuple):
    """What one cell claims of itself. `heard` is empty where it announced no heartbeat: nothing can be missed then."""

    first_telemetry_ms: int
    last_telemetry_ms: int
    on_air_since_ms: int | None
    is_on_air: bool
    heard: list[Span]
    claimed: list[Span]


class SiteClaim(NamedTuple):
    """What an operator's cells of one technology claim of a site; None where nothing says.

    `silences` are the spans since the first heartbeat in which a heartbeat that had been announced was not heard; None where
    none was announced. `claimed` are the spans in which one of them says it was on air.
    """

    first_telemetry_ms: int
    last_telemetry_ms: int
    on_air_since_ms: int | None
    is_on_air: bool
    silences: tuple[Span, ...] | None
    claimed: tuple[Span, ...]

    @property
    def silent_ms(self) -> int:
        """How long the cells were silent in all."""
        return sum(last - first + 1 for first, last in self.silences or ())

    def is_claimed_within(self, first_ms: int, last_ms: int) -> bool:
        """Tell whether they claim to have been on air at some time of a span."""
        return any(first <= last_ms and last >= first_ms for first, last in self.claimed)


def joined_claim(cells: list[CellClaim], as_of_ms: int) -> SiteClaim:
    """Return the claim of several cells up to a time: a site is heard, and on air, when one of its cells is."""
    heard = _union(span for cell in cells for span in cell.heard)
    claimed = _union(span for cell in cells for span in (*cell.claimed, *_open_end(cell, as_of_ms)))
    since = [cell.on_air_since_ms for cell in cells if cell.on_air_since_ms is not None]
    return SiteClaim(
        first_telemetry_ms=min(cell.first_telemetry_ms for cell in cells),
        last_telemetry_ms=max(cell.last_telemetry_ms for cell in cells),
        on_air_since_ms=min(since, default=None),
        is_on_air=any(cell.is_on_air for cell in cells),
        silences=tuple(_between(heard, heard[0][0], as_of_ms)) if heard else None,
        claimed=tuple(span for span in claimed if span[0] <= as_of_ms),
    )


def _open_end(cell: CellClaim, as_of_ms: int) -> list[Span]:
    """Return for how long the last word of a cell without heartbeat holds: until it says otherwise."""
    if cell.heard or not cell.is_on_air:
        return []
    return [(cell.last_telemetry_ms, as_of_ms)]


def _union(spans: Iterable[Span]) -> list[Span]:
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def _between(spans: list[Span], from_ms: int, until_ms: int) -> list[Span]:
    """Return what lies between spans within a time."""
    gaps, at_ms = [], from_ms
    for first, last in spans:
        if first > until_ms:
            break
        if first > at_ms:
            gaps.append((at_ms, first - 1))
        at_ms = max(at_ms, last + 1)
    if at_ms <= until_ms:
        gaps.append((at_ms, until_ms))
    return gaps
