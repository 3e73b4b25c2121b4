"""Numbers that did not come, as ranges: small while little is missing. Plain Python, for the rare and old."""

from bisect import bisect_left, bisect_right

# Of one row. 16 bytes each, so a source that loses every second batch for ever costs 1 MiB. Past it the oldest range
# is forgotten: of what is at or below it nobody can tell then whether it came before, so it is refused.
MISSING_RANGE_COUNT_MAX = 65_536


class MissingRanges:
    """Numbers below the window of one row that did not come, as disjoint ranges in rising order."""

    __slots__ = ("first", "floor", "forgotten_count", "last")

    def __init__(self) -> None:
        """Start with nothing missing."""
        self.first: list[int] = []
        self.last: list[int] = []
        self.floor = 0  # at or below it nothing is known any more
        self.forgotten_count = 0

    def append(self, first: int, last: int) -> None:
        """Add a range above all others."""
        if self.last and self.last[-1] == first - 1:
            self.last[-1] = last
            return
        self.first.append(first)
        self.last.append(last)
        if len(self.first) > MISSING_RANGE_COUNT_MAX:
            oldest = self.first.pop(0)
            self.floor = self.last.pop(0)
            self.forgotten_count += self.floor - oldest + 1

    def take(self, number: int) -> bool:
        """Take a number above the floor that came after all; tell whether it had been missing."""
        assert number > self.floor, "below it nothing is known"
        at = bisect_right(self.first, number) - 1
        if at < 0 or self.last[at] < number:
            return False
        first, last = self.first[at], self.last[at]
        if first == last:
            del self.first[at], self.last[at]
        elif number == first:
            self.first[at] = number + 1
        elif number == last:
            self.last[at] = number - 1
        else:
            self.last[at] = number - 1
            split = bisect_left(self.first, number)
            self.first.insert(split, number + 1)
            self.last.insert(split, last)
        return True

    def top(self) -> int:
        """Return the number above which nothing is missing."""
        return self.last[-1] if self.last else self.floor

    def count(self) -> int:
        """Return how many numbers are missing."""
        return sum(self.last) - sum(self.first) + len(self.first)
