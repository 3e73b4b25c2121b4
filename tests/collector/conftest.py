"""Doors that are really open, on free ports of loopback."""

import pytest_asyncio
from mqtt_peer import Peer

from phusong.collector.doors import DoorOptions, Doors


@pytest_asyncio.fixture
async def doors(tmp_path):
    async with Doors(DoorOptions(tmp_path)) as opened:
        yield opened
        while Peer.open_peers:  # also of a test that failed
            Peer.open_peers.pop().close()
