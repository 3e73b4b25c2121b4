"""A meter that rates traffic by dated lists, and again when a list comes that says otherwise of days gone by.

Rows that name a rating group are metered a second time apart, a line for every SIM and group, blind to classes: what of a
counter falls on which day does not depend on what is free. How a line's day changes is then added to the SIM's day, in the class
that the list in force gives the group on that day. So a list that changes its mind moves whole SIM-days of a line from one class to
the other, whatever sources, sessions, repeats and midnights went into them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.columns import BoolColumn, Int64Column, UsageReadings
from phusong.kernels.identity import KeyTable
from phusong.kernels.meter_figures import Accounts
from phusong.kernels.meter_state import Meter
from phusong.kernels.rating import mark_lines
from phusong.kernels.reject import TAKEN
from phusong.verifier.names import Names
from phusong.verifier.registry.rating_list import RatingList

METERED, ZERO_RATED = 1, 2  # of telemetry.proto
EVERY_DAY = 2**40
NEVER_BYTES = 2**62  # thresholds of lines: a line alone decides nothing
# Rows of one line in one batch are added one after the other, so that a crossing has the time of its reading; past so many
# (no honest source sends them in the milliseconds of a frame) together, and the last of them counts.
ROUND_COUNT_MAX = 64
# Columns of `_lines`: whose a line is, and its label.
L_SIM, L_OPERATOR, L_LABEL = range(3)
PREFIX = "rated_"


class RatingMeter(Meter):
    """A `Meter` whose zero-rated bytes are those of a `RatingList`."""

    def __init__(self, threshold_bytes: Int64Column, operators: Names) -> None:
        """Start empty, without a list. operators: the texts behind the `operator` numbers of `add`."""
        super().__init__(threshold_bytes)
        self.rating_list = RatingList()
        self._operators = operators
        self._content = b""
        self._rated = _new_lines()
        self._line_keys = KeyTable(1)
        self._labels = KeyTable(3)  # operator, rating group, whether its sender calls it free
        self._lines = np.empty((0, 3), np.int64)

    def add(  # noqa: PLR0917  as in Meter
        self,
        readings: UsageReadings,
        time_ms: Int64Column,
        time_flag: Int64Column,
        received_time_ms: Int64Column,
        source: Int64Column,
        operator: Int64Column,
        is_repeated: BoolColumn,
        reason: Int64Column,
    ) -> None:
        """Take in the next rows, as `Meter.add`."""
        # What does not count is accounted for, and leaves no line behind.
        is_rated = (readings.rating_group != 0) & (reason == TAKEN) & ~is_repeated
        facts = (time_ms, time_flag, received_time_ms, source, operator)
        if not is_rated.any():
            super().add(readings, *facts, is_repeated, reason)
            return
        plain = np.flatnonzero(~is_rated)
        if len(plain):
            why = reason[plain]
            times, flags, received, sources, operators = (column[plain] for column in facts)
            super().add(
                *(_rows(readings, plain), times, flags, received, sources, operators),
                is_repeated[plain],
                why,
            )
            reason[plain] = why
        for rows in self._rounds(readings, operator, np.flatnonzero(is_rated)):
            why = reason[rows]
            self._add_lines(_rows(readings, rows), [column[rows] for column in facts], why)
            reason[rows] = why

    def rate(self, content: bytes, time_ms: int) -> None:
        """Rate by another list from now on, also what was counted before. content: a checked file of platforms."""
        before, self.rating_list = self.rating_list, RatingList.of(content)
        self._content = content
        for day in self._rated.days().tolist():
            was, now = (self._is_free(found, day) for found in (before, self.rating_list))
            if (was == now).all():
                continue
            found = self._rated.sims_of_day(day)
            row = self._line_keys.find(found.subscriber_key)
            label = self._lines[row, L_LABEL]
            sign = was[label].astype(np.int64) - now[label]  # 1 where it becomes metered
            amounts = np.zeros((len(row), 5), np.int64)
            amounts[:, 0], amounts[:, 4] = day, time_ms
            amounts[:, 1] = sign * found.metered_bytes
            amounts[:, 2] = sign * found.indeterminate_bytes
            amounts[:, 3] = -sign * found.metered_bytes
            moved = np.flatnonzero((sign != 0) & (found.metered_bytes != 0))
            whose = self._lines[row[moved]]
            self.add_amounts(whose[:, L_SIM].copy(), whose[:, L_OPERATOR].copy(), amounts[moved])

    def charged_bytes(self, ict_day: int) -> tuple[Int64Column, Int64Column]:
        """Return SIMs, and the bytes of theirs on a day that the list makes free and their sender's own class does not."""
        found = self._rated.sims_of_day(ict_day)
        row = self._line_keys.find(found.subscriber_key)
        label = self._lines[row, L_LABEL]
        is_sent_free = self._labels.keys[:, 2] != 0
        is_charged = (self._is_free(self.rating_list, ict_day) & ~is_sent_free)[label]
        return self._lines[row[is_charged], L_SIM], found.metered_bytes[is_charged]

    def accounts(self) -> Accounts:
        """Return the accounts of all days and sources, by day, then source, however their rows are metered."""
        both = [super().accounts(), self._rated.accounts()]
        joined = Accounts(*(np.concatenate(columns) for columns in zip(*both, strict=True)))
        order = np.lexsort((joined.source, joined.ict_day))
        key = np.stack((joined.ict_day[order], joined.source[order]))
        first = np.flatnonzero(np.r_[True, (np.diff(key) != 0).any(axis=0)][: len(order)])
        summed = {
            name: np.add.reduceat(column[order], first) if len(order) else column
            for name, column in joined._asdict().items()
        }
        summed["ict_day"], summed["source"] = (column[first] for column in key)
        return Accounts(**summed)

    def export(self) -> dict[str, NDArray[Any]]:
        """Return everything by name; arrays are copies."""
        rated = {PREFIX + name: array for name, array in self._rated.export().items()}
        return {
            **super().export(),
            **rated,
            "lines": self._lines[: self._line_keys.count].copy(),
            "line_keys": self._line_keys.keys.copy(),
            "labels": self._labels.keys.copy(),
            "platforms": np.frombuffer(self._content, np.uint8),
        }

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Become what was exported."""
        super().restore(_own_in(arrays))
        self._rated = _new_lines()
        self._rated.restore(_rated_in(arrays))
        self._rated.watch_days(EVERY_DAY)
        self._lines = arrays["lines"].copy()
        self._line_keys = KeyTable(1, arrays["line_keys"])
        self._labels = KeyTable(3, arrays["labels"])
        self._content = arrays["platforms"].tobytes()
        self.rating_list = RatingList.of(self._content)

    def merge(self, other: Meter) -> None:
        """Take in the state of another meter that knows other SIMs, and rates by the same list."""
        assert isinstance(other, RatingMeter), "one kind of meter"
        found = other.export()
        assert found["platforms"].tobytes() == self._content, "one list"
        # Of plain meters: what is inherited would write down and restore more than its own.
        plain, theirs = (Meter(self.tables.threshold_bytes) for _ in range(2))
        plain.restore(_own_in(self.export()))
        theirs.restore(_own_in(found))
        plain.merge(theirs)
        super().restore(plain.export())
        rated = _new_lines()
        rated.restore(_rated_in(found))
        self._rated.merge(rated)
        self._rated.watch_days(EVERY_DAY)
        label = self._labels.rows_of(*found["labels"].T.copy())
        row = self._line_keys.rows_of(found["line_keys"][:, 0].copy())
        self._make_lines()
        self._lines[row] = found["lines"]
        self._lines[row, L_LABEL] = label[found["lines"][:, L_LABEL]]

    def _rounds(
        self, readings: UsageReadings, operator: Int64Column, rated: Int64Column
    ) -> list[Int64Column]:
        """Return the rows, those of one line in different rounds, in their order."""
        keys = self._line_keys_of(_rows(readings, rated), operator[rated])
        order = np.argsort(keys, kind="stable")
        found = keys[order]
        first = np.flatnonzero(np.r_[True, found[1:] != found[:-1]])
        length = np.diff(np.r_[first, len(found)])
        place = np.empty(len(keys), np.int64)
        place[order] = np.arange(len(keys)) - np.repeat(first, length)
        place = np.minimum(place, ROUND_COUNT_MAX - 1)
        return [rated[place == number] for number in range(int(place.max()) + 1)]

    @staticmethod
    def _line_keys_of(readings: UsageReadings, operator: Int64Column) -> Int64Column:
        keys = np.empty(len(operator), np.int64)
        is_free = readings.traffic_class == ZERO_RATED
        mark_lines(readings.subscriber_key, operator, readings.rating_group, is_free, keys)
        return keys

    def _add_lines(
        self, readings: UsageReadings, facts: list[Int64Column], reason: Int64Column
    ) -> None:
        """Meter rows by their lines, and add what changed to the days of their SIMs."""
        time_ms, flag, received_time_ms, source, operator = facts
        keys = self._line_keys_of(readings, operator)
        row = self._rows_of(keys, readings, operator)
        blind = np.full(len(keys), METERED, np.int64)
        rows = readings._replace(subscriber_key=keys, traffic_class=blind)
        is_repeated = np.zeros(len(keys), np.bool_)
        self._rated.add(
            *(rows, time_ms, flag, received_time_ms, source, operator), is_repeated, reason
        )
        revised = self._rated.take_revisions()
        if not len(revised):
            return
        seen, place = np.unique(row, return_inverse=True)
        latest = np.zeros(len(seen), np.int64)
        np.maximum.at(latest, place, time_ms)
        row = self._line_keys.find(revised[:, 0].copy())
        lines, day = self._lines[row], revised[:, 1]
        change = revised[:, 5:7] - revised[:, 2:4]
        is_free = self._are_free(lines[:, L_LABEL], day)
        amounts = np.zeros((len(row), 5), np.int64)
        amounts[:, 0], amounts[:, 4] = day, latest[np.searchsorted(seen, row)]
        amounts[:, 1:3] = np.where(is_free[:, None], 0, change)
        amounts[:, 3] = np.where(is_free, change[:, 0], 0)
        self.add_amounts(lines[:, L_SIM].copy(), lines[:, L_OPERATOR].copy(), amounts)

    def _rows_of(
        self, keys: Int64Column, readings: UsageReadings, operator: Int64Column
    ) -> Int64Column:
        """Return the rows of lines, adding those not seen before."""
        before = self._line_keys.count
        row = self._line_keys.rows_of(keys)
        if self._line_keys.count > before:
            is_free = (readings.traffic_class == ZERO_RATED).astype(np.int64)
            label = self._labels.rows_of(operator, readings.rating_group, is_free)
            self._make_lines()
            is_new = row >= before
            place = row[is_new]
            self._lines[place, L_SIM] = readings.subscriber_key[is_new]
            self._lines[place, L_OPERATOR] = operator[is_new]
            self._lines[place, L_LABEL] = label[is_new]
        return row

    def _make_lines(self) -> None:
        """Make room for all lines that have a key."""
        if self._line_keys.count > len(self._lines):
            grown = np.empty((2 * self._line_keys.count, 3), np.int64)
            grown[: len(self._lines)] = self._lines
            self._lines = grown

    def _are_free(self, label: Int64Column, day: Int64Column) -> BoolColumn:
        is_free = np.empty(len(label), np.bool_)
        for one in np.unique(day).tolist():
            at = np.flatnonzero(day == one)
            # Of the labels there are only those at hand: a source that makes up groups must not slow down every frame.
            seen, place = np.unique(label[at], return_inverse=True)
            is_free[at] = self._is_free(self.rating_list, one, self._labels.keys[seen])[place]
        return is_free

    def _is_free(
        self, rating_list: RatingList, day: int, labels: Int64Column | None = None
    ) -> BoolColumn:
        """Return for labels, by default all there are, whether their bytes of a day are free."""
        labels = self._labels.keys if labels is None else labels
        found = [
            rating_list.is_free(self._text_of(operator), group, day, as_sent=bool(free))
            for operator, group, free in labels.tolist()
        ]
        return np.array(found, np.bool_)

    def _text_of(self, operator: int) -> str:
        texts = self._operators.texts
        return texts[operator] if operator < len(texts) else ""


def _new_lines() -> Meter:
    lines = Meter(np.full(3, NEVER_BYTES, np.int64))
    lines.watch_days(EVERY_DAY)
    return lines


def _own_in(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    apart = ("lines", "line_keys", "labels", "platforms")
    found = arrays.items()
    return {name: a for name, a in found if name not in apart and not name.startswith(PREFIX)}


def _rated_in(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    found = arrays.items()
    return {name.removeprefix(PREFIX): a for name, a in found if name.startswith(PREFIX)}


def _rows(readings: UsageReadings, rows: Int64Column) -> UsageReadings:
    return UsageReadings(*(column[rows] for column in readings))
