"""The meter's tables, grown where needed, as one state: new, add, export, restore."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.columns import BoolColumn, Int64Column, UsageReadings
from phusong.kernels.identity import SEED, KeyTable
from phusong.kernels.meter import DAY_COUNT_MAX, add_usage
from phusong.kernels.meter_figures import (
    Accounts,
    LevelChanges,
    SimDays,
    accounts_of,
    rows_of_sim,
    sim_days_at,
)
from phusong.kernels.meter_join import join_tables
from phusong.kernels.meter_rows import B_OWNER, BATCH_WIDTH, UsageRows, write_rows
from phusong.kernels.meter_sessions import find_sessions, new_slots, place_sessions
from phusong.kernels.meter_shift import add_amounts
from phusong.kernels.meter_tables import (
    A_DAY,
    A_RECEIVED,
    A_REJECTED,
    A_SOURCE,
    A_UPLINK,
    ACCOUNT_WIDTH,
    BLOCK_ROWS,
    C_ACCOUNT,
    C_CHANGED,
    C_NODE,
    C_REVISED,
    C_REVISED_UNTIL,
    C_SIM_DAY,
    C_WAIT,
    CHANGE_WIDTH,
    D_DAY,
    D_INDETERMINATE,
    D_MARKS,
    D_METERED,
    D_SIM,
    D_ZERO_RATED,
    H_LEVEL,
    H_SIM_DAY,
    H_TIME,
    IS_REVISED,
    M_NEWEST,
    M_OPERATOR,
    NODE_WIDTH,
    NONE,
    REVISION_WIDTH,
    S_SIM,
    S_SUBSCRIBER,
    SESSION_WIDTH,
    SIM_DAY_WIDTH,
    SIM_WIDTH,
    STATE_MASK,
    SUM_MAX_BYTES,
    USED_WIDTH,
    V_METERED,
    V_SIM_DAY,
    WAIT_WIDTH,
    Tables,
    account_of,
    sim_day_of,
)
from phusong.kernels.reject import TAKEN
from phusong.kernels.screen_usage import COUNTER_KIND_DELTA

ROW_COUNT_FIRST = 1024
NO_CHANGES = np.zeros((len(LevelChanges._fields), 0), np.int64)
GROWN = {
    "nodes": C_NODE,
    "sim_days": C_SIM_DAY,
    "accounts": C_ACCOUNT,
    "waits": C_WAIT,
    "changed": C_CHANGED,
    "revised": C_REVISED,
}
# What is told of a SIM's day: metered, the part of it that is a guess, zero-rated.
SUM_COLUMNS = (D_METERED, D_INDETERMINATE, D_ZERO_RATED)


class Meter:
    """Bytes per SIM and Vietnam day; see `kernels.meter`."""

    def __init__(self, threshold_bytes: Int64Column) -> None:
        """Start empty. threshold_bytes: int64[3], rising; the last is the quota."""
        self.sim_keys = KeyTable(1)
        self.session_count = 0
        self._changes = [NO_CHANGES]
        self._slots = new_slots(1)
        self._hashed = np.zeros(BLOCK_ROWS, np.int64)
        self.tables = Tables(
            sessions=np.empty((0, SESSION_WIDTH), np.int64),
            nodes=np.empty((ROW_COUNT_FIRST, NODE_WIDTH), np.int64),
            sims=np.empty((0, SIM_WIDTH), np.int64),
            sim_days=np.empty((ROW_COUNT_FIRST + DAY_COUNT_MAX, SIM_DAY_WIDTH), np.int64),
            sources=np.empty(0, np.int64),
            accounts=np.empty((ROW_COUNT_FIRST + DAY_COUNT_MAX, ACCOUNT_WIDTH), np.int64),
            waits=np.empty((ROW_COUNT_FIRST, WAIT_WIDTH), np.int64),
            changed=np.empty((ROW_COUNT_FIRST + DAY_COUNT_MAX, CHANGE_WIDTH), np.int64),
            revised=np.empty((ROW_COUNT_FIRST + DAY_COUNT_MAX, REVISION_WIDTH), np.int64),
            used=np.zeros(USED_WIDTH, np.int64),
            threshold_bytes=np.array(threshold_bytes, np.int64),
        )
        self.tables.used[C_REVISED_UNTIL] = NONE

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
        batch = np.empty((len(reason), BATCH_WIDTH), np.int64)
        rows = UsageRows(source, time_ms, time_flag, received_time_ms, is_repeated)
        write_rows(readings, rows, batch)
        is_delta = (readings.counter_kind == COUNTER_KIND_DELTA) & (reason == TAKEN) & ~is_repeated
        if is_delta.any():
            batch[is_delta, B_OWNER] = self._sims_of(
                readings.subscriber_key[is_delta], operator[is_delta]
            )
        self._grow("sources", int(source.max()) + 1)
        self._find_sessions(batch, operator, reason)
        done = 0
        while True:
            done = add_usage(self.tables, batch, done, reason)
            self._note_levels()
            if done == len(reason):
                break
            self._make_room()

    def _find_sessions(
        self, batch: Int64Column, operator: Int64Column, reason: Int64Column
    ) -> None:
        """Write the rows of their sessions into the lines of a batch, making those that are new."""
        before = self.session_count
        if before + len(batch) > len(self.tables.sessions):
            self._grow("sessions", before + len(batch))
            self._place_sessions()
        self.session_count = find_sessions(
            batch, reason, self._slots, self.tables.sessions, before, self._hashed, SEED
        )
        fresh = self.tables.sessions[before : self.session_count]
        if len(fresh):
            fresh[:, S_SIM] = self._sims_of(
                fresh[:, S_SUBSCRIBER].copy(), operator[fresh[:, S_SIM]]
            )

    def _place_sessions(self) -> None:
        self._slots = new_slots(len(self.tables.sessions))
        place_sessions(self._slots, self.tables.sessions, self.session_count, SEED)

    def _sims_of(self, subscriber_key: Int64Column, operator: Int64Column) -> Int64Column:
        """Return the SIM rows of keys; a SIM belongs to the operator that spoke of it first."""
        before = self.sim_keys.count
        row = self.sim_keys.rows_of(subscriber_key)
        count = self.sim_keys.count
        if count > before:
            self._grow("sims", count)
            is_new = row >= before
            # Assigned backwards, so that the first mention of a key is the one that stays.
            self.tables.sims[row[is_new][::-1], M_OPERATOR] = operator[is_new][::-1]
            self.tables.sims[before:count, M_NEWEST] = NONE
        return row

    def _grow(self, name: str, row_count: int) -> None:
        table: NDArray[np.int64] = getattr(self.tables, name)
        if len(table) >= row_count:
            return
        size = max(row_count, 2 * len(table), ROW_COUNT_FIRST)
        grown = np.empty((size, *table.shape[1:]), np.int64)
        grown[: len(table)] = table
        if name == "sources":  # all other rows are written whole when they come into use
            grown[len(table) :] = NONE
        self.tables = self.tables._replace(**{name: grown})

    def _make_room(self) -> None:
        for name, counter in GROWN.items():
            used = int(self.tables.used[counter])
            # Untouched memory costs nothing, and copying does.
            self._grow(name, 4 * used + ROW_COUNT_FIRST + DAY_COUNT_MAX)

    def add_rejected(self, source: int, ict_day: int, count: int) -> None:
        """Count payloads of a source that could not be read."""
        self._grow("sources", source + 1)
        self._make_room()
        account = account_of(self.tables, source, ict_day)
        self.tables.accounts[account, [A_RECEIVED, A_REJECTED]] += count

    def sims_of_day(self, ict_day: int) -> SimDays:
        """Return what is known of a day, one entry a SIM."""
        rows = np.flatnonzero(self._sim_days[:, D_DAY] == ict_day)
        return sim_days_at(self.tables, self.sim_keys.keys[:, 0], rows)

    def runs_of_day(self, ict_day: int, row_count: int) -> Iterator[SimDays]:
        """Yield what is known of a day in runs; between two of them readings may be added, and the later runs know them."""
        first = 0
        while first < len(self._sim_days):
            rows = first + np.flatnonzero(
                self._sim_days[first : first + row_count, D_DAY] == ict_day
            )
            yield sim_days_at(self.tables, self.sim_keys.keys[:, 0], rows)
            first += row_count

    def days_of_sim(self, subscriber_key: int, first_day: int, last_day: int) -> SimDays:
        """Return what is known of a SIM from one day to another, one entry a day, oldest first."""
        sim = int(self.sim_keys.find(np.array([subscriber_key]))[0])
        rows = np.zeros(0, np.int64)
        if sim != NONE:
            rows = rows_of_sim(self.tables, sim, first_day, last_day)
        return sim_days_at(self.tables, self.sim_keys.keys[:, 0], rows)

    def mark_decided(self, subscriber_key: int, ict_day: int, marks: int) -> None:
        """Let a SIM's day have the decisions of some marks instead of its own."""
        # For one row, not for a batch: the first decision would wait until all tables are copied, 1.3 s of 200,000 SIMs.
        self._grow("sim_days", int(self.tables.used[C_SIM_DAY]) + 1)
        sim = self._sims_of(np.array([subscriber_key]), np.array([NONE]))[0]
        day = self.tables.sim_days[sim_day_of(self.tables, sim, ict_day)]
        day[D_MARKS] = day[D_MARKS] & STATE_MASK | marks & ~STATE_MASK

    def accounts_of_day(self, ict_day: int) -> Accounts:
        """Return the accounts of a day, one entry a source."""
        accounts = self.accounts()
        return accounts.where(accounts.ict_day == ict_day)

    def accounts(self) -> Accounts:
        """Return the accounts of all days and sources, by day, then source."""
        return accounts_of(self.tables.accounts[: self.tables.used[C_ACCOUNT]])

    def days(self) -> Int64Column:
        """Return the days of which anything is known, oldest first."""
        return np.union1d(self._sim_days[:, D_DAY], self.accounts().ict_day)

    @property
    def _sim_days(self) -> Int64Column:
        return self.tables.sim_days[: self.tables.used[C_SIM_DAY]]

    def watch_days(self, last_day: int) -> None:
        """Note from now on which SIM-days up to this one are counted on: their readings come late."""
        self.tables.used[C_REVISED_UNTIL] = last_day

    def take_revisions(self) -> Int64Column:
        """Return and forget what was counted on watched days since the last call.

        int64[n, 8]: subscriber key, day, then metered, indeterminate and zero-rated bytes before, and the same now. A
        SIM's day stands in it once, in the order in which they were first met, and also where nothing changed in the end.
        """
        revised = self.tables.revised[: self.tables.used[C_REVISED]]
        rows = revised[:, V_SIM_DAY]
        days = self.tables.sim_days[rows]
        keys = self.sim_keys.keys[days[:, D_SIM]]
        found = (keys, days[:, [D_DAY]], revised[:, V_METERED:], days[:, SUM_COLUMNS])
        taken: Int64Column = np.concatenate(found, axis=1)
        self.tables.sim_days[rows, D_MARKS] &= ~IS_REVISED
        self.tables.used[C_REVISED] = 0
        return taken

    def add_amounts(
        self, subscriber_key: Int64Column, operator: Int64Column, amounts: Int64Column
    ) -> None:
        """Add amounts rated elsewhere. amounts: int64[n, 5], one row a key: day, metered, indeterminate, zero-rated, time."""
        if not len(amounts):
            return
        sim = self._sims_of(subscriber_key, operator)
        shifts = np.concatenate((sim[:, None], amounts), axis=1)
        done = 0
        while done < len(shifts):
            done = add_amounts(self.tables, shifts, done)
            self._note_levels()
            self._make_room()

    def entries(self, ict_day: int) -> Int64Column:
        """Return what every SIM heard of on a day, or whose bytes a split brought there, used on it; in no order.

        int64[n, 4]: subscriber key, metered, indeterminate and zero-rated bytes.
        """
        days = self.sims_of_day(ict_day)
        sums = (days.metered_bytes, days.indeterminate_bytes, days.zero_rated_bytes)
        is_shown = days.is_heard | (np.array(sums) != 0).any(axis=0)
        entries: Int64Column = np.stack((days.subscriber_key, *sums), axis=1)
        return entries.compress(is_shown, axis=0)

    def take_changes(self) -> LevelChanges:
        """Return and forget the changes of level since the last call, in the order of their readings."""
        changes = LevelChanges(*np.concatenate(self._changes, axis=1))
        self._changes = [NO_CHANGES]
        return changes

    def note_changes(self, changes: LevelChanges) -> None:
        """Remember changes again that were taken and not acted on."""
        self._changes.append(np.array(changes))

    def _note_levels(self) -> None:
        """Name the SIM-days whose level the kernel has changed, which it knows by their rows."""
        changed = self.tables.changed[: self.tables.used[C_CHANGED]]
        if len(changed):
            days = self.tables.sim_days[changed[:, H_SIM_DAY]]
            keys = self.sim_keys.keys[days[:, D_SIM], 0]
            levels = (keys, days[:, D_DAY], changed[:, H_TIME], changed[:, H_LEVEL])
            self._changes.append(np.array(levels))
            self.tables.used[C_CHANGED] = 0

    def export(self) -> dict[str, NDArray[np.int64]]:
        """Return everything by name; arrays are copies."""
        used = {name: int(self.tables.used[counter]) for name, counter in GROWN.items()}
        used |= {"sessions": self.session_count, "sims": self.sim_keys.count}
        del used["changed"]  # named already
        arrays = {name: getattr(self.tables, name)[:count].copy() for name, count in used.items()}
        return arrays | {
            "changes": np.concatenate(self._changes, axis=1),
            "sources": self.tables.sources.copy(),
            "sim_keys": self.sim_keys.keys.copy(),
        }

    def restore(self, arrays: dict[str, NDArray[np.int64]]) -> None:
        """Become what was exported."""
        self.session_count = len(arrays["sessions"])
        self.sim_keys = KeyTable(1, arrays["sim_keys"])
        self._changes = [arrays["changes"].copy()]
        tables = {name: arrays[name].copy() for name in arrays if name in Tables._fields}
        for name, counter in GROWN.items():
            self.tables.used[counter] = len(tables.get(name, ()))
        self.tables = self.tables._replace(**tables)
        self._place_sessions()
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
            self._grow("sources", int(row[A_SOURCE]) + 1)
            self._make_room()
            account = account_of(self.tables, row[A_SOURCE], row[A_DAY])
            sums = self.tables.accounts[account]
            sums[A_RECEIVED:] += row[A_RECEIVED:]
            sums[A_UPLINK:] = np.minimum(sums[A_UPLINK:], SUM_MAX_BYTES)
