"""The table of decisions: one row of int64 a decision, one column a fact. Times are Unix ms, NONE for not yet."""

import numpy as np

from phusong.kernels.columns import Int64Column
from phusong.kernels.identity import EMPTY, KeyTable

NONE = -1
KEY_BITS = 64

# What was decided.
E_OPERATOR, E_POSITION, E_SIM, E_DAY, E_ACTION, E_NUMBER, E_PERCENT = range(7)
E_USED, E_QUOTA, E_RATE_BITS = range(7, 10)
# When what happened.
E_CROSSED, E_ARRIVED, E_DECIDED, E_SENT, E_SENT_LAST, E_SENT_COUNT, E_ACKNOWLEDGED = range(10, 17)
E_SUPERSEDED = 17  # when a later decision about the same SIM and day took its place
# What later readings show. E_BASE: the first reading after the acknowledgement, from which on use should be flat.
E_BASE_BYTES, E_BASE_TIME, E_LAST_BYTES, E_LAST_SPLIT, E_FLAT_COUNT = range(18, 23)
E_VERIFIED, E_FAILED, E_LEAKED = range(23, 26)  # E_FAILED: when it was last seen to go on
TABLE_WIDTH = 26
TIMES = (
    *(E_CROSSED, E_ARRIVED, E_DECIDED, E_SENT, E_SENT_LAST, E_ACKNOWLEDGED, E_SUPERSEDED),
    *(E_BASE_TIME, E_VERIFIED, E_FAILED),
)

# A key names operator, SIM, and day, action and number in one: numbers have 24 bits, actions four.
ACTION_SHIFT = 24
DAY_SHIFT = 28
NUMBER_MAX = (1 << ACTION_SHIFT) - 1

ROW_COUNT_FIRST = 256


def signed_key(subscriber_key: int) -> int:
    """Return a subscriber key as columns hold it."""
    return subscriber_key - 2**KEY_BITS if subscriber_key >= 2 ** (KEY_BITS - 1) else subscriber_key


def step_of(day: int, action: int, number: int) -> int:
    """Return day, action and number as one integer."""
    return day << DAY_SHIFT | action << ACTION_SHIFT | number


class EnforcementTable:
    """Rows of decisions, found by what they are and by their position."""

    def __init__(self, rows: Int64Column | None = None) -> None:
        """Start empty, or with rows exported before."""
        self._rows = np.empty((0, TABLE_WIDTH), np.int64) if rows is None else rows.copy()
        self.count = len(self._rows)
        self._by_step = KeyTable(3)
        self._by_position = KeyTable(2)
        if self.count:
            steps = (self.rows[:, E_DAY] << DAY_SHIFT) | (self.rows[:, E_ACTION] << ACTION_SHIFT)
            self._by_step.rows_of(
                self.rows[:, E_OPERATOR], self.rows[:, E_SIM], steps | self.rows[:, E_NUMBER]
            )
            self._by_position.rows_of(self.rows[:, E_OPERATOR], self.rows[:, E_POSITION])

    @property
    def rows(self) -> Int64Column:
        """int64[count, TABLE_WIDTH], in the order of the journal; written to in place."""
        return self._rows[: self.count]

    def add(self, row: list[int]) -> int:
        """Add a decision; return its row, NONE where it is there already."""
        step = step_of(row[E_DAY], row[E_ACTION], row[E_NUMBER])
        key = [np.array([value], np.int64) for value in (row[E_OPERATOR], row[E_SIM], step)]
        if int(self._by_step.find(*key)[0]) != EMPTY:
            return NONE
        if self.count == len(self._rows):
            grown = np.empty((max(2 * self.count, ROW_COUNT_FIRST), TABLE_WIDTH), np.int64)
            grown[: self.count] = self.rows
            self._rows = grown
        self._rows[self.count] = row
        self.count += 1
        at_step = self._by_step.rows_of(*key)
        at_position = self._by_position.rows_of(
            np.array([row[E_OPERATOR]], np.int64), np.array([row[E_POSITION]], np.int64)
        )
        assert at_step[0] == at_position[0] == self.count - 1, "a position is given once"
        return self.count - 1

    def at_positions(self, operator: int, positions: Int64Column) -> Int64Column:
        """Return the rows of positions of an operator, those that are there."""
        rows = self._by_position.find(np.full(len(positions), operator, np.int64), positions)
        found: Int64Column = rows[rows != EMPTY]
        return found

    def at_steps(
        self, operators: Int64Column, sims: Int64Column, steps: Int64Column
    ) -> Int64Column:
        """Return the row of every decision by operator, SIM and step, NONE where it is not there."""
        rows: Int64Column = self._by_step.find(operators, sims, steps)
        rows[rows == EMPTY] = NONE
        return rows
