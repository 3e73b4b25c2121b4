"""Journals of real frames in several segments, sealed and signed."""

import asyncio
from pathlib import Path

from batches import TIME_MS, usage_payload
from tampering import seal

from phusong.collector.doors import open_intake
from phusong.collector.topics import route_of_names
from phusong.kernels.frame import PayloadKind, Route, Transport
from phusong.v1.journal_pb2 import RegistryEntry

REGISTRY = Route("", "registry", "", Transport.SERVICE, PayloadKind.REGISTRY)
ROUTE = route_of_names("viettel", "pgw-1", Transport.GRPC)


def segmented_journal(data: Path, batch_count: int, sites: str = "") -> None:
    """Make or continue a journal with a segment for every batch of two readings; all but the last sealed."""
    asyncio.run(_take(data, batch_count, sites))
    seal(data)


async def _take(data: Path, batch_count: int, sites: str) -> None:
    async with open_intake(data, lambda: TIME_MS + 1000) as opened:
        opened.writer.segment_max_bytes = 1
        if sites:
            entry = RegistryEntry(registry="sites", file="sites.csv", content=sites.encode())
            await opened.intake.submit(REGISTRY, entry.SerializeToString())
        first = opened.writer.sequence + 1
        for number in range(first, first + batch_count):
            await opened.intake.submit(ROUTE, usage_payload(number, rows=2, boot_epoch=1))
