"""What the demo's clients send: payloads, each with the door it goes through, and the sources that send them."""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from phusong.dashboards.demo.sites import OPERATORS
from phusong.v1.telemetry_pb2 import Batch, CellReport, SignalReading, UsageReading


class SendingFailed(Exception):
    """A source could not send; the message names it and says why."""


class Door(Enum):
    """How a source reaches the service."""

    MQTT = "MQTT"
    GRPC = "gRPC"


class Source(NamedTuple):
    """One sender: a name within an operator, and the door it uses."""

    operator: str
    name: str
    door: Door

    def topic(self, *, is_json: bool = False) -> str:
        """Return the MQTT topic of this source's batches."""
        return f"phusong/v1/{self.operator}/{self.name}/batch{'/json' if is_json else ''}"


class Message(NamedTuple):
    """One payload on its way. `topic` is empty for gRPC."""

    source: Source
    topic: str
    payload: bytes
    row_count: int


# What each operator runs: drive-test teams, phones of its own, its base stations' manager, its core networks.
KINDS = {
    "drive-1": Door.GRPC,
    "drive-2": Door.MQTT,
    "phones": Door.MQTT,
    "oss": Door.MQTT,
    "core": Door.GRPC,
    "radius": Door.MQTT,
    "hotspot": Door.MQTT,
}
VIRTUAL_KINDS = ("drive-1", "drive-2", "phones", "core")  # a virtual operator has no radio network


def all_sources() -> list[Source]:
    """Return every source of the demo, for its register."""
    return [
        Source(operator, f"{operator}-{kind}", door)
        for operator in OPERATORS
        for kind, door in KINDS.items()
        if operator != "itelecom" or kind in VIRTUAL_KINDS
    ]


def source_of(operator: str, kind: str) -> Source:
    """Return the source of a kind."""
    return Source(operator, f"{operator}-{kind}", KINDS[kind])


class Outbox:
    """The messages of one source, numbered in the order in which they are first sent."""

    def __init__(self, source: Source) -> None:
        """Start with nothing sent."""
        self.source = source
        self.messages: list[Message] = []
        self.sequence = 0

    def add(
        self,
        *,
        signal: Sequence[SignalReading] = (),
        usage: Sequence[UsageReading] = (),
        cells: Sequence[CellReport] = (),
    ) -> None:
        """Put some rows into the next batch."""
        self.sequence += 1
        is_mqtt = self.source.door is Door.MQTT
        batch = Batch(
            # The topic names source and operator; a batch that names them too must agree with it.
            source="" if is_mqtt else self.source.name,
            operator="" if is_mqtt else self.source.operator,
            sequence=self.sequence,
            signal_readings=signal,
            usage_readings=usage,
            cell_reports=cells,
        )
        topic = self.source.topic() if is_mqtt else ""
        row_count = len(signal) + len(usage) + len(cells)
        self.messages.append(Message(self.source, topic, batch.SerializeToString(), row_count))
