"""Doors that stay open for all inputs of a target, on a disk in memory: a commit then costs no disk."""

import asyncio
import atexit
import shutil
import tempfile
from pathlib import Path

from batches import usage_payload

from phusong.collector.doors import DoorOptions, Doors
from phusong.collector.topics import route_of_names
from phusong.kernels.frame import Frame, Transport, decode_frame
from phusong.verifier.journal import JournalReader

MEMORY_DISK = Path("/dev/shm")


class Opened:
    """Doors, the loop they run on, and a reader of their journal."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        data = Path(tempfile.mkdtemp(dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None))
        self.doors = Doors(DoorOptions(data, open_loopback=True))
        self.loop.run_until_complete(self.doors.__aenter__())
        self._reader = JournalReader(data / "journal")
        # libFuzzer ends the process where it ends it; then only the folder in memory is left to remove.
        atexit.register(shutil.rmtree, data, ignore_errors=True)

    def run(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    def close(self) -> None:
        self._reader.close()
        self.run(self.doors.__aexit__(None, None, None))
        self.loop.close()

    async def settled(self) -> None:
        """Return when everything handed over before is on disk and answered."""
        route = route_of_names("viettel", "marker", Transport.IMPORT)
        await self.doors.intake.submit(route, usage_payload(1))
        await asyncio.sleep(0)

    def arrived(self):
        """Return (route, payload) of what came by the doors since the last call."""
        came = []
        for stored in self._reader.frames():
            frame: Frame = decode_frame(stored.body)
            for i, number in enumerate(frame.route.tolist()):
                route = frame.routes[number]
                start = int(frame.offset[i])
                if route.transport != Transport.IMPORT:
                    came.append((route, stored.body[start : start + int(frame.length[i])]))
        return came
