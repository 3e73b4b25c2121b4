"""What a new version of a list changes against the one in force, said before it is entered."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from phusong.kernels.grants import Grant
from phusong.kernels.registers import SourceRegister
from phusong.verifier.registry.operators import OperatorRegister
from phusong.verifier.registry.sims import NOT_FOUND, SimRegister
from phusong.verifier.registry.sites import SiteRegister

# Names said of each kind of change; the rest is a number.
NAMES_MAX = 10


def changes(before: object, after: object) -> list[str]:
    """Return what entering `after` changes, line by line. `before` is what is in force, None where nothing is."""
    if isinstance(after, SourceRegister):
        return _of_sources(
            before.grants if isinstance(before, SourceRegister) else (), after.grants
        )
    if isinstance(after, SimRegister):
        return _of_sims(before if isinstance(before, SimRegister) else None, after)
    rows = _rows_of(after)
    return [] if rows is None else _of_rows(_rows_of(before) or {}, rows)


def _rows_of(register: object) -> Mapping[Any, Any] | None:
    """Return the rows of a register by what each is known by; None where it has no rows."""
    if isinstance(register, SiteRegister):
        return {site.code: site for site in register.sites}
    if isinstance(register, OperatorRegister):
        return register.behaviours
    if isinstance(register, tuple):  # platforms
        return {f"{row.platform} {row.domain} from {row.free_from}": row for row in register}
    return None


def _of_rows(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> list[str]:
    kept = before.keys() & after.keys()
    changed = [name for name in kept if before[name] != after[name]]
    return [
        _line("adds", after.keys() - before.keys()),
        _line("changes", changed),
        _line("removes", before.keys() - after.keys()),
        f"keeps {len(kept) - len(changed):,} as they were",
    ]


def _of_sources(before: Iterable[Grant], after: Iterable[Grant]) -> list[str]:
    """Say which sources come and go, and of those that stay whose credentials: what is revoked ends at once."""
    old = {grant.principal: grant for grant in before}
    new = {grant.principal: grant for grant in after}
    kept = old.keys() & new.keys()
    revoked = [name for name in kept if _credentials(old[name]) - _credentials(new[name])]
    issued = [name for name in kept if _credentials(new[name]) - _credentials(old[name])]
    others = [
        name
        for name in kept
        if old[name] != new[name] and _credentials(old[name]) == _credentials(new[name])
    ]
    gone = old.keys() - new.keys()
    return [
        _line("adds", new.keys() - old.keys()),
        _line("removes", gone, "they may no longer send, and their connections end"),
        _line("revokes a credential of", revoked, "connections made with it end"),
        _line("adds a credential to", issued),
        _line("changes what may be sent by", others),
        f"keeps {sum(old[name] == new[name] for name in kept):,} as they were",
    ]


def _credentials(grant: Grant) -> set[bytes]:
    return {*grant.token_sha256, *grant.certificate_sha256}


def _of_sims(before: SimRegister | None, after: SimRegister) -> list[str]:
    """Count; no key of a subscriber is ever shown."""
    if before is None or not len(before):
        return [f"adds {len(after):,}"]
    at = before.find(after.subscriber_key)
    is_kept = at != NOT_FOUND
    differs = np.zeros(len(after), np.bool_)
    for column in ("first_day", "last_day"):
        differs |= getattr(before, column)[at] != getattr(after, column)
    for column, names in (("operator", "operators"), ("province", "provinces")):
        old = np.array(getattr(before, names), np.str_)[getattr(before, column)[at]]
        differs |= old != np.array(getattr(after, names), np.str_)[getattr(after, column)]
    changed_count = int((differs & is_kept).sum())
    kept_count = int(is_kept.sum())
    return [
        f"adds {len(after) - kept_count:,}",
        f"changes {changed_count:,}",
        f"removes {len(before) - kept_count:,}: they are no longer entitled",
        f"keeps {kept_count - changed_count:,} as they were",
    ]


def _line(verb: str, names: Iterable[Any], consequence: str = "") -> str:
    found = sorted(map(str, names))
    if not found:
        return f"{verb} none"
    shown = ", ".join(found[:NAMES_MAX])
    more = f" and {len(found) - NAMES_MAX:,} more" if len(found) > NAMES_MAX else ""
    return f"{verb} {len(found):,} ({shown}{more}){f': {consequence}' if consequence else ''}"
