"""Strangers make a bounded number of lines in the log, and none of them is lost from the count."""

import asyncio

import pytest

from phusong.collector.admission.denials import ADDRESS_COUNT_MAX, SUM_EVERY_S, Denials


class Clock:
    """A loop whose timers are run by hand."""

    def __init__(self):
        self.timers = []

    def call_later(self, delay_s, call, *arguments):
        assert delay_s == SUM_EVERY_S
        self.timers.append((call, arguments))

    def pass_a_minute(self):
        timers, self.timers = self.timers, []
        for call, arguments in timers:
            call(*arguments)


@pytest.fixture
def clock():
    return Clock()


def events(caplog):
    return [(record.event, vars(record).get("count")) for record in caplog.records]


def test_the_first_of_a_kind_is_said_at_once_and_the_others_in_one_line_a_minute(clock, caplog):
    denials = Denials(clock)

    for i in range(1000):
        denials.note("mqtt", "wrong_credential", f"10.0.0.{i % 4}")
    denials.note("grpc", "wrong_credential", "10.0.0.9")
    clock.pass_a_minute()

    assert events(caplog) == [
        ("door_refused", None),
        ("door_refused", None),
        ("door_refused_more", 999),
    ]
    assert caplog.records[0].address == "10.0.0.0"
    assert caplog.records[2].address_count == 4
    assert "999 more clients" in caplog.text


def test_after_a_quiet_minute_the_next_one_is_a_first_again(clock, caplog):
    denials = Denials(clock)

    denials.note("mqtt", "revoked", "10.0.0.1")
    clock.pass_a_minute()
    denials.note("mqtt", "revoked", "10.0.0.1")

    assert events(caplog) == [("door_refused", None)] * 2
    assert len(clock.timers) == 1


def test_a_kind_that_goes_on_is_summed_up_every_minute(clock, caplog):
    denials = Denials(clock)

    denials.note("mqtt", "revoked", "10.0.0.1")
    for _ in range(3):
        denials.note("mqtt", "revoked", "10.0.0.1")
        clock.pass_a_minute()

    assert events(caplog) == [("door_refused", None), *[("door_refused_more", 1)] * 3]


def test_a_network_of_strangers_costs_no_memory(clock, caplog):
    denials = Denials(clock)

    for i in range(3 * ADDRESS_COUNT_MAX + 1):
        denials.note("mqtt", "connection_rate", f"address {i}")

    assert len(denials._since["mqtt", "connection_rate"]) == ADDRESS_COUNT_MAX + 1
    clock.pass_a_minute()
    assert caplog.records[-1].count == 3 * ADDRESS_COUNT_MAX
    assert "most often others" in caplog.text


async def test_it_runs_on_a_real_loop(caplog):
    denials = Denials(asyncio.get_running_loop())

    denials.note("mqtt", "revoked", "10.0.0.1")

    assert events(caplog) == [("door_refused", None)]
