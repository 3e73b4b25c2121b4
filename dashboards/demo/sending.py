"""Sends a programme through both doors at once, and shows how far it is."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from phusong.dashboards.demo.grpc_sender import send_by_grpc
from phusong.dashboards.demo.messages import Door, Message, SendingFailed, Source
from phusong.dashboards.demo.mqtt_sender import send_by_mqtt

# Where nobody watches a bar, a line now and then shows that it is alive.
LINE_EVERY_S = 5.0

Advance = Callable[[float], None]


async def send_all(
    messages: list[Message], *, mqtt_port: int, grpc_port: int, advance: Advance
) -> None:
    """Send every message by the door of its source, all sources at the same time.

    `advance` hears the rows of each acknowledged payload. Raises the SendingFailed of the first source that fails;
    the others are then stopped.
    """
    by_source: dict[Source, list[Message]] = {}
    for message in messages:
        by_source.setdefault(message.source, []).append(message)
    failures: list[BaseException] = []
    try:
        async with asyncio.TaskGroup() as group:
            for source, own in by_source.items():
                if source.door is Door.MQTT:
                    sending = send_by_mqtt(mqtt_port, own, lambda m: advance(m.row_count))
                else:
                    sending = send_by_grpc(grpc_port, own, lambda m: advance(m.row_count))
                group.create_task(sending)
    except* SendingFailed as failed:
        failures.append(failed)
    if failures:
        raise _first_of(failures[0])


def _first_of(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


@contextmanager
def progress_bar(label: str, total: float) -> Iterator[Advance]:
    """Show progress on stderr: a bar on a terminal, otherwise a line every few seconds."""
    if not sys.stderr.isatty():
        yield _line_printer(label, total)
        return
    from rich.console import Console  # noqa: PLC0415  (a pipe needs no rich)
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total)
        yield lambda step: bar.advance(task, step)


def _line_printer(label: str, total: float) -> Advance:
    done = 0.0
    printed_at_s = time.monotonic()

    def advance(step: float) -> None:
        nonlocal done, printed_at_s
        done += step
        now_s = time.monotonic()
        if now_s - printed_at_s >= LINE_EVERY_S or done >= total:
            printed_at_s = now_s
            sys.stderr.write(f"{label}: {done:,.0f} of {total:,.0f}\n")

    return advance
