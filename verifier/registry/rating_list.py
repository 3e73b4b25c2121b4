"""When the traffic of which rating groups is free, by one version of the list of published platforms."""

from dataclasses import dataclass, field
from datetime import date

from phusong.verifier.registry.platforms import Platform, read_platforms

UNIX_DAY = date(1970, 1, 1)
DAY_LAST = 2**31  # of a platform without an end: beyond every day

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class RatingList:
    """Free days by operator and rating group.

    A group that the list names is free on those days and metered on all others, whatever its sender calls it; of a group that
    it does not name the sender's word counts.
    """

    free_days: dict[tuple[str, int], Ranges] = field(default_factory=dict)

    @classmethod
    def of(cls, content: bytes) -> "RatingList":
        """Return the list in a file that was checked before it was journalled."""
        if not content:
            return cls()
        platforms = read_platforms(content)
        assert isinstance(platforms, tuple), "entries are validated before they are journalled"
        return cls.of_platforms(platforms)

    @classmethod
    def of_platforms(cls, platforms: tuple[Platform, ...]) -> "RatingList":
        """Return the list of those platforms that say which rating group they are."""
        found: dict[tuple[str, int], Ranges] = {}
        for one in platforms:
            if one.rating_group is None:
                continue
            first = (one.free_from - UNIX_DAY).days
            last = DAY_LAST if one.free_until is None else (one.free_until - UNIX_DAY).days
            key = one.operator, one.rating_group
            found[key] = (*found.get(key, ()), (first, last))
        return cls(found)

    def is_free(self, operator: str, rating_group: int, ict_day: int, *, as_sent: bool) -> bool:
        """Tell whether bytes of a day are free. as_sent: whether their sender says so."""
        ranges = self.free_days.get((operator, rating_group))
        if ranges is None:
            return as_sent
        return any(first <= ict_day <= last for first, last in ranges)
