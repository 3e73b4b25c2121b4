"""Hands out slices of the day's volume: journalled before they are answered, and the same after a restart."""

import asyncio
from collections.abc import Callable

from phusong.collector.decisions import DecisionBoard
from phusong.collector.intake import NO_ROOM_RETRY_MS, RETRY_MS, Intake, Overloaded, wall_clock_ms
from phusong.collector.reservation_entries import answer_message, step_of
from phusong.collector.routes import TooManyRoutes
from phusong.kernels.frame import PayloadKind, Route, Transport
from phusong.kernels.reject import Reject
from phusong.kernels.route_names import is_slug
from phusong.v1.ingest_pb2 import Receipt
from phusong.v1.reservation_pb2 import Reservation, ReserveAnswer, ReserveRequest

SESSION_MAX_BYTES = 64
# Where nobody says another: 4 GiB, the reading of "4 GB a day" that the meter has too.
QUOTA_BYTES = 4 * 2**30
# As of a usage reading: more is a fault of the source.
STEP_MAX_BYTES = 1 << 54
EXPECTED = (
    "operator and source are 1 to 64 of [a-z0-9._-], session 1 to 64 bytes, subscriber_key is not 0, number is 1 or"
    f" more, used_bytes and wanted_bytes are 0 to {STEP_MAX_BYTES}"
)


def is_sound(request: ReserveRequest) -> bool:
    """Tell whether a request can be meant."""
    return (
        is_slug(request.operator)
        and is_slug(request.source)
        and 0 < len(request.session.encode()) <= SESSION_MAX_BYTES
        and request.subscriber_key != 0
        and request.number > 0
        and 0 <= request.used_bytes <= STEP_MAX_BYTES
        and 0 <= request.wanted_bytes <= STEP_MAX_BYTES
    )


class ReservationDesk:
    """Answers steps of sessions, one after another, from the pools that the board keeps."""

    def __init__(
        self,
        board: DecisionBoard,
        intake: Intake,
        quota_bytes: int,
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        """quota_bytes: of a day, as the meter has it."""
        self._board = board
        self._intake = intake
        self._quota_bytes = quota_bytes
        self._clock_ms = clock_ms
        self._under_way: dict[tuple[int, str, int], asyncio.Future[Receipt]] = {}

    async def reserve(self, request: ReserveRequest, principal: str) -> ReserveAnswer | Reject:
        """Return the answer to a sound request once it is on disk, or why there is none. Raises Overloaded, JournalFailed."""
        route = Route(
            request.operator, request.source, principal, Transport.GRPC, PayloadKind.RESERVATION
        )
        self._check_room(route)  # before anything is handed out
        step = step_of(request, self._clock_ms())
        before = self._board.reservations.last_number(step)
        answer = self._board.reservations.take(step, self._quota_bytes)
        if isinstance(answer, Reject):
            return answer
        at = (step.subscriber_key, step.session, step.number)
        said = answer_message(answer)
        if before != step.number:
            entry = Reservation(
                request=request, time_ms=step.time_ms, quota_bytes=self._quota_bytes, answer=said
            )
            receipt = self._intake.send(route, entry.SerializeToString())
            self._under_way[at] = receipt
            receipt.add_done_callback(lambda _: self._under_way.pop(at, None))
        coming = self._under_way.get(
            at
        )  # of the first time, when it is asked again before it is on disk
        if coming is not None:
            await asyncio.wait((coming,))
            coming.result()
        return said

    def _check_room(self, route: Route) -> None:
        if self._intake.is_full:
            is_short = self._intake.is_short_of_space
            raise Overloaded(NO_ROOM_RETRY_MS if is_short else RETRY_MS)
        try:
            self._intake.table.number(route)
        except TooManyRoutes as error:
            raise Overloaded(RETRY_MS) from error
