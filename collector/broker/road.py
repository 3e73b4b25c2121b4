"""Reading a broker for as long as the service runs: every message into the intake, acknowledged after its commit."""

import asyncio
import logging
import random
from asyncio import FIRST_COMPLETED
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

from phusong.collector.broker.client import BrokerClient, BrokerLost, Delivery
from phusong.collector.broker.options import BrokerOptions
from phusong.collector.intake import Intake
from phusong.collector.journal.writer import JournalFailed
from phusong.collector.parcel import Outcome, Parcel
from phusong.collector.routes import TooManyRoutes
from phusong.collector.topics import route_of_topic
from phusong.collector.traces import BatchTrace
from phusong.kernels.frame import Transport

log = logging.getLogger(__name__)

DOOR = "broker"
BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 30.0
# A connection that held this long was sound, so the next trouble starts with short waits again.
STEADY_S = 10.0
# How long a refused subscription waits for somebody to mend the broker's access list.
RESUBSCRIBE_S = 30.0
# How long what was taken may take to be committed and acknowledged at the end.
DRAIN_TIMEOUT_S = 10.0
DRAIN_POLL_S = 0.005


def backoff_s(failure_count: int, chance: float) -> float:
    """Return the wait before the next attempt, after so many in a row failed; `chance` in 0…1 spreads collectors out."""
    longest_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0 ** min(failure_count - 1, 10))
    return longest_s * (1 + chance) / 2


@dataclass(frozen=True, slots=True)
class BrokerCounts:
    """What happened between us and the broker since the process started."""

    is_connected: bool
    connect_count: int
    lost_session_count: int
    received_count: int
    acknowledged_count: int
    refused_subscription_count: int  # now, not since the start

    @property
    def reconnect_count(self) -> int:
        """How often there was a connection after the first."""
        return max(0, self.connect_count - 1)


class BrokerRoad:
    """Reads while its context is entered; a broker that is away is tried again for ever."""

    task: asyncio.Task[
        None
    ]  # ends before the context does only when the journal failed or we are wrong

    def __init__(
        self,
        intake: Intake,
        options: BrokerOptions,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`chance` returns 0…1, for the waits between attempts. Raises OSError when a file of TLS is unusable."""
        self._tls = options.tls_context()
        self._intake = intake
        self._options = options
        self._names = {"broker": options.address, "client_id": options.client_id}  # for the log
        self._chance = chance
        self._number_of: dict[str, int] = {}
        self._stop = asyncio.Event()
        self._client: BrokerClient | None = None
        self._trouble = "not connected yet"
        self._refused: dict[str, str] = {}
        self._connect_count = 0
        self._earlier_connect_count = 0
        self._lost_session_count = 0
        self._received_count = 0
        self._acknowledged_count = 0

    async def __aenter__(self) -> Self:
        """Start reading; returns before there is a connection."""
        self.task = asyncio.create_task(self._run(), name="broker")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Take nothing more, acknowledge what was taken, say goodbye. The broker keeps the session."""
        self._stop.set()
        await self.task

    @property
    def counts(self) -> BrokerCounts:
        """The counters as they stand."""
        return BrokerCounts(
            is_connected=self._client is not None,
            connect_count=self._earlier_connect_count + self._connect_count,
            lost_session_count=self._lost_session_count,
            received_count=self._received_count,
            acknowledged_count=self._acknowledged_count,
            refused_subscription_count=len(self._refused),
        )

    def count_on(self, before: BrokerCounts) -> None:
        """Count on from what another road counted, whose place this one takes."""
        self._earlier_connect_count = before.connect_count
        self._lost_session_count += before.lost_session_count
        self._received_count += before.received_count
        self._acknowledged_count += before.acknowledged_count

    def not_ready(self) -> str | None:
        """Say why the broker is not read, None when it is."""
        if self._client is None:
            return f"no connection to the broker {self._options.address}: {self._trouble}"
        for pattern, reason in self._refused.items():
            return f"the broker {self._options.address} refused {pattern}: {reason}"
        return None

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        failure_count = 0
        while not (self._stop.is_set() or self._intake.failure.done()):
            await self._intake.room()
            if self._stop.is_set():
                return
            start_s = loop.time()
            try:
                async with BrokerClient(self._options, self._tls, self._take) as client:
                    await self._stay(client)
            except BrokerLost as lost:
                self._trouble = str(lost)
                failure_count = 1 if loop.time() - start_s >= STEADY_S else failure_count + 1
                wait_s = backoff_s(failure_count, self._chance())
                log.warning(
                    "broker %s: %s; trying again in %.1f s",
                    *(self._options.address, lost, wait_s),
                    extra={**self._names, "event": "broker_lost", "reason": str(lost)},
                )
                await self._stopped_within(wait_s)

    async def _stay(self, client: BrokerClient) -> None:
        """Keep a connection until it is lost (raises BrokerLost) or reading ends."""
        await self._subscribe(client, self._options.filters)
        self._note_connected(client)
        stop = asyncio.create_task(self._stop.wait())
        try:
            while not (stop.done() or client.lost.done()):
                timeout_s = RESUBSCRIBE_S if self._refused else None
                ends = (client.lost, stop)
                done, _ = await asyncio.wait(ends, timeout=timeout_s, return_when=FIRST_COMPLETED)
                if not done:
                    await self._subscribe(client, tuple(self._refused))
            if not stop.done():
                raise BrokerLost(client.lost.result())
            client.pause()
            await self._drained(client)
        finally:
            stop.cancel()
            self._client = None

    async def _subscribe(self, client: BrokerClient, patterns: tuple[str, ...]) -> None:
        """Subscribe; what the broker refuses is said loudly and tried again later. Raises BrokerLost."""
        for pattern in patterns:
            reason = await client.subscribe(pattern)
            if reason is None:
                self._refused.pop(pattern, None)
            elif self._refused.get(pattern) != reason:
                self._refused[pattern] = reason
                log.error(
                    "broker %s refused the subscription to %s for client %r: %s. Nothing published there is read.",
                    *(self._options.address, pattern, self._options.client_id, reason),
                    extra={
                        **self._names,
                        "event": "broker_subscription_refused",
                        "filter": pattern,
                        "reason": reason,
                    },
                )

    def _note_connected(self, client: BrokerClient) -> None:
        if self._connect_count and not client.has_session:
            self._lost_session_count += 1
            log.error(
                "broker %s has forgotten the session of client %r: what it had acknowledged to publishers"
                " and not yet delivered is lost",
                *(self._options.address, self._options.client_id),
                extra={**self._names, "event": "broker_session_lost"},
            )
        self._connect_count += 1
        log.info(
            "broker %s is read as client %r",
            *(self._options.address, self._options.client_id),
            extra={**self._names, "event": "broker_connected", "has_session": client.has_session},
        )
        self._client = client

    def _take(self, client: BrokerClient, delivery: Delivery) -> None:
        """Hand a message to the intake, whatever it holds; stop reading while the intake is full."""
        self._received_count += 1
        try:
            number = self._number(delivery.topic)
            traces = self._intake.traces
            trace = traces.begin(DOOR, delivery.traceparents) if delivery.traceparents else None
            complete = partial(self._complete, client, delivery.packet_id, trace=trace)
            self._intake.offer(Parcel.of_one(number, delivery.payload, complete))
        except (TooManyRoutes, JournalFailed) as error:
            client.end(str(error))  # not acknowledged: the broker keeps it
            return
        if self._intake.is_full and not client.is_paused:
            client.pause()
            self._intake.call_when_roomy(client.resume)

    def _number(self, topic: str) -> int:
        number = self._number_of.get(topic)
        if number is None:
            route = route_of_topic(topic, Transport.MQTT_BROKER, self._options.credential)
            number = self._intake.table.number(route)
            if self._intake.table.may_remember(topic, route, number):
                self._number_of[topic] = number
        return number

    def _complete(
        self,
        client: BrokerClient,
        packet_id: int,
        outcome: Outcome,
        *,
        trace: BatchTrace | None = None,
    ) -> None:
        """Acknowledge what is on disk, poison included. The intake completes parcels in the order they came."""
        self._intake.note(trace, outcome)
        if packet_id and not isinstance(outcome, Exception):
            self._acknowledged_count += client.acknowledge(packet_id)

    async def _drained(self, client: BrokerClient) -> None:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + DRAIN_TIMEOUT_S
        while client.unacknowledged_count and not self._intake.failure.done():
            if loop.time() >= deadline_s:
                return
            await asyncio.sleep(DRAIN_POLL_S)

    async def _stopped_within(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._stop.wait()
        except TimeoutError:
            pass
