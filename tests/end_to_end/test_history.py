"""Real clients record what was acknowledged while everything around them dies; at the end every figure must follow."""

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from history.answers import Answers
from history.checker import find_all, find_lost
from history.devices import Device, Habit
from history.grpc_clients import run_stream, run_unary, watch_grpc
from history.journal import read_envelopes
from history.mqtt_clients import PahoDevice, run_aiomqtt, run_mosquitto_pub, watch_mqtt
from history.nemesis import torment
from history.record import Feed, Record
from history.world import World

from phusong.v1.journal_pb2 import PayloadKind

# Everything still unacknowledged when the harm is over must be acknowledged by then.
CALM_TIMEOUT_S = 120
ARRIVAL_TIMEOUT_S = 60
HARMS = (
    *("service killed", "service stopped", "service reloaded", "verifier killed"),
    *("verifier stopped", "verifier orphaned", "broker restarted", "broker killed", "cut at once"),
)
SHOWN_COUNT = 50


def clients(world: World, record: Record, stop: asyncio.Event, seed: int, pace_s: float):
    """Return every client's coroutine."""

    def feed(operator: str, own_pace_s: float = pace_s, **habit: bool) -> Feed:
        device = Device(len(record.devices), operator, seed, Habit(**habit))
        return Feed(device, record, stop, own_pace_s)

    mqtt, grpc, broker = (world.proxies[name].port for name in ("mqtt", "grpc", "devices"))
    record.by_broker = {"broker-paho", "broker-pub-3", "broker-pub-5"}
    return [
        run_aiomqtt(feed("aiomqtt", is_twice=True), mqtt),
        PahoDevice(feed("paho", is_json=True), paho.MQTTv5).run(mqtt),
        run_mosquitto_pub(feed("pub", is_backwards=True), mqtt, "mqttv5"),
        run_unary(feed("unary", is_backwards=True), grpc),
        run_unary(feed("unary-twice", is_twice=True), grpc),
        run_unary(feed("unary-mortal", is_mortal=True), grpc),
        run_unary(feed("unary-numberless", has_sequence=False, is_twice=True), grpc),
        run_stream(feed("stream"), grpc),
        PahoDevice(feed("broker-paho", is_twice=True), paho.MQTTv311).run(broker),
        run_mosquitto_pub(feed("broker-pub-3"), broker, "mqttv311"),
        run_mosquitto_pub(feed("broker-pub-5", is_backwards=True), broker, "mqttv5"),
    ]


async def live_through(world: World, record: Record, seed: int, rounds: int, pace_s: float) -> None:
    """Run clients and harm; return when everything is quiet and all that was promised has had time to arrive."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        watchers = [
            tasks.create_task(watch_mqtt("aiomqtt", record, world.proxies["mqtt"].port)),
            *(
                tasks.create_task(watch_grpc(operator, record, world.proxies["grpc"].port))
                for operator in ("aiomqtt", "unary", "stream", "broker-paho")
            ),
        ]
        sending = [tasks.create_task(c) for c in clients(world, record, stop, seed, pace_s)]
        await torment(world, random.Random(f"nemesis {seed}"), rounds)
        world.calm()
        stop.set()
        async with asyncio.timeout(CALM_TIMEOUT_S):
            await asyncio.gather(*sending)
        await patiently(lambda: has_all_of_brokers(world, record))
        await world.settle()
        await patiently(lambda: has_heard_all(world, record))
        for watcher in watchers:
            watcher.cancel()


async def patiently(fact: Callable[[], bool]) -> None:
    """Wait for a fact; what never becomes true the checker will name."""
    for _ in range(ARRIVAL_TIMEOUT_S * 2):
        if await asyncio.to_thread(fact):
            return
        await asyncio.sleep(0.5)


def has_all_of_brokers(world: World, record: Record) -> bool:
    """Tell whether what a broker had acknowledged has come through; the rest was on disk when it was acknowledged."""
    kept = {envelope.key for envelope in read_envelopes(world.journal) if envelope.is_batch}
    return all(key in kept for key in record.promised() if key[0] in record.by_broker)


def has_heard_all(world: World, record: Record) -> bool:
    last = Counter(
        envelope.operator
        for envelope in read_envelopes(world.journal)
        if envelope.kind == PayloadKind.PAYLOAD_KIND_DECISION
    )
    return all(
        len({decision.position for decision in seen}) >= last[who.split(" ", 1)[0]]
        for who, seen in record.decisions.items()
    )


async def check(folder: Path, *, seed: int, rounds: int, pace_s: float) -> None:
    sys.stdout.write(f"PHUSONG_SEED={seed}\n")
    record = Record()
    async with World(folder, record, seed) as world:
        await live_through(world, record, seed, rounds, pace_s)
        answers = await world.answers()
    findings = find_all(record, answers)

    sys.stdout.write(f"{figures(world, record, answers)}\n")
    for finding in findings[:SHOWN_COUNT]:
        sys.stdout.write(f"{finding}\n")
    assert not findings
    # A history in which nothing happened proves nothing.
    assert all(world.counts[name] >= rounds for name in HARMS), world.counts
    assert all(any(key[0] == operator for key in answers.copies) for operator in record.devices)
    assert any(receipt.duplicate_count for e in record.entries.values() for receipt in e.receipts)
    # Not every operator's SIMs come far enough in a short history; who was told too little is found above.
    for road in ("MQTT", "gRPC"):
        assert any(seen for who, seen in record.decisions.items() if who.endswith(road))


def figures(world: World, record: Record, answers: Answers) -> str:
    entries = record.entries.values()
    faults = sum((proxy.counts for proxy in world.proxies.values()), Counter())
    copies = sum(map(len, answers.copies.values()))
    return (
        f"{len(entries)} batches tried, {sum(e.sent_count_max for e in entries)} sendings,"
        f" {sum(e.acknowledged_count > 0 for e in entries)} acknowledged, {copies} copies of {len(answers.copies)} kept;"
        f" {dict(world.counts)}; network {dict(faults)};"
        f" {len(list(find_lost(record, answers.copies)))} lost; {answers.stat}"
    )


@pytest.mark.slow
@pytest.mark.timeout(900)  # half a minute on a quiet machine, most of it starting what was killed
async def test_every_acknowledged_reading_counts_once_whatever_dies(tmp_path: Path) -> None:
    await check(tmp_path, seed=seed_or(20211201), rounds=1, pace_s=0.2)


@pytest.mark.torture
@pytest.mark.timeout(7200)
async def test_every_acknowledged_reading_counts_once_whatever_dies_for_long(
    tmp_path: Path,
) -> None:
    seed = seed_or(random.SystemRandom().randrange(1, 10**9))
    rounds = int(os.environ.get("PHUSONG_ROUNDS", "20"))  # about ten minutes

    await check(tmp_path, seed=seed, rounds=rounds, pace_s=0.2)


def seed_or(otherwise: int) -> int:
    return int(os.environ.get("PHUSONG_SEED", "0")) or otherwise
