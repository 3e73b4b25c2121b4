"""Steps of reservations as they are journalled, and the book of them as a cache keeps it."""

import datetime as dt
import json

from phusong.collector.outstanding import UNIX_DAY
from phusong.kernels.days import DAY_MS, ICT_OFFSET_MS
from phusong.kernels.reservations import Answer, Pool, ReservationBook, Slice, Step
from phusong.v1.reservation_pb2 import Reservation, ReserveAnswer, ReserveRequest


def step_of(request: ReserveRequest, time_ms: int) -> Step:
    """Return a request as the book takes it."""
    return Step(
        request.subscriber_key,
        f"{request.operator}/{request.source}/{request.session}",
        request.number,
        request.used_bytes,
        request.wanted_bytes,
        request.is_release,
        time_ms,
    )


def answer_message(answer: Answer) -> ReserveAnswer:
    """Return an answer as it is journalled and sent."""
    return ReserveAnswer(
        granted_bytes=answer.granted_bytes,
        left_bytes=answer.left_bytes,
        expires_time_ms=answer.expires_time_ms,
        day=(UNIX_DAY + dt.timedelta(days=answer.ict_day)).isoformat(),
    )


def note_entry(book: ReservationBook, payload: bytes) -> None:
    """Take what the journal holds of a step and its answer."""
    entry = Reservation.FromString(payload)
    said = entry.answer
    day = (entry.time_ms + ICT_OFFSET_MS) // DAY_MS
    answer = Answer(said.granted_bytes, said.left_bytes, said.expires_time_ms, day)
    book.note(step_of(entry.request, entry.time_ms), answer)


def encode_book(book: ReservationBook) -> bytes:
    """Return a book as bytes for a cache."""
    pools = [[*at, *pool] for at, pool in book.pools.items()]
    slices = [
        [sim, session, *held[:4], *held.answer]
        for sim, sessions in book.slices.items()
        for session, held in sessions.items()
    ]
    return json.dumps([pools, slices]).encode()


def decode_book(content: bytes) -> ReservationBook:
    """Return the book of `encode_book`."""
    pools, slices = json.loads(content)
    book = ReservationBook()
    book.load(
        ((sim, day, Pool(*pool)) for sim, day, *pool in pools),
        (
            (row[0], row[1], Slice(row[2], row[3], row[4], row[5], Answer(*row[6:])))
            for row in slices
        ),
    )
    return book
