"""What a supervisor hears, on a real datagram socket."""

import asyncio
import math
import socket

import pytest

from phusong.dashboards.supervision import Supervisor, supervisor_of


class Service:
    """What a supervisor asks."""

    def __init__(self):
        self.trouble = "the verifier is reading the journal"
        self.stuck_s = 0.0

    def not_ready(self):
        return self.trouble


@pytest.fixture
def inbox(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(10)
        yield listening


async def heard(inbox):
    return (await asyncio.to_thread(inbox.recv, 4096)).decode().splitlines()


def waiting(inbox):
    """Return what has come and was not read."""
    inbox.setblocking(False)
    found = []
    try:
        while True:
            found += inbox.recv(4096).decode().splitlines()
    except BlockingIOError:
        inbox.settimeout(10)
        return found


@pytest.fixture
def supervisor(inbox):
    return Supervisor(inbox.getsockname(), None)


async def watched(supervisor, service):
    return asyncio.create_task(supervisor.watch(service))


async def test_ready_is_said_once_and_only_when_it_is_and_the_status_tells_why_it_is_not(
    inbox, supervisor
):
    service = Service()
    task = await watched(supervisor, service)

    first = await heard(inbox)
    service.trouble = None
    second = await heard(inbox)
    service.trouble = "disk nearly full, 7 MiB left"
    third = await heard(inbox)
    service.trouble = None
    fourth = await heard(inbox)
    task.cancel()

    assert first == ["STATUS=not ready: the verifier is reading the journal"]
    assert second == ["READY=1", "STATUS=telemetry is taken and judged"]
    assert third == ["STATUS=not ready: disk nearly full, 7 MiB left"]
    assert fourth == ["STATUS=telemetry is taken and judged"]


async def test_signs_of_life_come_while_commits_go_on_and_stop_with_them(inbox):
    service = Service()
    task = await watched(Supervisor(inbox.getsockname(), 0.2), service)
    while "WATCHDOG=1" not in await heard(inbox):
        pass

    service.stuck_s = 0.11  # more than half of the patience
    await asyncio.sleep(0.1)  # one that was on its way
    waiting(inbox)
    await asyncio.sleep(0.3)
    while_stuck = waiting(inbox)
    service.stuck_s = 0.0
    while "WATCHDOG=1" not in await heard(inbox):
        pass
    service.stuck_s = math.inf  # the thread is gone
    await asyncio.sleep(0.1)
    waiting(inbox)
    await asyncio.sleep(0.3)
    task.cancel()

    assert while_stuck == waiting(inbox) == []


async def test_a_reload_is_framed_and_the_end_is_said(inbox, supervisor):
    service = Service()
    service.trouble = None
    task = await watched(supervisor, service)
    assert "READY=1" in await heard(inbox)

    supervisor.reloading()
    reloading = await heard(inbox)
    supervisor.reloaded()
    reloaded = await heard(inbox)
    supervisor.stopping()
    stopping = await heard(inbox)
    task.cancel()

    assert reloading[0] == "RELOADING=1"
    assert reloading[1].startswith("MONOTONIC_USEC=")
    assert reloaded == ["READY=1"]
    assert stopping[0] == "STOPPING=1"


def test_a_reload_before_it_was_ever_ready_makes_it_not_ready_sooner(inbox, supervisor):
    supervisor.reloaded()

    assert waiting(inbox) == []


def test_an_abstract_name_is_one_with_an_at_sign():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0phusong-test-supervision")
        Supervisor("@phusong-test-supervision", None).stopping()

        assert listening.recv(4096).startswith(b"STOPPING=1\n")


def test_a_supervisor_that_is_gone_costs_a_line_and_nothing_else(tmp_path, caplog):
    Supervisor(str(tmp_path / "nobody"), None).stopping()

    assert [record.event for record in caplog.records] == ["supervisor_deaf"]


async def test_without_a_supervisor_nothing_is_watched():
    await supervisor_of({}.get, 1).watch(Service())


@pytest.mark.parametrize(
    ("variables", "expected_s"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "8"}, None),  # another process's
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_patience_is_that_of_the_environment_if_it_is_ours(variables, expected_s):
    assert supervisor_of(variables.get, 7)._watchdog_s == expected_s
