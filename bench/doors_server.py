"""The doors alone, for the benchmarks: `python doors_server.py FOLDER` prints its ports, and its counts at the end."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import uvloop

from phusong.collector.admission.limits import Limits
from phusong.collector.doors import DoorOptions, Doors

# What the doors can do, not what one source may: its account is kept, but is never empty.
LIMITS = Limits(bytes_per_s_per_source=1 << 50, payloads_per_s_per_source=1 << 40)


async def main() -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with Doors(DoorOptions(Path(sys.argv[1]), open_loopback=True, limits=LIMITS)) as doors:
        print(json.dumps([doors.mqtt_port, doors.grpc_port]), flush=True)
        await stopping.wait()
        counts = doors.counts
    accepted = sum(origin.accepted_row_count for origin in counts.origins.values())
    print(json.dumps([accepted, counts.commit_count, counts.commit_seconds_sum]), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
