"""The decisions of all operators: journalled first, then delivered, sent again until acknowledged, kept for who comes back.

Positions grow by one per operator from 1. A reader asks for what comes after the position it has seen, so a slow
or returning reader needs no queue of its own.
"""

import asyncio
import datetime as dt
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

from phusong.collector.decision_reader import DecisionReader
from phusong.collector.intake import Intake, wall_clock_ms
from phusong.collector.operator_decisions import DecisionsForgotten, OperatorDecisions
from phusong.collector.outstanding import STEERING, UNIX_DAY, Sending, messages_of, sendings_of
from phusong.collector.reservation_entries import note_entry
from phusong.kernels.frame import (
    Frame,
    PayloadKind,
    Route,
    Transport,
    encode_envelope_head,
    encode_route,
)
from phusong.kernels.reservations import ReservationBook
from phusong.v1.enforcement_pb2 import AcknowledgeRequest, Action, Decision, DecisionsSent
from phusong.v1.ingest_pb2 import Receipt

__all__ = ["DecisionBoard", "DecisionsForgotten", "OperatorDecisions"]

# What of the journal makes a board.
BOARD_KINDS = frozenset(
    (
        PayloadKind.DECISION,
        PayloadKind.ACKNOWLEDGEMENT,
        PayloadKind.DECISIONS_SENT,
        PayloadKind.RESERVATION,
    )
)
# Decisions that may wait for their commit before whoever brings more is made to wait: two reports of the verifier's
# own would do, and a midnight's worth of cuts must not pile up here.
UNDER_WAY_COUNT_MAX = 4096


class _UnderWay(NamedTuple):
    """A decision on its way into the journal."""

    decision: Decision
    payload: bytes
    receipt: "asyncio.Future[Receipt]"


class DecisionBoard:
    """Decisions of all operators."""

    def __init__(self) -> None:
        """Start before the first decision; `replay` what the journal holds, then `attach` the intake."""
        self.reservations = (
            ReservationBook()
        )  # hands out nothing of a day that was decided to be used up
        self.unnoted: list[tuple[str, Sending]] = []  # sendings that are not in the journal yet
        self._operators: dict[str, OperatorDecisions] = {}
        self._intake: Intake | None = None
        self._clock_ms: Callable[[], int] = wall_clock_ms
        self._under_way: deque[_UnderWay] = deque()

    def attach(self, intake: Intake, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        """Journal through this intake from now on."""
        self._intake = intake
        self._clock_ms = clock_ms

    @property
    def operators(self) -> list[OperatorDecisions]:
        """The boards there are."""
        return list(self._operators.values())

    def of(self, operator: str) -> OperatorDecisions:
        """Return the decisions of one operator."""
        if operator not in self._operators:
            self._operators[operator] = OperatorDecisions(operator, self._note, self._now_ms)
        return self._operators[operator]

    def leave(self, operator: str, reader: DecisionReader) -> None:
        """Forget who read; and an operator that never had a decision with the last who did.

        Names are whatever a reader asks for, so they may cost nothing once it is gone.
        """
        board = self._operators.get(operator)
        if board is None:
            return
        board.readers.discard(reader)
        if not board.readers and not board.assigned_position:
            del self._operators[operator]

    async def publish(self, decisions: Sequence[Decision]) -> int:
        """Journal decisions and deliver them; return how many were new by their key, once they are delivered.

        `position` is filled here. Raises JournalFailed.
        """
        receipts = self.offer(decisions)
        if receipts:
            await asyncio.wait(receipts)  # who stops waiting cancels nothing: they are on their way
        for receipt in receipts:
            receipt.result()
        return len(receipts)

    async def room(self) -> None:
        """Return when decisions may be offered."""
        while len(self._under_way) >= UNDER_WAY_COUNT_MAX:
            await asyncio.wait((self._under_way[0].receipt,))

    def offer(self, decisions: Sequence[Decision]) -> "list[asyncio.Future[Receipt]]":
        """Put decisions on their way into the journal; each is delivered when it is there. Raises JournalFailed."""
        assert self._intake is not None, "attached at start"
        receipts = []
        for decision in decisions:
            board = self.of(decision.operator)
            if (
                decision.decision_key in board.is_acknowledged
                or decision.decision_key in board.coming
            ):
                continue
            numbered = Decision()
            numbered.CopyFrom(decision)
            numbered.position = board.assigned_position + 1
            payload = numbered.SerializeToString()
            receipt = self._intake.send(_route(decision.operator, PayloadKind.DECISION), payload)
            board.assigned_position = numbered.position
            board.coming.add(numbered.decision_key)
            self._under_way.append(_UnderWay(numbered, payload, receipt))
            receipt.add_done_callback(self._deliver)
            receipts.append(receipt)
        return receipts

    def _deliver(self, _: object) -> None:
        """Deliver what is on disk. Commits come in the order of sending, and so do decisions."""
        delivered: dict[str, OperatorDecisions] = {}
        while self._under_way and self._under_way[0].receipt.done():
            numbered, payload, receipt = self._under_way.popleft()
            if receipt.cancelled() or receipt.exception() is not None:
                continue  # the intake has failed, and with it the service
            board = self.of(numbered.operator)
            board.add(numbered, payload)
            self._steer(numbered)
            delivered[numbered.operator] = board
        for board in delivered.values():
            board.tell()

    async def acknowledge(
        self, request: AcknowledgeRequest, transport: Transport, principal: str = ""
    ) -> int:
        """Journal that an enforcement point acted; return how many known decisions are noted now for the first time.

        Raises Overloaded, JournalFailed.
        """
        assert self._intake is not None, "attached at start"
        if request.operator not in self._operators:
            return 0  # nothing was ever decided there, and whoever makes names up shall not fill the table of routes
        self.note_sendings()  # so that the journal tells first that it left, then that it was acted on
        route = Route(request.operator, "", principal, transport, PayloadKind.ACKNOWLEDGEMENT)
        await self._intake.submit(route, request.SerializeToString())
        board = self._operators.get(request.operator)
        return 0 if board is None else board.acknowledge(request.decision_keys)

    async def watch(
        self, operator: str, after_position: int, is_stopping: asyncio.Event
    ) -> AsyncIterator[bytes]:
        """Yield the serialised decisions after a position, then new ones as they are taken, until `is_stopping`.

        Raises DecisionsForgotten.
        """
        changed = asyncio.Event()
        reader = self.of(operator).read(after_position, changed.set)
        stopping = asyncio.ensure_future(is_stopping.wait())
        stopping.add_done_callback(lambda _: changed.set())
        try:
            while not is_stopping.is_set():
                changed.clear()
                payload = reader.show()
                if payload is None:
                    await changed.wait()
                else:
                    yield payload
                    reader.take()
        finally:
            self.leave(operator, reader)
            stopping.cancel()

    def replay(self, frame: Frame, body: bytes) -> None:
        """Take the decisions and acknowledgements of a frame of the journal."""
        kinds = {number: route.kind for number, route in frame.routes.items()}
        if not BOARD_KINDS.intersection(kinds.values()):
            return
        places = zip(
            frame.route.tolist(), frame.offset.tolist(), frame.length.tolist(), strict=True
        )
        for number, offset, length in places:
            if kinds[number] in BOARD_KINDS:
                self.take(kinds[number], body[offset : offset + length])

    def take(self, kind: int, payload: bytes) -> None:
        """Take a payload of the journal that is one of BOARD_KINDS."""
        if kind == PayloadKind.DECISION:
            decision = Decision.FromString(payload)
            self.of(decision.operator).add(decision, payload)
            self._steer(decision)
            return
        if kind == PayloadKind.RESERVATION:
            note_entry(self.reservations, payload)
            return
        if kind == PayloadKind.DECISIONS_SENT:
            message = DecisionsSent.FromString(payload)
            for sending in sendings_of(message):
                self.of(message.operator).outstanding.note_sent(sending)
            return
        request = AcknowledgeRequest.FromString(payload)
        if request.operator in self._operators:
            self.of(request.operator).acknowledge(request.decision_keys)

    def copy(self) -> "DecisionBoard":
        """Return what is kept once more, for another thread."""
        other = DecisionBoard()
        other.reservations = self.reservations.copy()
        other._operators = {
            operator: board.copy(other._note, other._now_ms)
            for operator, board in self._operators.items()
        }
        return other

    @property
    def size_bytes(self) -> int:
        """About how many bytes `export` returns."""
        return sum(
            len(payload) + len(key) + 16
            for board in self._operators.values()
            for payload, key in zip(board.payloads(), board.is_acknowledged, strict=False)
        )

    def export(self) -> bytes:
        """Return everything kept as the body of a frame that `replay` takes."""
        routes: list[bytes] = []
        envelopes: list[bytes] = []
        for operator, board in self._operators.items():
            acknowledged = AcknowledgeRequest(
                operator=operator, decision_keys=board.acknowledged_keys()
            )
            sent = messages_of(operator, board.outstanding.sendings())
            kept = {
                PayloadKind.DECISION: board.payloads(),
                PayloadKind.ACKNOWLEDGEMENT: [acknowledged.SerializeToString()],
                PayloadKind.DECISIONS_SENT: [message.SerializeToString() for message in sent],
            }
            for number, (kind, payloads) in enumerate(kept.items(), start=len(routes) + 1):
                routes.append(encode_route(number, _route(operator, kind)))
                for payload in payloads:
                    envelopes += (encode_envelope_head(number, len(payload)), payload)
        return b"".join(routes + envelopes)

    def note_sendings(self) -> "list[asyncio.Future[Receipt]]":
        """Put what was sent since the last time on its way into the journal. Raises JournalFailed."""
        assert self._intake is not None, "attached at start"
        by_operator: dict[str, list[Sending]] = {}
        for operator, sending in self.unnoted:
            by_operator.setdefault(operator, []).append(sending)
        self.unnoted.clear()
        return [
            self._intake.send(_route(operator, PayloadKind.DECISIONS_SENT), m.SerializeToString())
            for operator, sendings in by_operator.items()
            for m in messages_of(operator, sendings)
        ]

    def _steer(self, decision: Decision) -> None:
        """Let the pool of a SIM's day follow the meter."""
        if decision.action in STEERING:
            day = (dt.date.fromisoformat(decision.day) - UNIX_DAY).days
            is_cut = decision.action != Action.ACTION_RESTORE
            self.reservations.cut(decision.subscriber_key, day, is_cut=is_cut)

    def _note(self, operator: str, sending: Sending) -> None:
        self.unnoted.append((operator, sending))

    def _now_ms(self) -> int:
        return self._clock_ms()


def _route(operator: str, kind: PayloadKind) -> Route:
    return Route(operator, "", "", Transport.SERVICE, kind)
