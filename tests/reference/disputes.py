"""Disputes by plain dicts and calendar days: every step is held against everything that was said before it."""

from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any

ICT = timezone(timedelta(hours=7))
SAID = ("act", "dispute", "name", "role", "text", "evidence", "verdict", "favour")

Event = dict[str, Any]


def last_moment(moment: datetime, days: int) -> datetime:
    """Return the end of the Vietnamese day so many days later."""
    day = moment.astimezone(ICT).date() + timedelta(days=days)
    return datetime.combine(day, time.max, ICT).replace(microsecond=999_000)


def standings(
    events: list[Event], filing_days: int, rebuttal_days: int, silent: str, at: datetime
) -> tuple[dict[str, tuple[str, str | None]], list[str | None]]:
    """Return (state, in whose favour) of each dispute, and why each event had no effect, None where it had one."""
    taken: list[Event] = []
    why: list[str | None] = []
    for event in events:
        refusal = _refusal(event, taken, filing_days, rebuttal_days, silent)
        why.append(refusal)
        if refusal is None:
            taken.append(event)
    names = [event["place"] for event in taken if event["act"] == "FILE"]
    return {name: _state(name, taken, rebuttal_days, silent, at) for name in names}, why


def _state(
    name: str, taken: list[Event], rebuttal_days: int, silent: str, at: datetime
) -> tuple[str, str | None]:
    filing = next(e for e in taken if e["place"] == name)
    acts = [e for e in taken if e["dispute"] == name]
    for event in acts:
        if event["act"] == "CONCEDE":
            return "CONCEDED", "filer"
        if event["act"] == "WITHDRAW":
            return "WITHDRAWN", "respondent"
        if event["act"] == "DECIDE":
            return ("UPHELD" if event["favour"] == "filer" else "DISMISSED"), event["favour"]
    if any(event["act"] == "REBUT" for event in acts):
        return "REBUTTED", None
    if at > last_moment(filing["at"], rebuttal_days):
        return "LAPSED", silent
    return "OPEN", None


def _refusal(
    event: Event, taken: list[Event], filing_days: int, rebuttal_days: int, silent: str
) -> str | None:
    if event["act"] == "FILE":
        return _refusal_of_filing(event, taken, filing_days, rebuttal_days, silent)
    filing = next((e for e in taken if e["act"] == "FILE" and e["place"] == event["dispute"]), None)
    if filing is None:
        return "UNKNOWN_DISPUTE"
    acts = [filing] + [e for e in taken if e["dispute"] == event["dispute"]]
    if any(all(e[k] == event[k] for k in SAID) for e in acts):
        return "REPEATED"
    state, _ = _state(event["dispute"], taken, rebuttal_days, silent, event["at"])
    if state == "LAPSED" and event["act"] == "REBUT":
        return "REBUTTED_LATE"
    if state not in ("OPEN", "REBUTTED"):
        return "CLOSED"
    if event["act"] == "WITHDRAW":
        return None if event["name"] == filing["name"] else "NOT_THE_FILER"
    if event["name"] == filing["name"]:
        return "OWN_DISPUTE"
    if event["act"] == "REBUT" and state == "REBUTTED":
        return "REBUTTED_ALREADY"
    if event["act"] == "DECIDE":
        if state == "OPEN":
            return "NOT_REBUTTED"
        if event["name"] in [e["name"] for e in acts if e["act"] == "REBUT"]:
            return "OWN_DISPUTE"
    return None


def _refusal_of_filing(
    event: Event, taken: list[Event], filing_days: int, rebuttal_days: int, silent: str
) -> str | None:
    filings = [e for e in taken if e["act"] == "FILE"]
    if any(all(e[k] == event[k] for k in SAID) for e in filings):
        return "REPEATED"
    as_of = datetime.fromtimestamp(event["verdict"]["as_of_ms"] // 1000, UTC)
    if as_of > event["at"]:
        return "VERDICT_TO_COME"
    if event["at"] > last_moment(as_of, filing_days):
        return "FILED_LATE"
    rows = ("site_code", "operator", "technology")
    for filing in filings:
        is_same = all(filing["verdict"][k] == event["verdict"][k] for k in rows)
        state, _ = _state(filing["place"], taken, rebuttal_days, silent, event["at"])
        if is_same and filing["name"] == event["name"] and state in ("OPEN", "REBUTTED"):
            return "FILED_ALREADY"
    return None
