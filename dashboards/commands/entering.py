"""What somebody entered by hand on its way into the journal, and how to know which entry it became."""

import asyncio
from pathlib import Path

from phusong.collector.journal.writer import JournalFailed, JournalLocked
from phusong.collector.road import open_road
from phusong.dashboards.commands.exits import FAILED, fail
from phusong.dashboards.commands.options import now_ms
from phusong.kernels.frame import PayloadKind, Route, Transport
from phusong.verifier.closing import closed_history
from phusong.verifier.registry.entries import STREAMS, RegistryHistory, Version, read_registries
from phusong.verifier.state import State


def enter(data: Path, kind: PayloadKind, payload: bytes) -> int:
    """Return the sequence of the frame a payload is in, once that is on disk."""
    route = Route("", "registry", "", Transport.SERVICE, kind)
    try:
        return asyncio.run(_submit(data, route, payload))
    except JournalLocked:
        fail(f"another process has the journal in {data} open and takes no entries; stop it first")
    except JournalFailed as failure:
        fail(
            f"{failure}. Look whether it was entered before entering it again: what is in counts once"
        )


async def _submit(data: Path, route: Route, payload: bytes) -> int:
    async with open_road(data, now_ms) as road:
        receipt = await road.submit(route, payload)
    return int(receipt.journal_sequence)


def check_can_judge_again(data: Path, why: str) -> None:
    """Refuse what makes all readings be judged again, when some of them were pruned."""
    closed = closed_history(data)
    if closed is not None:
        fail(f"{closed.gone(f'all readings are judged again {why}')}.", FAILED)


def entered_as(
    data: Path, state: State, kind: PayloadKind, sequence: int, payload: bytes
) -> tuple[RegistryHistory, Version]:
    """Return what had been entered by the frame `sequence`, and which entry of it a payload is.

    `state` knows what stands before. Of two alike in one frame it is the first, which is the one with an effect.
    """
    history = RegistryHistory(
        {name: list(versions) for name, versions in state.registries.history.versions.items()}
    )
    history = read_registries(data / "journal", sequence, history=history, after=state.position)
    version = next(
        v
        for v in history.versions[STREAMS[kind]]
        if v.sequence == sequence and v.content == payload
    )
    return history, version
