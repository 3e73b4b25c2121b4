"""The worker thread of the intake: takes everything waiting, makes one frame of it, commits it, tells the loop.

The only place where anything is committed. Nothing here runs on the event loop.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from phusong.collector.counts import Counters
from phusong.collector.journal.writer import JournalWriter, NewFrame
from phusong.collector.judge import Envelopes, Judge, Judgement
from phusong.collector.parcel import Outcome, Parcel
from phusong.collector.receipts import Committed

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
        tell: Callable[[Completions], None],
    ) -> None:
        """`tell` is called on the worker thread with what is complete, once per commit."""
        self._writer = writer
        self._judge = judge
        self._table = judge.table
        self._counters = counters
        self._clock_ms = clock_ms
        self._tell = tell
        self._waiting: deque[Parcel] = deque()
        self._wake = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="phusong-committer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, parcel: Parcel) -> None:
        """Let a parcel wait for the next commit. Any thread."""
        with self._wake:
            assert not self._is_closing, "the doors close before the intake"
            self._waiting.append(parcel)
            self._wake.notify()

    def close(self) -> None:
        """Commit what waits and end the thread."""
        with self._wake:
            self._is_closing = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        error: Exception | None = None
        while parcels := self._take():
            if error is None:
                try:
                    self._tell(self._commit(parcels))
                    self._writer.tidy()
                except Exception as failure:  # noqa: BLE001 - whatever it is, the loop must hear of it and stop
                    error = failure
                else:
                    continue
            self._tell([(parcel, error) for parcel in parcels])

    def _take(self) -> list[Parcel]:
        """Wait for parcels; return those of the next frame, none when closing."""
        taken: list[Parcel] = []
        byte_count = payload_count = 0
        with self._wake:
            while not self._waiting and not self._is_closing:
                self._wake.wait()
            while (
                self._waiting
                and byte_count < FRAME_BYTES_TARGET
                and payload_count < FRAME_PAYLOAD_COUNT_TARGET
            ):
                parcel = self._waiting.popleft()
                byte_count += len(parcel.envelopes)
                payload_count += len(parcel.route)
                taken.append(parcel)
        return taken

    def _commit(self, parcels: list[Parcel]) -> Completions:
        start = time.perf_counter()
        envelopes = self._envelopes(parcels)
        # A wall clock may step back; arrival does not.
        received_time_ms = max(self._clock_ms(), self._writer.received_time_ms)
        judgement = self._judge.judge(envelopes, received_time_ms)
        sequence = self._writer.append([NewFrame(received_time_ms, envelopes.body)])
        self._counters.add(judgement, envelopes.length, time.perf_counter() - start)
        return _completions(parcels, sequence, judgement)

    def _envelopes(self, parcels: list[Parcel]) -> Envelopes:
        route = np.concatenate([parcel.route for parcel in parcels])
        numbers = np.unique(route).tolist()
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
