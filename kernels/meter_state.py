"""The meter's tables, grown where needed, as one state: new, add, export, restore."""

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.columns import BoolColumn, Int64Column, UsageReadings
from phusong.kernels.identity import KeyTable
from phusong.kernels.meter import DAY_COUNT_MAX, UsageRows, add_usage
from phusong.kernels.meter_tables import (
    ACCOUNT_WIDTH,
    C_ACCOUNT,
    C_CHANGED,
    C_NODE,
    C_SIM_DAY,
    C_WAIT,
    D_DAY,
    D_INDETERMINATE,
    D_METERED,
    D_SIM,
    D_ZERO_RATED,
    M_NEWEST,
    M_OPERATOR,
    NODE_WIDTH,
    NONE,
    S_SIM,
    S_WAIT_TIME,
    SESSION_WIDTH,
    SIM_DAY_WIDTH,
    SIM_WIDTH,
    WAIT_WIDTH,
    Tables,
)
from phusong.kernels.reject import TAKEN
from phusong.kernels.screen_usage import COUNTER_KIND_DELTA

SESSION_KEY_WIDTH = 5  # subscriber, source, session, class, counter epoch
TRAFFIC_CLASS_METERED = 1
ROW_COUNT_FIRST = 1024
GROWN = {
    "nodes": C_NODE,
    "sim_days": C_SIM_DAY,
    "accounts": C_ACCOUNT,
    "waits": C_WAIT,
    "changed": C_CHANGED,
}


class Meter:
    """Bytes per SIM and Vietnam day; see `kernels.meter`."""

    def __init__(self, threshold_bytes: Int64Column) -> None:
        """Start empty. threshold_bytes: int64[3], rising; the last is the quota."""
        self.session_keys = KeyTable(SESSION_KEY_WIDTH)
        self.sim_keys = KeyTable(1)
        self.tables = Tables(
            sessions=np.empty((0, SESSION_WIDTH), np.int64),
            nodes=np.empty((ROW_COUNT_FIRST, NODE_WIDTH), np.int64),
            sims=np.empty((0, SIM_WIDTH), np.int64),
            sim_days=np.empty((ROW_COUNT_FIRST + DAY_COUNT_MAX, SIM_DAY_WIDTH), np.int64),
            sources=np.empty(0, np.int64),
            accounts=np.empty((ROW_COUNT_FIRST + DAY_COUNT_MAX, ACCOUNT_WIDTH), np.int64),
            waits=np.empty((ROW_COUNT_FIRST, WAIT_WIDTH), np.int64),
            changed=np.empty(ROW_COUNT_FIRST + DAY_COUNT_MAX, np.int64),
            used=np.zeros(len(GROWN), np.int64),
            threshold_bytes=np.array(threshold_bytes, np.int64),
        )

    def add(
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
        """Take in the next rows. source: dense numbers from 0. May write reasons."""
        if not len(reason):
            return
        is_taken = (reason == TAKEN) & ~is_repeated
        is_delta = readings.counter_kind == COUNTER_KIND_DELTA
        is_sessional = is_taken & ~is_delta
        session = np.full(len(reason), NONE, np.int64)
        sim = np.full(len(reason), NONE, np.int64)
        session[is_sessional] = self._sessions_of(readings, source, operator, is_sessional)
        is_delta &= is_taken
        if is_delta.any():
            sim[is_delta] = self._sims_of(readings.subscriber_key[is_delta], operator[is_delta])
        self._grow("sources", int(source.max()) + 1, NONE)
        rows = UsageRows(
            session, sim, source, operator, time_ms, time_flag, received_time_ms, is_repeated
        )
        done = 0
        while True:
            done = add_usage(self.tables, readings, rows, done, reason)
            if done == len(reason):
                break
            self._make_room()

    def _sessions_of(
        self, readings: UsageReadings, source: Int64Column, operator: Int64Column, taken: BoolColumn
    ) -> Int64Column:
        """Return the session rows of the rows taken, making those that are new."""
        before = self.session_keys.count
        traffic = np.maximum(readings.traffic_class, TRAFFIC_CLASS_METERED)
        columns: tuple[Int64Column, ...] = (
            readings.subscriber_key,
            source,
            readings.session,
            traffic,
            readings.counter_epoch,
        )
        if not taken.all():
            columns = tuple(column[taken] for column in columns)
            operator = operator[taken]
        row = self.session_keys.rows_of(*columns)
        count = self.session_keys.count
        if count > before:
            first = np.full(count - before, len(row), np.int64)
            np.minimum.at(first, row[row >= before] - before, np.flatnonzero(row >= before))
            self._grow("sessions", count, NONE)
            fresh = self.tables.sessions[before:count]
            fresh[:, S_SIM] = self._sims_of(columns[0][first], operator[first])
            fresh[:, S_WAIT_TIME] = NONE
        return row

    def _sims_of(self, subscriber_key: Int64Column, operator: Int64Column) -> Int64Column:
        """Return the SIM rows of keys; a SIM belongs to the operator that spoke of it first."""
        before = self.sim_keys.count
        row = self.sim_keys.rows_of(subscriber_key)
        count = self.sim_keys.count
        if count > before:
            self._grow("sims", count, NONE)
            is_new = row >= before
            # Assigned backwards, so that the first mention of a key is the one that stays.
            self.tables.sims[row[is_new][::-1], M_OPERATOR] = operator[is_new][::-1]
            self.tables.sims[before:count, M_NEWEST] = NONE
        return row

    def _grow(self, name: str, row_count: int, fill: int) -> None:
        table: NDArray[np.int64] = getattr(self.tables, name)
        if len(table) >= row_count:
            return
        size = max(row_count, 2 * len(table), ROW_COUNT_FIRST)
        grown = np.empty((size, *table.shape[1:]), np.int64)
        grown[: len(table)] = table
        grown[len(table) :] = fill
        self.tables = self.tables._replace(**{name: grown})

    def _make_room(self) -> None:
        for name, counter in GROWN.items():
            used = int(self.tables.used[counter])
            self._grow(name, 2 * used + ROW_COUNT_FIRST + DAY_COUNT_MAX, 0)

    def days(self) -> list[tuple[int, int, int, int, int]]:
        """Return SIM key, day, metered, indeterminate and zero-rated bytes of every SIM's day."""
        rows = self.sim_days
        keys = self.sim_keys.keys[rows[:, D_SIM], 0]
        columns = (rows[:, k] for k in (D_DAY, D_METERED, D_INDETERMINATE, D_ZERO_RATED))
        return list(zip(keys.tolist(), *(column.tolist() for column in columns), strict=True))

    @property
    def sim_days(self) -> Int64Column:
        """The rows in use of the table of SIM-days."""
        return self.tables.sim_days[: self.tables.used[C_SIM_DAY]]
