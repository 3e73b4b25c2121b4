"""Doors that are really open, on free ports of loopback."""

import pytest_asyncio
from phusong.collector.doors import DoorOptions, Doors


@pytest_asyncio.fixture
async def doors(tmp_path):
    async with Doors(DoorOptions(tmp_path)) as opened:
        yield opened
