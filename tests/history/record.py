"""The clients' own word: what was sent, how often, and what they saw acknowledged. Nothing is asked of the service."""

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass, field

from history.devices import Device

from phusong.v1.enforcement_pb2 import Decision
from phusong.v1.ingest_pb2 import Receipt
from phusong.v1.telemetry_pb2 import Batch

Key = tuple[str, bytes]  # an operator, and a batch as bytes in one fixed order

# mosquitto saves every second; one that has no time to has this long before a kill costs what it acknowledged.
BROKER_SAVE_S = 5.0


def key_of(operator: str, batch: Batch) -> Key:
    return operator, batch.SerializeToString(deterministic=True)


def name_of(key: Key) -> str:
    batch = Batch.FromString(key[1])
    return f"{key[0]} {batch.boot_epoch}/{batch.sequence}"


@dataclass
class Entry:
    """One batch, and what became of it as far as its device knows."""

    operator: str
    batch: Batch
    sent_count_max: int = 0
    acknowledged_count: int = 0
    acknowledged_at_s: float = 0.0  # the last time
    receipts: list[Receipt] = field(default_factory=list)

    def acknowledge(self, receipt: Receipt | None = None) -> None:
        self.acknowledged_count += 1
        self.acknowledged_at_s = time.monotonic()
        if receipt is not None:
            self.receipts.append(receipt)


class Record:
    """All entries by what they are of."""

    def __init__(self) -> None:
        self.devices: dict[str, Device] = {}
        self.entries: dict[Key, Entry] = {}
        self.by_broker: set[str] = set()  # operators whose acknowledgements are a broker's
        self.broker_kills_s: list[float] = []
        # Numbers of one connection that may not descend, with what they are.
        self.ascending: list[tuple[str, list[int]]] = []
        # By who watched (an operator's stream): the decisions as they came.
        self.decisions: dict[str, list[Decision]] = {}
        self.complaints: list[str] = []  # what a client itself saw going wrong

    def entry(self, device: Device, batch: Batch) -> Entry:
        key = key_of(device.operator, batch)
        if key not in self.entries:
            self.entries[key] = Entry(device.operator, batch)
        return self.entries[key]

    def promised(self) -> dict[Key, Entry]:
        """Return what must be in the journal: acknowledged, and not lost with a broker that had no time to save it."""
        return {
            key: entry
            for key, entry in self.entries.items()
            if entry.acknowledged_count and not self._may_be_lost(entry)
        }

    def _may_be_lost(self, entry: Entry) -> bool:
        return entry.operator in self.by_broker and any(
            0 <= kill_s - entry.acknowledged_at_s < BROKER_SAVE_S for kill_s in self.broker_kills_s
        )


class Feed:
    """The submissions of one device at its own pace; what was not acknowledged comes again, first."""

    def __init__(self, device: Device, record: Record, stop: asyncio.Event, pace_s: float) -> None:
        self.device = device
        self.record = record
        self._stop = stop
        self._pace_s = pace_s
        self._chance = random.Random(device.operator)
        self._batches = device.submissions()
        self._again: deque[Entry] = deque()
        record.devices[device.operator] = device

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing left to send, as far as nobody gives back what is on its way."""
        return self._stop.is_set() and not self._again

    async def take(self) -> Entry | None:
        """Return the next batch to send, None at the end."""
        if not self._again and not self._stop.is_set():
            await asyncio.sleep(self._pace_s * self._chance.uniform(0, 2))
        if self._again:
            return self._again.popleft()
        if self._stop.is_set():
            return None
        return self.record.entry(self.device, next(self._batches))

    def give_back(self, entry: Entry) -> None:
        """Send again what was not acknowledged; a mortal device does not."""
        if not self.device.habit.is_mortal:
            self._again.append(entry)
