"""The verifier as a process of its own: follows the journal, judges, hands decisions over.

It has its own core and never slows intake. What it tells its parent goes through one pipe; what it hears
there is "stop". Losing it loses nothing: the next one starts from the journal.
"""

import logging
import pickle
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from phusong.kernels.days import ict_day
from phusong.kernels.frame import FrameDamaged
from phusong.verifier.closing import HistoryGone
from phusong.verifier.journal import JournalDamaged, JournalReader
from phusong.verifier.placing import Horizon
from phusong.verifier.process_use import process_use
from phusong.verifier.programme.standing import ObligationFigures, obligation_figures
from phusong.verifier.quota.decisions import decision_message
from phusong.verifier.quota.ledger_writer import LedgerWriter
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.replay import build_state
from phusong.verifier.snapshot import copied_state, is_complete
from phusong.verifier.snapshot_writer import SnapshotWriter
from phusong.verifier.state import RegistriesChanged, State
from phusong.verifier.status import (
    Judgement,
    NewDecisions,
    VerifierStatus,
    judge_in_runs,
    row_counts,
)
from phusong.verifier.stopwatch import Stopwatch
from phusong.verifier.warm import warm_up

log = logging.getLogger(__name__)

# How long a quiet journal is left alone before it is looked at again: well under the 50 ms in which a decision must
# be out, and far above the cost of a look (0.1 ms).
POLL_S = 0.005
STATUS_EVERY_S = 0.5
# When the end of the journal is reached there is time to say so sooner; counting gaps at a million sources takes 13 ms.
STATUS_AT_END_EVERY_S = 0.1
# Judging all sites and SIMs costs far more than counting; a scrape comes every 15 s at the most often.
JUDGE_EVERY_S = 5.0
# Nothing is decided meanwhile, so it may take a three-hundredth of the time, but is done once a minute whatever it takes:
# a third of a second for a million SIMs.
JUDGE_PAUSE_FACTOR = 300
JUDGE_PAUSE_MAX_S = 60.0
# Also when nothing comes: a day ends, evidence grows old.
JUDGE_QUIET_EVERY_S = 60.0
# Who of a million pupils was ever heard of changes slowly.
OBLIGATIONS_PAUSE_FACTOR = 1000
SNAPSHOT_EVERY_S = 60.0
SNAPSHOT_PAUSE_FACTOR = 1000
# A step must end soon enough to send its decisions.
FRAMES_PER_STEP = 16
# A midnight's worth of cuts goes over in runs, so that the first are on their way while the last are written.
DECISIONS_PER_REPORT = 256
STOP = b"stop"
# Followed by a pickled function that opens the log by other settings. The pipe is the parent's alone.
LOG = b"log "


@dataclass(frozen=True, slots=True)
class FollowOptions:
    """What the process is started with; the clock runs this far ahead of the machine's.

    tells_sites: whether judgements carry a row for each site, operator and technology.
    """

    data: Path
    settings: QuotaSettings
    clock_offset_ms: int
    tells_sites: bool = False


@dataclass(frozen=True, slots=True)
class VerifierFailure:
    """The last report of a verifier that cannot read on; starting again helps when somebody mends the journal."""

    reason: str


class Follower:
    """A state that is kept at the journal's end."""

    def __init__(
        self, options: FollowOptions, tell: Callable[[VerifierStatus | NewDecisions], None]
    ) -> None:
        """Build the state; `tell` is called with every report."""
        self._options = options
        self._tell = tell
        self._ledger = LedgerWriter(options.data)
        self._stopwatch = Stopwatch(time.perf_counter)
        self._state = self._build()
        self._reader = self._read_on()
        self._snapshots = SnapshotWriter(options.data)
        self._told_at_s = -STATUS_EVERY_S
        self._judge_due_s = 0.0
        self._judging: Iterator[Judgement | None] | None = None
        self._judge_cost_s = 0.0
        self._told_sequence = -1
        self._snapshot_due_s = time.monotonic() + SNAPSHOT_EVERY_S
        self._judged_sequence = -1
        self._obligations: tuple[ObligationFigures, ...] = ()
        self._obligations_due_s = 0.0

    def step(self) -> bool:
        """Take in what the journal has; return whether there was anything."""
        self._stopwatch.start()
        applied = self._advance()
        now_s = time.monotonic()
        judgement = self._judgement(now_s)
        if judgement or self._is_status_due(now_s, is_at_end=not applied):
            self._told_at_s, self._told_sequence = now_s, self._state.position.sequence
            self._tell(self._status(judgement))
        if now_s >= self._snapshot_due_s and self._ledger.is_idle and self._snapshots.is_idle:
            self._begin_snapshot()
        return applied

    def write_snapshot(self) -> None:
        """Write the state down, where it is newer than the last time; return when it is on disk.

        Not before the ledger's files: a snapshot that knows of a closed day does not close it again.
        """
        self._ledger.drain()
        self._snapshots.drain()
        self._begin_snapshot()
        self._snapshots.drain()

    def _begin_snapshot(self) -> None:
        """Copy the state, and have the copy written beside whoever judges."""
        self._stopwatch.start()
        began_s = time.monotonic()
        self._snapshot_due_s = began_s + SNAPSHOT_EVERY_S
        is_news = self._state.position.sequence != self._snapshots.sequence
        if is_news and is_complete(self._state):
            self._snapshots.write(copied_state(self._state))
            self._stopwatch.lap("snapshot")
            # Nothing is judged while the copy is made: a thousandth of the time, however large the state is.
            copy_s = time.monotonic() - began_s
            self._snapshot_due_s += max(0.0, SNAPSHOT_PAUSE_FACTOR * copy_s - SNAPSHOT_EVERY_S)

    def _is_status_due(self, now_s: float, *, is_at_end: bool) -> bool:
        is_news = is_at_end and self._state.position.sequence != self._told_sequence
        return now_s - self._told_at_s >= (STATUS_AT_END_EVERY_S if is_news else STATUS_EVERY_S)

    def _build(self) -> State:
        self._stopwatch.start()
        state = build_state(
            self._options.data, Horizon(), self._options.settings, sink=self._ledger
        )
        self._stopwatch.lap("start")
        state.lap = self._stopwatch.lap
        return state

    def _read_on(self) -> JournalReader:
        return JournalReader(self._options.data / "journal", self._state.position)

    def _advance(self) -> bool:
        start = self._state.position.sequence
        self._decide()  # after a start or a new list: what the readings up to here call for, and nobody journalled
        try:
            for frame in self._reader.frames(start + FRAMES_PER_STEP):
                self._stopwatch.lap("read")
                self._state.apply(frame)
                # Not after the step: whoever is to be cut need not wait for the frames behind.
                self._decide(frame.received_time_ms)
                self._stopwatch.lap("decide")
        except RegistriesChanged:
            self._reader.close()
            self._judging = None  # of the state before
            self._state = self._build()
            self._reader = self._read_on()
        return self._state.position.sequence != start

    def _decide(self, arrived_time_ms: int = 0) -> None:
        """Hand over decisions for the present day; those of days gone by would reach nobody in time."""
        now_ms = self._now_ms()
        records = self._state.quota.take_decisions(first_day=int(ict_day(now_ms)))
        for start in range(0, len(records), DECISIONS_PER_REPORT):
            run = records[start : start + DECISIONS_PER_REPORT]
            messages = [decision_message(record, now_ms, arrived_time_ms) for record in run]
            self._tell(NewDecisions([message.SerializeToString() for message in messages]))

    def _judgement(self, now_s: float) -> Judgement | None:
        """Go on judging where it is time; return what it came to. One run of SIMs a step: decisions wait no longer."""
        if self._judging is None:
            is_quiet = self._state.position.sequence == self._judged_sequence
            if now_s < self._judge_due_s + (JUDGE_QUIET_EVERY_S if is_quiet else 0):
                return None
            self._judge_cost_s = 0.0
        self._stopwatch.start()
        if self._judging is None:
            self._judging = self._begin_judging(now_s)
        judgement = next(self._judging)
        self._stopwatch.lap("judge")
        ended_s = time.monotonic()
        self._judge_cost_s += ended_s - now_s
        if judgement is not None:
            self._judging = None
            pause_s = max(JUDGE_EVERY_S, JUDGE_PAUSE_FACTOR * self._judge_cost_s)
            self._judge_due_s = ended_s + min(pause_s, JUDGE_PAUSE_MAX_S)
        return judgement

    def _begin_judging(self, now_s: float) -> Iterator[Judgement | None]:
        self._judged_sequence = self._state.position.sequence
        as_of_ms = self._now_ms()
        verdicts = self._state.reported(as_of_ms, as_of_ms)
        if now_s >= self._obligations_due_s:
            began_s = time.monotonic()
            self._obligations = obligation_figures(self._state, verdicts, as_of_ms)
            ended_s = time.monotonic()
            self._obligations_due_s = ended_s + OBLIGATIONS_PAUSE_FACTOR * (ended_s - began_s)
        return judge_in_runs(
            *(self._state, verdicts, self._obligations, as_of_ms),
            tells_sites=self._options.tells_sites,
        )

    def _status(self, judgement: Judgement | None) -> VerifierStatus:
        return VerifierStatus(
            applied_sequence=self._state.position.sequence,
            rows=row_counts(self._state),
            sequence_gaps=self._state.windows.gap_count(),
            snapshot_sequence=self._snapshots.sequence,
            judgement=judgement,
            stage_seconds=dict(self._stopwatch.seconds),
            use=process_use(),
        )

    def _now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._options.clock_offset_ms


def follow(
    options: FollowOptions, pipe: Connection, open_log: Callable[[], None] | None = None
) -> None:
    """Follow the journal until the parent says stop or is gone."""
    # They reach the whole process group; the parent decides when to stop, and hears of it if we die.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if open_log is not None:
        open_log()
    try:
        _follow(options, pipe)
    except Exception:  # as the process would end anyway, but in the form of the log
        log.critical("the verifier ends: this is a bug", exc_info=True, extra={"event": "crashed"})
        raise SystemExit(1) from None


def _follow(options: FollowOptions, pipe: Connection) -> None:
    warm_up(options.settings)
    try:
        follower = Follower(options, pipe.send)
        with suppress(EOFError, ConnectionError):  # the parent is gone; the journal is not
            while True:
                was_busy = follower.step()
                if pipe.poll(0 if was_busy else POLL_S):
                    told = pipe.recv_bytes()
                    if told == STOP:
                        break
                    if told.startswith(LOG):
                        pickle.loads(told.removeprefix(LOG))()  # noqa: S301 - the parent's own
    except (JournalDamaged, FrameDamaged) as damage:
        pipe.send(VerifierFailure(f"the journal is damaged at {damage}"))
        return
    except HistoryGone as gone:
        pipe.send(VerifierFailure(str(gone)))
        return
    follower.write_snapshot()
