"""The decisions an operator's enforcement point is told: journalled first, then delivered, kept for who comes back.

Positions grow by one per operator from 1. A reader asks for what comes after the position it has seen, so a slow
or returning reader needs no queue of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from phusong.collector.intake import Intake
from phusong.kernels.frame import (
    Frame,
    PayloadKind,
    Route,
    Transport,
    encode_envelope_head,
    encode_route,
)
from phusong.v1.enforcement_pb2 import AcknowledgeRequest, Decision

# Per operator, about 200 bytes each. An enforcement point that was away for longer finds the rest in
# `phusong decisions`; asking here for what is no longer kept is an error and never a silent gap.
DECISION_KEPT_COUNT_MAX = 100_000
# Trimmed in steps, so that trimming costs nothing per decision.
DECISION_TRIM_COUNT = 10_000
# What of the journal makes a board.
BOARD_KINDS = frozenset((PayloadKind.DECISION, PayloadKind.ACKNOWLEDGEMENT))
# How many a reader is handed before it is asked how far it is.
WATCH_RUN_COUNT = 256


class DecisionsForgotten(Exception):
    """What comes after the asked position is no longer kept."""


class OperatorDecisions:
    """The kept decisions of one operator."""

    def __init__(self, operator: str) -> None:
        """Start before the first decision."""
        self.operator = operator
        self.last_position = 0  # the last one that may be delivered
        self.assigned_position = 0  # the last one given out, perhaps not on disk yet
        self.is_acknowledged: dict[str, bool] = {}
        self.listeners: set[Callable[[], None]] = set()
        self._payloads: list[bytes] = []
        self._keys: list[str] = []

    def add(self, decision: Decision, payload: bytes) -> None:
        """Keep a decision that is in the journal."""
        assert decision.position == self.last_position + 1 or not self._payloads, "no gaps"
        self.last_position = decision.position
        self.assigned_position = max(self.assigned_position, decision.position)
        self.is_acknowledged.setdefault(decision.decision_key, False)
        self._payloads.append(payload)
        self._keys.append(decision.decision_key)
        if len(self._payloads) >= DECISION_KEPT_COUNT_MAX + DECISION_TRIM_COUNT:
            for key in self._keys[:DECISION_TRIM_COUNT]:
                self.is_acknowledged.pop(key, None)
            del self._payloads[:DECISION_TRIM_COUNT], self._keys[:DECISION_TRIM_COUNT]

    def after(self, position: int, count_max: int) -> list[bytes]:
        """Return up to `count_max` serialised decisions after a position. Raises DecisionsForgotten."""
        first_kept = self.last_position - len(self._payloads) + 1
        if position + 1 < first_kept:
            raise DecisionsForgotten(
                f"decisions of {self.operator} are kept from position {first_kept}, asked after {position}"
            )
        start = position + 1 - first_kept
        return self._payloads[start : start + count_max]

    def acknowledge(self, keys: Sequence[str]) -> int:
        """Note that decisions were acted on; return how many are known and were not noted before."""
        count = 0
        for key in keys:
            if self.is_acknowledged.get(key) is False:
                self.is_acknowledged[key] = True
                count += 1
        return count

    def tell(self) -> None:
        """Wake everyone who waits for more."""
        for listener in tuple(self.listeners):
            listener()

    def acknowledged_keys(self) -> list[str]:
        """Return the kept keys that were acted on."""
        return [key for key, is_acknowledged in self.is_acknowledged.items() if is_acknowledged]

    def payloads(self) -> list[bytes]:
        """Return everything kept."""
        return self._payloads

    def copy(self) -> "OperatorDecisions":
        """Return the same once more, for another thread; nobody listens to it."""
        other = OperatorDecisions(self.operator)
        other.last_position, other.assigned_position = self.last_position, self.last_position
        other.is_acknowledged = self.is_acknowledged.copy()
        other._payloads, other._keys = self._payloads.copy(), self._keys.copy()
        return other


class DecisionBoard:
    """Decisions of all operators."""

    def __init__(self) -> None:
        """Start before the first decision; `replay` what the journal holds, then `attach` the intake."""
        self._operators: dict[str, OperatorDecisions] = {}
        self._intake: Intake | None = None
        self._publishing = asyncio.Lock()

    def attach(self, intake: Intake) -> None:
        """Journal through this intake from now on."""
        self._intake = intake

    def of(self, operator: str) -> OperatorDecisions:
        """Return the decisions of one operator."""
        if operator not in self._operators:
            self._operators[operator] = OperatorDecisions(operator)
        return self._operators[operator]

    def leave(self, operator: str, listener: Callable[[], None]) -> None:
        """Forget who waited for more; and an operator that never had a decision with the last who did.

        Names are whatever a reader asks for, so they may cost nothing once it is gone.
        """
        board = self._operators.get(operator)
        if board is None:
            return
        board.listeners.discard(listener)
        if not board.listeners and not board.assigned_position:
            del self._operators[operator]

    async def publish(self, decisions: Sequence[Decision]) -> int:
        """Journal decisions, then deliver them; return how many were new by their key.

        `position` is filled here. Raises JournalFailed.
        """
        assert self._intake is not None, "attached at start"
        async with self._publishing:  # one at a time, so that positions and commits have one order
            written: list[tuple[Decision, bytes]] = []
            receipts = []
            keys: set[tuple[str, str]] = set()
            for decision in decisions:
                board = self.of(decision.operator)
                key = (decision.operator, decision.decision_key)
                if decision.decision_key in board.is_acknowledged or key in keys:
                    continue
                keys.add(key)
                board.assigned_position += 1
                numbered = Decision()
                numbered.CopyFrom(decision)
                numbered.position = board.assigned_position
                payload = numbered.SerializeToString()
                written.append((numbered, payload))
                receipts.append(self._intake.send(_decision_route(decision.operator), payload))
            await asyncio.gather(*receipts)
            for numbered, payload in written:
                self.of(numbered.operator).add(numbered, payload)
        for operator in {numbered.operator for numbered, _ in written}:
            self.of(operator).tell()
        return len(written)

    async def acknowledge(
        self, request: AcknowledgeRequest, transport: Transport, principal: str = ""
    ) -> int:
        """Journal that an enforcement point acted; return how many known decisions are noted now for the first time.

        Raises Overloaded, JournalFailed.
        """
        assert self._intake is not None, "attached at start"
        if request.operator not in self._operators:
            return 0  # nothing was ever decided there, and whoever makes names up shall not fill the table of routes
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
        board = self.of(operator)
        changed = asyncio.Event()
        board.listeners.add(changed.set)
        stopping = asyncio.ensure_future(is_stopping.wait())
        stopping.add_done_callback(lambda _: changed.set())
        try:
            while not is_stopping.is_set():
                changed.clear()
                for payload in board.after(after_position, WATCH_RUN_COUNT):
                    after_position += 1
                    yield payload
                if after_position >= board.last_position:
                    await changed.wait()
        finally:
            self.leave(operator, changed.set)
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
            return
        request = AcknowledgeRequest.FromString(payload)
        if request.operator in self._operators:
            self.of(request.operator).acknowledge(request.decision_keys)

    def copy(self) -> "DecisionBoard":
        """Return what is kept once more, for another thread."""
        other = DecisionBoard()
        other._operators = {operator: board.copy() for operator, board in self._operators.items()}
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
            number = len(routes) + 1
            routes.append(encode_route(number, _decision_route(operator)))
            for payload in board.payloads():
                envelopes += (encode_envelope_head(number, len(payload)), payload)
            kind = PayloadKind.ACKNOWLEDGEMENT
            route = Route(operator, "", "", Transport.SERVICE, kind)
            routes.append(encode_route(number + 1, route))
            request = AcknowledgeRequest(operator=operator, decision_keys=board.acknowledged_keys())
            payload = request.SerializeToString()
            envelopes += (encode_envelope_head(number + 1, len(payload)), payload)
        return b"".join(routes + envelopes)


def _decision_route(operator: str) -> Route:
    return Route(operator, "", "", Transport.SERVICE, PayloadKind.DECISION)
