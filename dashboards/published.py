"""A published report against the same report recomputed, field by field."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

from phusong.dashboards.commands.coverage import coverage_document
from phusong.dashboards.commands.options import day_number, time_ms
from phusong.dashboards.commands.quota import quota_document
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.report import QuotaDay
from phusong.verifier.state import State

Document = dict[str, Any]
Build = Callable[
    [Horizon, int | None], State
]  # the horizon, and the last sequence used; None is all

# What names a row in a list of rows; other lists are compared as they stand.
ROW_KEYS = {"sites": ("site_code", "operator", "technology"), "sims": ("sim",)}
# Another version may well come to the same answer; that is what the comparison is for.
NOT_COMPARED = {"software"}
# Fields may be added: a report by older software says nothing of them. From the same software somebody took them out.
ADDED_LATER = frozenset(("floors", "milestones", "other_claims", "parts", "any_operator", "tests"))
# Of these a report says nothing only where there is nothing to say: else somebody took them out.
ADDED_EMPTY = {"overlay", "disputes"}


class NoReport(ValueError):
    """A document is no report of ours."""


def report_differences(published: Document, build: Build) -> list[str]:
    """Return where a report differs from what the journal says, as "path: published …, recomputed …". Raises NoReport.

    Evidence that was imported since may count under an earlier arrival: where the whole journal answers otherwise, the
    frames the report says it used are asked.
    """
    horizon, sequence = _horizon(published)
    found = differences(published, _recomputed(published, build(horizon, None), horizon))
    if found:
        again = _recomputed(published, build(horizon, sequence), horizon)
        found = min(found, differences(published, again), key=len)
    return found


def differences(published: Document, recomputed: Document) -> list[str]:
    """Return where two documents differ, as "path: published …, recomputed …"; `software` is not compared."""
    is_older = published.get("software") != recomputed.get("software")
    return list(_compare(published, recomputed, ADDED_LATER if is_older else frozenset()))


def _horizon(published: Document) -> tuple[Horizon, int]:
    try:
        as_of, known_at = published["as_of"], published["known_at"]
        sequence = published["journal"]["sequence"]
        is_report = isinstance(published.get("sites"), list) or (
            isinstance(published.get("sims"), list) and isinstance(published.get("day"), str)
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise NoReport("without as_of, known_at or journal.sequence") from error
    if not is_report or not isinstance(sequence, int):
        raise NoReport("neither of coverage nor of quota, as `--format json` writes them")
    if not isinstance(as_of, str) or not isinstance(known_at, str):
        raise NoReport("its as_of and known_at are no times")
    return Horizon(time_ms(as_of, "as_of"), time_ms(known_at, "known_at")), sequence


def _recomputed(published: Document, state: State, horizon: Horizon) -> Document:
    as_of_ms, known_at_ms = horizon
    assert as_of_ms is not None, "a report has a time"
    assert known_at_ms is not None, "a report has a time"
    if "sites" in published:
        document = coverage_document(
            state, state.reported(as_of_ms, known_at_ms), as_of_ms, known_at_ms
        )
        return _narrowed(document, published, "sites", "site_code")
    report: QuotaDay = state.quota.day(day_number(published["day"]))
    return _narrowed(quota_document(state, report, as_of_ms, known_at_ms), published, "sims", "sim")


def _narrowed(document: Document, published: Document, name: str, key: str) -> Document:
    """Keep the rows of one site or SIM, where the report was asked for one only (`--site`, `--sim`)."""
    named = {row.get(key) for row in published[name] if isinstance(row, dict)}
    if len(named) != 1:
        return document
    # Of a report of coverage, everything that is told by site.
    lists = [part for part in (name, "other_claims", "any_operator") if part in document]
    return document | {part: [row for row in document[part] if row[key] in named] for part in lists}


def _compare(
    published: Any, recomputed: Any, later: frozenset[str], path: str = ""
) -> Iterator[str]:
    if isinstance(published, dict) and isinstance(recomputed, dict):
        for name in published | recomputed:
            is_later = name not in published and (
                name in later or (name in ADDED_EMPTY and not recomputed.get(name))
            )
            if (path or name not in NOT_COMPARED) and not is_later:
                ours, theirs = recomputed.get(name, "nothing"), published.get(name, "nothing")
                where = f"{path}.{name}" if path else name
                if name in ROW_KEYS and isinstance(theirs, list):
                    ours, theirs = _by_key(ours, ROW_KEYS[name]), _by_key(theirs, ROW_KEYS[name])
                yield from _compare(theirs, ours, later, where)
    elif _plain(published) != _plain(recomputed):
        ours = str(recomputed) if isinstance(recomputed, StrEnum) else recomputed
        yield f"{path}: published {published!r}, recomputed {ours!r}"


def _by_key(rows: list[Any], keys: tuple[str, ...]) -> Document:
    """Return rows by what names them; one that is given twice, or has no name, keeps its place in its name."""
    named: Document = {}
    for place, row in enumerate(rows):
        name = " ".join(str(row.get(key)) for key in keys) if isinstance(row, dict) else "?"
        named[name if name not in named else f"{name} (row {place})"] = row
    return named


def _plain(value: Any) -> Any:
    """Return a value as JSON would give it back, so that 1 and true, or a tuple and a list, are told apart or not."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return (isinstance(value, bool), value)
