"""Sends decisions again until they are acknowledged, and journals what left: the task beside the board."""

import asyncio
from contextlib import suppress
from typing import Self

from phusong.collector.decisions import DecisionBoard
from phusong.collector.journal.writer import JournalFailed
from phusong.v1.ingest_pb2 import Receipt

# What left is journalled together: a frame per decision would cost more than the decision. A kill in between sends
# it once more, under the same key.
NOTE_EVERY_S = 0.1


class DecisionSender:
    """Works while its context is entered, which lies within that of the intake."""

    def __init__(self, board: DecisionBoard) -> None:
        """The board is attached to its intake already."""
        self._board = board

    async def __aenter__(self) -> Self:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="decision sender")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Journal what left last: the doors are closed by now."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        with suppress(JournalFailed):
            receipts = self._board.note_sendings()
            if receipts:
                await asyncio.wait(receipts)

    async def _run(self) -> None:
        with suppress(JournalFailed):  # whoever waits for the intake's failure ends the service
            while True:
                await asyncio.sleep(NOTE_EVERY_S)
                for operator in self._board.operators:
                    operator.send_due()
                for receipt in self._board.note_sendings():
                    receipt.add_done_callback(_look)


def _look(receipt: asyncio.Future[Receipt]) -> None:
    """Let nobody warn of a failure that the intake tells itself."""
    if not receipt.cancelled():
        receipt.exception()
