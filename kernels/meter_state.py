"""The meter's tables, grown where needed, as one state: new, add, export, restore."""

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.columns import BoolColumn, Int64Column, UsageReadings
from phusong.kernels.identity import KeyTable
from phusong.kernels.meter import DAY_COUNT_MAX, add_usage
from phusong.kernels.meter_join import join_tables
from phusong.kernels.meter_rows import BATCH_WIDTH, UsageRows, write_rows
from phusong.kernels.meter_tables import (
    A_DAY,
    A_RECEIVED,
    A_REJECTED,
    A_SOURCE,
    ACCOUNT_WIDTH,
    C_ACCOUNT,
    C_CHANGED,
    C_NODE,
    C_SIM_DAY,
    C_WAIT,
    CHANGE_WIDTH,
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
    account_of,
    sim_day_of,
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
            changed=np.empty((ROW_COUNT_FIRST + DAY_COUNT_MAX, CHANGE_WIDTH), np.int64),
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
        assert source.min() >= 0, "sources are numbered by us"
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
        rows = UsageRows(session, sim, source, time_ms, time_flag, received_time_ms, is_repeated)
        batch = np.empty((len(reason), BATCH_WIDTH), np.int64)
        write_rows(readings, rows, batch)
        done = 0
        while True:
            done = add_usage(self.tables, batch, done, reason)
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

    def add_rejected(self, source: int, ict_day: int, count: int) -> None:
        """Count payloads of a source that could not be read."""
        self._grow("sources", source + 1, NONE)
        self._make_room()
        account = account_of(self.tables, source, ict_day)
        self.tables.accounts[account, [A_RECEIVED, A_REJECTED]] += count

    def sim_day_row(self, subscriber_key: int, ict_day: int) -> int:
        """Return the row of a SIM's day, adding it when new."""
        self._make_room()
        sim = self._sims_of(np.array([subscriber_key]), np.array([NONE]))[0]
        return int(sim_day_of(self.tables, sim, ict_day))

    @property
    def sim_days(self) -> Int64Column:
        """The rows in use of the table of SIM-days."""
        return self.tables.sim_days[: self.tables.used[C_SIM_DAY]]

    @property
    def accounts(self) -> Int64Column:
        """The rows in use of the table of accounts."""
        return self.tables.accounts[: self.tables.used[C_ACCOUNT]]

    def take_changes(self) -> Int64Column:
        """Return and forget the changes of level since the last call, in the order of their readings."""
        changed = self.tables.changed[: self.tables.used[C_CHANGED]].copy()
        self.tables.used[C_CHANGED] = 0
        return changed

    def note_changes(self, changed: Int64Column) -> None:
        """Remember changes again that were taken and not acted on."""
        used = int(self.tables.used[C_CHANGED])
        self._grow("changed", used + len(changed) + DAY_COUNT_MAX, 0)
        self.tables.changed[used : used + len(changed)] = changed
        self.tables.used[C_CHANGED] += len(changed)

    def export(self) -> dict[str, NDArray[np.int64]]:
        """Return everything by name; arrays are copies."""
        used = {name: int(self.tables.used[counter]) for name, counter in GROWN.items()}
        used |= {"sessions": self.session_keys.count, "sims": self.sim_keys.count}
        arrays = {name: getattr(self.tables, name)[:count].copy() for name, count in used.items()}
        return arrays | {
            "sources": self.tables.sources.copy(),
            "session_keys": self.session_keys.keys.copy(),
            "sim_keys": self.sim_keys.keys.copy(),
        }

    def restore(self, arrays: dict[str, NDArray[np.int64]]) -> None:
        """Become what was exported."""
        self.session_keys = KeyTable(SESSION_KEY_WIDTH, arrays["session_keys"])
        self.sim_keys = KeyTable(1, arrays["sim_keys"])
        for name, counter in GROWN.items():
            self.tables.used[counter] = len(arrays[name])
        tables = {name: arrays[name].copy() for name in (*GROWN, "sessions", "sims", "sources")}
        self.tables = self.tables._replace(**tables)
        self._make_room()

    def merge(self, other: "Meter") -> None:
        """Take in the state of another meter that knows other SIMs; both count sources alike."""
        known = self.sim_keys.find(other.sim_keys.keys[:, 0])
        assert (known == NONE).all(), "shards are cut by SIM"
        mine, theirs = self.export(), other.export()
        accounts = theirs.pop("accounts")
        joined = join_tables(mine, theirs)
        joined["accounts"] = mine["accounts"]
        self.restore(joined)
        for row in accounts:
            self._grow("sources", int(row[A_SOURCE]) + 1, NONE)
            self._make_room()
            account = account_of(self.tables, row[A_SOURCE], row[A_DAY])
            self.tables.accounts[account, A_RECEIVED:] += row[A_RECEIVED:]
