"""A broker's messages on their way into the journal."""

import asyncio
import logging
from dataclasses import replace

import pytest
from batches import TOPIC, usage_payload
from brokers import Mosquitto, Publisher, refusing, until

import phusong.collector.broker.road as road_module
import phusong.collector.intake as intake_module
from phusong.collector.broker.options import BrokerOptions
from phusong.collector.broker.road import BACKOFF_MAX_S, backoff_s
from phusong.collector.doors import DoorOptions, Doors, open_intake
from phusong.kernels.frame import Transport


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(road_module, "BACKOFF_FIRST_S", 0.02)


def reading(data, broker, version, client_id="collector", **fields):
    """Return doors that read a broker."""
    options = BrokerOptions("127.0.0.1", client_id, broker.port, version, **fields)
    return Doors(DoorOptions(data, broker=options))


async def ready(doors):
    await until(lambda: doors.not_ready() is None)


def counted(doors):
    """Return payloads, accepted rows, duplicate rows of the broker road."""
    of_broker = [c for o, c in doors.counts.origins.items() if o.transport == Transport.MQTT_BROKER]
    return tuple(
        sum(getattr(c, name) for c in of_broker)
        for name in ("payload_count", "accepted_row_count", "duplicate_row_count")
    )


async def publish(broker, *messages):
    """Publish (topic, payload) and wait for every PUBACK."""
    with Publisher(broker.port) as publisher:
        sent = [publisher.publish(topic, payload) for topic, payload in messages]
        for info in sent:
            await asyncio.to_thread(info.wait_for_publish, 10)


def batches(first, last):
    return [(TOPIC, usage_payload(n)) for n in range(first, last + 1)]


async def acknowledged(doors, count):
    await until(lambda: doors.broker_counts.acknowledged_count == count)


@pytest.mark.slow
async def test_messages_are_counted_once_and_acknowledged(broker, version, tmp_path):
    async with reading(tmp_path / "data", broker, version) as doors:
        await ready(doors)
        await publish(broker, *batches(1, 50), *batches(1, 5))
        await acknowledged(doors, 55)

        assert counted(doors) == (55, 50, 5)


@pytest.mark.slow
async def test_what_comes_over_a_broker_comes_as_the_credential_it_was_given(
    broker, version, tmp_path
):
    async with reading(tmp_path / "data", broker, version, credential="viettel/broker") as doors:
        await ready(doors)
        await publish(broker, *batches(1, 1))
        await acknowledged(doors, 1)

        routes = doors.intake.table.routes
        assert {route.principal for route in routes} == {"viettel/broker"}


@pytest.mark.slow
async def test_what_comes_while_we_are_away_waits_at_the_broker(broker, version, tmp_path):
    async with reading(tmp_path / "data", broker, version) as doors:
        await ready(doors)
        await publish(broker, *batches(1, 3))
        await acknowledged(doors, 3)
    await publish(broker, *batches(4, 10))
    async with reading(tmp_path / "data", broker, version) as doors:
        await acknowledged(doors, 7)

        assert counted(doors) == (7, 7, 0)


@pytest.mark.slow
async def test_a_restarted_broker_is_found_again_with_its_queue(broker, version, tmp_path):
    async with reading(tmp_path / "data", broker, version) as doors:
        await ready(doors)
        await publish(broker, *batches(1, 3))
        await acknowledged(doors, 3)
        await asyncio.to_thread(broker.stop)
        await until(lambda: "no connection" in (doors.not_ready() or ""))
        assert not doors.broker_counts.is_connected
        await asyncio.to_thread(broker.start)
        await ready(doors)
        await publish(broker, *batches(4, 6))
        await until(lambda: counted(doors)[1] == 6)

        assert doors.broker_counts.reconnect_count == 1
        assert doors.broker_counts.lost_session_count == 0


@pytest.mark.slow
async def test_a_broker_that_forgot_our_session_is_reported(version, tmp_path, caplog):
    with Mosquitto(tmp_path, "persistence false") as broker:
        async with reading(tmp_path / "data", broker, version) as doors:
            await ready(doors)
            broker.stop()
            await until(doors.not_ready)
            broker.start()
            await ready(doors)

            assert doors.broker_counts.lost_session_count == 1
            await publish(broker, *batches(1, 3))  # and it is subscribed to again
            await acknowledged(doors, 3)
    assert "forgotten the session" in caplog.text


@pytest.mark.slow
async def test_a_refused_subscription_is_said_loudly_and_the_other_is_read(
    version, tmp_path, caplog
):
    rules = refusing(tmp_path, "phusong/v1/+/+/batch/json")
    with Mosquitto(tmp_path, *rules) as broker:
        async with reading(tmp_path / "data", broker, version) as doors:
            await until(lambda: doors.broker_counts.is_connected)

            assert "refused phusong/v1/+/+/batch:" in doors.not_ready()
            assert doors.broker_counts.refused_subscription_count == 1
            await publish(broker, (f"{TOPIC}/json", b"{}"))
            await acknowledged(doors, 1)
    (record,) = (r for r in caplog.records if r.levelno == logging.ERROR)
    assert "phusong/v1/+/+/batch " in record.getMessage()


@pytest.mark.slow
async def test_a_refusal_that_was_mended_is_noticed_without_a_reconnect(
    broker, version, tmp_path, monkeypatch
):
    monkeypatch.setattr(road_module, "RESUBSCRIBE_S", 0.05)
    answers = ["not yet", None, None]

    async def subscribe(self, pattern):
        return answers.pop(0)

    monkeypatch.setattr(road_module.BrokerClient, "subscribe", subscribe)
    async with reading(tmp_path / "data", broker, version) as doors:
        await until(lambda: doors.broker_counts.is_connected)
        assert "not yet" in doors.not_ready()
        await ready(doors)

        assert doors.broker_counts.reconnect_count == 0


@pytest.mark.slow
async def test_two_collectors_of_one_group_share_the_messages(broker, version, tmp_path):
    async with (
        reading(tmp_path / "a", broker, version, "a", group="g") as one,
        reading(tmp_path / "b", broker, version, "b", group="g") as other,
    ):
        await ready(one)
        await ready(other)
        await publish(broker, *batches(1, 60))
        await until(
            lambda: (
                one.broker_counts.acknowledged_count + other.broker_counts.acknowledged_count == 60
            )
        )

        accepted = [counted(one)[1], counted(other)[1]]
        assert sum(accepted) == 60
        assert min(accepted) > 0


@pytest.mark.slow
async def test_poison_is_kept_and_acknowledged(broker, version, tmp_path):
    large = bytes((1 << 20) + 1)
    messages = ((TOPIC, b"\xff garbage"), (TOPIC, large), (f"{TOPIC}/json", b"{no"))
    bad_operator = ("phusong/v1/Viettel/a/batch", usage_payload(9))
    async with reading(tmp_path / "data", broker, version) as doors:
        await ready(doors)
        await publish(broker, *messages, bad_operator, *batches(1, 1))
        await acknowledged(doors, 5)

        assert counted(doors) == (5, 1, 0)
        reasons = {reason for _, reason in doors.counts.refused}
        assert {"TOO_LARGE", "NOT_JSON", "BAD_OPERATOR"} < reasons


@pytest.mark.slow
async def test_a_full_intake_stops_reading_and_loses_nothing(
    broker, version, tmp_path, monkeypatch
):
    monkeypatch.setattr(intake_module, "QUEUE_PAYLOAD_COUNT_MAX", 2)
    async with reading(tmp_path / "data", broker, version) as doors:
        await ready(doors)
        await publish(broker, *batches(1, 300))
        await acknowledged(doors, 300)

        assert counted(doors) == (300, 300, 0)


@pytest.mark.slow
async def test_what_was_taken_is_acknowledged_before_the_goodbye(broker, version, tmp_path):
    async with reading(tmp_path / "data", broker, version) as doors:
        await ready(doors)
        await publish(broker, *batches(1, 200))
        await until(lambda: doors.broker_counts.received_count > 0)
        counts = doors.broker_counts
    last = doors.broker_counts

    assert last.acknowledged_count == last.received_count >= counts.received_count


@pytest.mark.slow
async def test_the_service_starts_and_stops_without_its_broker(broker, version, tmp_path):
    broker.stop()
    async with reading(tmp_path / "data", broker, version) as doors:
        await until(lambda: "refused" in (doors.not_ready() or ""))

        assert f"127.0.0.1:{broker.port}" in doors.not_ready()


async def test_after_a_failed_commit_nothing_is_acknowledged(broker, tmp_path):
    options = BrokerOptions("127.0.0.1", "collector", broker.port)
    async with open_intake(tmp_path / "data") as opened:
        async with road_module.BrokerRoad(opened.intake, options) as road:
            await until(lambda: road.not_ready() is None)
            opened.writer._database.execute("PRAGMA query_only = ON")
            await publish(broker, *((TOPIC, bytes(1 << 19)) for _ in range(4)))
            await until(opened.intake.failure.done)
            taken = road.counts.received_count

        assert 0 == road.counts.acknowledged_count < taken


def test_waits_double_up_to_thirty_seconds_and_are_spread_out(monkeypatch):
    monkeypatch.undo()
    longest = [backoff_s(n, 1.0) for n in range(1, 100)]

    assert longest[:4] == [0.5, 1, 2, 4]
    assert max(longest) == longest[-1] == BACKOFF_MAX_S == 30
    assert backoff_s(3, 0.0) == 1


@pytest.mark.slow
async def test_a_broker_that_is_read_under_other_settings_loses_nothing_and_counts_on(
    broker, version, tmp_path
):
    options = BrokerOptions("127.0.0.1", "collector", broker.port, version)
    async with Doors(DoorOptions(tmp_path / "data", broker=options)) as doors:
        await ready(doors)
        with Publisher(broker.port) as publisher:
            sent = [publisher.publish(*message) for message in batches(1, 400)]
            await until(lambda: doors.broker_counts.received_count > 0)
            for receive_max in (7, 70):
                await doors.read_broker(replace(options, receive_max=receive_max))
                await ready(doors)
            sent += [publisher.publish(*message) for message in batches(401, 500)]
            for info in sent:
                await asyncio.to_thread(info.wait_for_publish, 10)
        await until(lambda: counted(doors)[1] == 500)
        await until(lambda: doors.broker_counts.acknowledged_count >= 500)

        assert doors.broker_counts.connect_count == 3
        assert doors.broker_counts.lost_session_count == 0
        await doors.read_broker(None)
        assert doors.broker_counts is None
        assert doors.not_ready() is None


@pytest.mark.slow
async def test_a_broker_whose_files_are_unusable_leaves_the_one_before_in_place(
    broker, version, tmp_path
):
    options = BrokerOptions("127.0.0.1", "collector", broker.port, version)
    async with Doors(DoorOptions(tmp_path / "data", broker=options)) as doors:
        await ready(doors)
        with pytest.raises(OSError, match="No such file"):
            await doors.read_broker(replace(options, tls_ca_file=tmp_path / "none"))
        await publish(broker, *batches(1, 5))
        await acknowledged(doors, 5)
