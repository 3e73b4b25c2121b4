"""Doors that are really open, on free ports of loopback."""

import pytest_asyncio
from mqtt_peer import Peer

from phusong.collector.doors import DoorOptions, Doors


@pytest_asyncio.fixture
async def guarded_doors(tmp_path):
    """Doors that ask everybody for a credential."""
    async with Doors(DoorOptions(tmp_path)) as opened:
        yield opened
        _close_peers()


@pytest_asyncio.fixture
async def doors(tmp_path):
    async with Doors(DoorOptions(tmp_path, open_loopback=True)) as opened:
        yield opened
        _close_peers()


def _close_peers():
    while Peer.open_peers:  # also of a test that failed
        Peer.open_peers.pop().close()
