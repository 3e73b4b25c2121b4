"""`phusong demo`: a seeded synthetic programme through the real doors, and its tables beside the truth."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from phusong.dashboards.commands.coverage import coverage_document
from phusong.dashboards.commands.exits import FAILED, USAGE, fail, say
from phusong.dashboards.commands.journal import stat_document
from phusong.dashboards.commands.options import day_number, now_ms
from phusong.dashboards.commands.quota import quota_document
from phusong.dashboards.commands.replaying import state_of
from phusong.dashboards.demo import season
from phusong.dashboards.demo.comparison import compare_coverage, compare_quota, compare_refusals
from phusong.dashboards.demo.messages import SendingFailed
from phusong.dashboards.demo.programme import SEED, Programme, make_programme, write_registries
from phusong.dashboards.demo.sending import progress_bar, send_all
from phusong.dashboards.demo.service import (
    DemoFailed,
    Ports,
    add_registries,
    renew_folder,
    running_service,
    wait_until_caught_up,
)
from phusong.dashboards.demo.sites import SITE_COUNT_MAX
from phusong.dashboards.demo.subscribers import SIM_COUNT_MAX
from phusong.dashboards.demo.summary import (
    print_comparison,
    print_coverage,
    print_quota,
    print_refusals,
)
from phusong.dashboards.tables import console
from phusong.kernels.jit import CACHE_FOLDER, is_compiled
from phusong.verifier.placing import Horizon

DATA_DEFAULT = Path("demo-data")
SITE_COUNT = 300
SIM_COUNT = 30_000


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Stop after the tables; otherwise serve until Ctrl-C.")
    ] = False,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="The same seed, the same world.")
    ] = SEED,
    data: Annotated[
        Path, typer.Option("--data", help="Folder of the demo; emptied at every start.")
    ] = DATA_DEFAULT,
    sites: Annotated[int, typer.Option("--sites", min=1, max=SITE_COUNT_MAX)] = SITE_COUNT,
    sims: Annotated[int, typer.Option("--sims", min=1, max=SIM_COUNT_MAX)] = SIM_COUNT,
) -> None:
    """Show it all on a seeded synthetic programme: real doors, real clients, tables beside the truth.

    Examples:

        phusong demo --once

        phusong demo --seed 7 --sites 100 --sims 5000

    Exit status: 0 everything found agrees with the truth, 1 something does not, 2 usage.
    """
    signal.signal(signal.SIGTERM, _stop)  # so that the service is stopped too
    try:
        renew_folder(data)
    except DemoFailed as why:
        fail(str(why), USAGE)
    say(
        f"phusong demo: {sites:,} sites and {sims:,} SIMs from seed {seed}, on a clock that starts at"
        f" {season.time_text(season.CLOCK_START_MS)}. All is invented but the provinces' names.\n"
        "The doors listen on 127.0.0.1 only and ask nobody for a credential (serve --open-loopback): right for a demo, and for nothing else."
    )
    if not is_compiled():
        say(f"compiling kernels into {CACHE_FOLDER}; this happens once and takes a minute")
    try:
        agrees = _run(_make(seed, sites, sims), data, once=once)
    except (DemoFailed, SendingFailed) as why:
        fail(f"demo: {why}", FAILED)
    if not agrees:
        raise SystemExit(FAILED)


def _make(seed: int, site_count: int, sim_count: int) -> Programme:
    with progress_bar("making the programme", 100) as advance:
        done = 0.0

        def progress(_: str, share: float) -> None:
            nonlocal done
            advance(100 * share - done)
            done = 100 * share

        return make_programme(seed, site_count, sim_count, progress)


def _run(programme: Programme, data: Path, *, once: bool) -> bool:
    """Send the programme and print what came of it; return whether it agrees with the truth."""
    started_s = time.monotonic()

    def clock_ms() -> int:
        return season.CLOCK_START_MS + int((time.monotonic() - started_s) * season.SECOND_MS)

    paths = write_registries(programme, data / "registries")
    asyncio.run(add_registries(data, paths, clock_ms))
    say(f"registries: {', '.join(str(path) for path in paths.values())}")
    with running_service(data) as (ports, process):
        say(
            f"MQTT 5 on 127.0.0.1:{ports.mqtt}, gRPC on 127.0.0.1:{ports.grpc}, {ports.url('/metrics')}"
        )
        asyncio.run(_send(programme, ports))
        agrees = _report(programme, data, clock_ms())
        _say_what_next(data, ports)
        if not once:
            _serve(process)
    return agrees


async def _send(programme: Programme, ports: Ports) -> None:
    started_s = time.monotonic()
    rows = sum(message.row_count for message in programme.messages)
    with progress_bar("readings acknowledged", rows) as advance:
        await send_all(
            programme.messages, mqtt_port=ports.mqtt, grpc_port=ports.grpc, advance=advance
        )
    sent_s = time.monotonic() - started_s
    await wait_until_caught_up(ports)
    counted_s = time.monotonic() - started_s
    say(
        f"{rows:,} readings in {len(programme.messages):,} payloads: all on disk after {sent_s:.1f} s, all counted"
        f" after {counted_s:.1f} s"
    )


def _report(programme: Programme, data: Path, as_of_ms: int) -> bool:
    """Print the tables from the same documents as `phusong coverage`, `quota` and `journal stat`."""
    state = state_of(data, Horizon(as_of_ms))
    verdicts = state.verdicts(as_of_ms)
    coverage = coverage_document(state, verdicts, as_of_ms, now_ms())
    quotas: list[dict[str, Any]] = [
        quota_document(state, state.quota.day(day_number(day)), as_of_ms, now_ms())
        for day in season.USAGE_DAYS
    ]
    stat: dict[str, Any] = json.loads(json.dumps(stat_document(data, state)))
    out = console()
    print_coverage(out, coverage)
    print_quota(out, quotas)
    print_refusals(out, stat)
    comparisons = [
        compare_coverage(programme.truth, coverage),
        compare_quota(programme.truth, quotas),
        compare_refusals(programme.truth, stat),
    ]
    for comparison in comparisons:
        print_comparison(out, comparison)
    out.print(f"tính đến · as of {season.time_text(as_of_ms)}, seed {programme.seed}")
    return not any(comparison.disagreements for comparison in comparisons)


def _say_what_next(data: Path, ports: Ports) -> None:
    command = os.path.relpath(sys.argv[0])  # as it was called: it need not be on the path
    day, clock = season.USAGE_DAYS[-1], season.CLOCK_START.isoformat()
    say(
        f"\nmetrics: {ports.url('/metrics')}\n"
        "Prometheus with our rules and alerts beside it: `make watch` in another terminal, in the folder of the Makefile\n"
        "try next:\n"
        f"  {command} coverage --data {data} --as-of {clock}\n"
        f"  {command} quota --data {data} --day {day} --as-of {clock}\n"
        f"  {command} journal quarantine --data {data} --reason LEVEL_OUT_OF_RANGE\n"
        f"  {command} journal stat --data {data}"
    )


def _serve(process: "subprocess.Popen[str]") -> None:
    try:
        say("serving until Ctrl-C")  # who reads this may press it at once
        status = process.wait()
    except KeyboardInterrupt:
        say("\nstopping; everything acknowledged is on disk")
    else:
        raise DemoFailed(f"the service ended by itself with status {status}")


def _stop(*_: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)
