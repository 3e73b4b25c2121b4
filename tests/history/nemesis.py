"""Ends and stops things at random moments. One seed decides what, in which order, and how long it waits in between."""

import asyncio
import random
import signal

from history.record import BROKER_SAVE_S
from history.world import World, resume

PAUSE_S = (0.2, 1.5)
STOPPED_S = (0.1, 1.5)


async def kill_service(world: World, chance: random.Random) -> None:
    await world.kill()
    await asyncio.sleep(chance.uniform(0, 0.5))
    await world.start()


async def stop_service(world: World, _chance: random.Random) -> None:
    await world.stop()
    await world.start()


async def reload_service(world: World, chance: random.Random) -> None:
    await world.reload(chance.randrange(8, 1024))


async def kill_verifier(world: World, _chance: random.Random) -> None:
    await world.signal_verifier(signal.SIGKILL)
    world.counts["verifier killed"] += 1


async def stop_verifier(world: World, chance: random.Random) -> None:
    pid = await world.signal_verifier(signal.SIGSTOP)
    world.counts["verifier stopped"] += 1
    try:
        await asyncio.sleep(chance.uniform(*STOPPED_S))
    finally:
        resume(pid)


async def orphan_verifier(world: World, chance: random.Random) -> None:
    """Kill the service while its verifier sleeps: it wakes beside the next one, with an older state in hand."""
    pid = await world.signal_verifier(signal.SIGSTOP)
    world.counts["verifier orphaned"] += 1
    try:
        await kill_service(world, chance)
        await asyncio.sleep(chance.uniform(*STOPPED_S))
    finally:
        resume(pid)


async def restart_broker(world: World, chance: random.Random) -> None:
    world.counts["broker restarted"] += 1
    await asyncio.to_thread(world.broker.stop)
    await asyncio.sleep(chance.uniform(0, 0.5))
    await asyncio.to_thread(world.broker.start)


async def kill_broker(world: World, _chance: random.Random) -> None:
    await world.kill_broker()
    await asyncio.to_thread(world.broker.start)


async def cut_all(world: World, _chance: random.Random) -> None:
    world.cut_all()


HARMS = (
    *(kill_service, orphan_verifier, stop_service, reload_service, kill_verifier, stop_verifier),
    *(restart_broker, kill_broker, cut_all),
)


async def torment(world: World, chance: random.Random, rounds: int) -> None:
    """Do everything in `HARMS` so many times, each round in another order."""
    await asyncio.sleep(BROKER_SAVE_S)  # so that the broker has saved our session once
    for _ in range(rounds):
        for harm in chance.sample(HARMS, len(HARMS)):
            await asyncio.sleep(chance.uniform(*PAUSE_S))
            await harm(world, chance)
