"""The worker thread of the intake: takes everything waiting, makes one frame of it, commits it, tells the loop.

The only place where anything is committed. Nothing here runs on the event loop. While the disk is nearly full, what doors
brought waits here; what the service itself has to write down goes on.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from phusong.collector.commit_times import CommitTimes
from phusong.collector.counts import Counters
from phusong.collector.journal.writer import JournalWriter, NewFrame, NoSpace, NotTaken
from phusong.collector.judge import Envelopes, Judge, Judgement
from phusong.collector.parcel import Outcome, Parcel
from phusong.collector.receipts import Committed
from phusong.collector.space import LOOK_EVERY_S, Space, SpaceWatch
from phusong.collector.traces import Span, Tracer

if TYPE_CHECKING:  # it leads to the board, which leads to the intake
    from phusong.collector.memory_cache import MemoryCache

log = logging.getLogger(__name__)

# A frame takes what waits up to this: large enough that the disk is busy writing and not syncing, small
# enough that a receipt waits a few ms. One payload may be 1 MiB more.
FRAME_BYTES_TARGET = 1 << 20
# 65,536 small payloads decode in about 10 ms.
FRAME_PAYLOAD_COUNT_TARGET = 65_536

Completions = list[tuple[Parcel, Outcome]]


class Committer:
    """Owns the journal writer while it runs."""

    def __init__(
        self,
        writer: JournalWriter,
        judge: Judge,
        counters: Counters,
        clock_ms: Callable[[], int],
        tell: Callable[[Completions, Exception | None], None],
        *,
        watch: SpaceWatch,
        cache: "MemoryCache",
        tracer: Tracer | None = None,
    ) -> None:
        """`tell` is called on the worker thread with what is complete and what ended all; with nothing when room comes or goes."""
        self._writer = writer
        self._judge = judge
        self._table = judge.table
        self._counters = counters
        self._clock_ms = clock_ms
        self._tell = tell
        self._watch = watch
        self._cache = cache
        self._tracer = tracer
        self.times = CommitTimes(writer.sequence, writer.received_time_ms)
        self._waiting: deque[Parcel] = deque()
        self._own_count = 0  # of those that wait
        self._wake = threading.Condition()
        self._step_since_s: float | None = None  # read by any thread
        self._is_closing = False
        self._is_ending = False
        self._thread = threading.Thread(target=self._run, name="phusong-committer", daemon=True)

    @property
    def stuck_s(self) -> float:
        """For how long the thread has been at one step, 0 while it waits for something; infinite when it is gone."""
        if not self._thread.is_alive():
            return math.inf
        since_s = self._step_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    def keep_free(self, reserve_bytes: int) -> None:
        """Take nothing new into the last so many bytes of the disk, from the next look on. Any thread."""
        self._watch.reserve_bytes = reserve_bytes

    @property
    def space(self) -> Space:
        """The room on the disk when it was last looked at."""
        return self._watch.space

    def start(self) -> None:
        """Start the thread."""
        self._look()
        self._thread.start()

    def put(self, parcel: Parcel) -> None:
        """Let a parcel wait for the next commit. Any thread."""
        with self._wake:
            assert not self._is_closing, "the doors close before the intake"
            self._waiting.append(parcel)
            self._own_count += parcel.is_own
            self._wake.notify()

    def stop_waiting(self) -> None:
        """Answer what waits for room with NotTaken from now on: the doors close. Any thread."""
        with self._wake:
            self._is_ending = True
            self._wake.notify()

    def close(self) -> None:
        """Commit what waits and end the thread."""
        with self._wake:
            self._is_closing = self._is_ending = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        failure: Exception | None = None
        while parcels := self._take():
            if failure is None:
                self._step_since_s = time.monotonic()
                failure = self._try(parcels)
                self._step_since_s = None
            else:
                self._tell([(parcel, failure) for parcel in parcels], None)
        self._cache.close()

    def _try(self, parcels: list[Parcel]) -> Exception | None:
        """Commit parcels or let them wait for room; return what ends all committing."""
        untold = parcels
        try:
            if not self._look(parcels):
                self._put_back(parcels)
                return None
            completions = self._commit(parcels)
            untold = []
            self._tell(completions, None)
            self._writer.tidy()
            self._remember()
        except Exception as failure:  # noqa: BLE001 - whatever it is, the loop must hear of it and stop
            # What was judged is perhaps not what is on disk, so nobody may write it down or go on from it.
            self._writer.give_up()
            self._tell([(parcel, failure) for parcel in untold], failure)
            return failure
        return None

    def _remember(self) -> None:
        """Write down what is remembered when it is time; between frames, all of it is of what was committed."""
        if not self.space.is_short:
            self._cache.keep(self.space.free_bytes - self.space.needed_bytes)

    def _take(self) -> list[Parcel]:
        """Wait for parcels; return those of the next frame, none when closing."""
        while True:
            with self._wake:
                if self.space.is_short and self._is_ending:
                    self._refuse_waiting()
                taken = self._first_waiting()
                if taken or self._is_closing:
                    return taken
                was_woken = self._wake.wait(LOOK_EVERY_S)
            if not was_woken:
                self._look()
                self._remember()

    def _first_waiting(self) -> list[Parcel]:
        """Take as many parcels as make a frame, of the service itself only while the disk is nearly full."""
        if self.space.is_short:
            return self._take_own() if self._own_count else []
        taken: list[Parcel] = []
        byte_count = payload_count = 0
        while (
            self._waiting
            and byte_count < FRAME_BYTES_TARGET
            and payload_count < FRAME_PAYLOAD_COUNT_TARGET
        ):
            parcel = self._waiting.popleft()
            self._own_count -= parcel.is_own
            byte_count += len(parcel.envelopes)
            payload_count += len(parcel.route)
            taken.append(parcel)
        return taken

    def _take_own(self) -> list[Parcel]:
        own = [parcel for parcel in self._waiting if parcel.is_own]
        self._waiting = deque(parcel for parcel in self._waiting if not parcel.is_own)
        self._own_count = 0
        return own

    def _refuse_waiting(self) -> None:
        own = self._take_own()
        refusal = NotTaken("the service ends while the disk is nearly full")
        self._tell([(parcel, refusal) for parcel in self._waiting], None)
        self._waiting = deque(own)
        self._own_count = len(own)

    def _look(self, parcels: Sequence[Parcel] = ()) -> bool:
        """Look at the disk; return whether parcels may be committed."""
        was_short = self.space.is_short
        coming_bytes = sum(len(parcel.envelopes) for parcel in parcels)
        try:
            has_room = self._watch.look(self._writer.segment_bytes, coming_bytes)
        except OSError as error:  # a commit, if there is one, says what is wrong with the disk
            log.warning(
                "the room on the disk is not known: %s",
                error,
                extra={"event": "disk_unknown", "reason": str(error)},
            )
            return True
        self._note_change(was_short=was_short)
        return has_room or any(parcel.is_own for parcel in parcels)

    def _note_change(self, *, was_short: bool) -> None:
        if self.space.is_short == was_short:
            return
        if was_short:
            log.warning(
                "there is room on the disk again: new data is taken",
                extra={"event": "disk_roomy", "free_bytes": self.space.free_bytes},
            )
        else:
            log.error(
                "%s",
                self.space,
                extra={
                    "event": "disk_low",
                    "free_bytes": self.space.free_bytes,
                    "needed_bytes": self.space.needed_bytes,
                },
            )
        self._tell([], None)

    def _put_back(self, parcels: list[Parcel]) -> None:
        """Let parcels wait for room. None of them is the service's own."""
        with self._wake:
            self._waiting.extendleft(reversed(parcels))

    def _commit(self, parcels: list[Parcel]) -> Completions:
        is_wanted = self._tracer is not None and self._tracer.wants(None)
        begin_ns, start = time.monotonic_ns(), time.perf_counter()
        envelopes = self._envelopes(parcels)
        # A wall clock may step back; arrival does not.
        received_time_ms = max(self._clock_ms(), self._writer.received_time_ms)
        judgement = self._judge.judge(envelopes, received_time_ms)
        sequence = self._append(NewFrame(received_time_ms, envelopes.body))
        for registry, file in judgement.registries:
            log.info(
                "%s: %s is in force from sequence %d on",
                *(registry, file, sequence),
                extra={
                    "event": "registry_entered",
                    "registry": registry,
                    "file": file,
                    "sequence": sequence,
                },
            )
        self._cache.note(envelopes)
        self.times.note(sequence, received_time_ms)
        self._counters.add(judgement, envelopes.length, time.perf_counter() - start)
        if is_wanted:
            self._record(begin_ns, sequence, envelopes)
        return _completions(parcels, sequence, judgement)

    def _record(self, begin_ns: int, sequence: int, envelopes: Envelopes) -> None:
        assert self._tracer is not None
        fields: dict[str, str | int] = {
            "phusong.journal_sequence": sequence,
            "phusong.payloads": len(envelopes.length),
            "phusong.bytes": len(envelopes.body),
        }
        end_ns = time.monotonic_ns()
        self._tracer.record(Span("journal commit", None, begin_ns, end_ns, fields))

    def _append(self, frame: NewFrame) -> int:
        """Append a frame; where the disk has no room at all, try again until it has.

        Nothing else is committed meanwhile: what was judged has to be the next thing in the journal.
        """
        while True:
            try:
                return self._writer.append([frame])
            except NoSpace as error:
                log.error(  # noqa: TRY400 - the reason says all
                    "the disk is full: %s; the commit is tried again",
                    error,
                    extra={"event": "disk_full", "reason": str(error)},
                )
                was_short = self.space.is_short
                self._watch.note_full()
                self._note_change(was_short=was_short)
                self._step_since_s = time.monotonic()  # waiting for room is no standing still
                with self._wake:
                    if not self._is_ending:
                        self._wake.wait(LOOK_EVERY_S)
                    if self._is_ending:
                        self._writer.give_up()
                        raise NotTaken("the service ends while the disk is full") from error

    def _envelopes(self, parcels: list[Parcel]) -> Envelopes:
        route = np.concatenate([parcel.route for parcel in parcels])
        numbers = np.flatnonzero(np.bincount(route)).tolist()
        routes = b"".join([self._table.encoded(number) for number in numbers])
        ends = np.cumsum([len(routes)] + [len(parcel.envelopes) for parcel in parcels])
        counts = [len(parcel.route) for parcel in parcels]
        return Envelopes(
            body=b"".join([routes, *(parcel.envelopes for parcel in parcels)]),
            route=route,
            offset=np.concatenate([parcel.offset for parcel in parcels])
            + np.repeat(ends[:-1], counts),
            length=np.concatenate([parcel.length for parcel in parcels]),
        )


def _completions(parcels: list[Parcel], sequence: int, judgement: Judgement) -> Completions:
    completions: Completions = []
    first = 0
    for parcel in parcels:
        last = first + len(parcel.route)
        completions.append((parcel, Committed(sequence, judgement, first, last)))
        first = last
    return completions
