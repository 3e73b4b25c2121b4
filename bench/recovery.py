"""How long after kill -9 the service takes telemetry again, and how long until everything is judged.

    make bench ARGS=recovery          writes bench/recovery.md

A day is `READINGS` usage readings of each of a million SIMs: ten, one every 2.4 hours. It goes through the gRPC door of
a real `phusong serve`, 1000 rows a batch; then, while more is sent, the service is killed, and started three times: as it was
left, without its snapshot, and after a clean stop. A day of quarter-hourly readings is 9.6 times as many rows; what a start costs per row is
in the table, so it can be worked out, and the last column does.
"""

import asyncio
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import numpy as np
from grpc_load import FORMS, SESSION, RowFields, RowValues, encode_payload_rows
from run import ROOT, commit, machine

from phusong.v1.ingest_pb2 import Receipt
from phusong.v1.telemetry_pb2 import Batch, UsageReading

SIM_COUNT = int(os.environ.get("PHUSONG_SIMS", "1000000"))
READINGS = int(os.environ.get("PHUSONG_READINGS", "10"))
READINGS_QUARTER_HOURLY = 96
ROWS = 1000
SOURCE_COUNT = 8
IN_FLIGHT = 64
PAGE = ROOT / "bench" / "recovery.md"
# The service's clock: late in the evening, so that the readings of the day lie behind it.
CLOCK_START = "2021-12-01T23:00:00+07:00"
CLOCK_START_MS = 1_638_374_400_000
DAY_MS = 86_400_000
USUAL_BYTES, HEAVY_BYTES = 500_000_000, 5_000_000_000
MIB = 1 << 20
START_TIMEOUT_S = 3600


@dataclass
class Start:
    """One start of the service, in seconds from its command, and what it held then."""

    how: str
    receipt_s: float
    judged_s: float
    cpu_s: float  # of both processes: what a machine with nothing else to do would need at most
    collector_bytes: int
    verifier_bytes: int


class Service:
    """`phusong serve` on one folder."""

    def __init__(self, data: Path) -> None:
        self.began_s = time.monotonic()
        with free_ports() as (mqtt_port, grpc_port, http_port):
            command = [str(Path(sys.executable).parent / "phusong"), "serve", "--data", str(data)]
            command += ["--mqtt-port", str(mqtt_port), "--grpc-port", str(grpc_port)]
            command += ["--http-port", str(http_port), "--open-loopback"]
            command += ["--clock-start", CLOCK_START]
        self.mqtt_port, self.grpc_port, self.http_port = mqtt_port, grpc_port, http_port
        with (data.parent / "stderr").open("a") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)

    def metric(self, name: str) -> float | None:
        """Return the sum of a metric, None while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/metrics") as response:
                lines = response.read().decode().splitlines()
        except (urllib.error.URLError, ConnectionError):
            return None
        found = [float(line.split()[-1]) for line in lines if line.startswith(name)]
        return sum(found) if found else None

    def is_ready(self) -> bool:
        """Tell whether telemetry is taken and everything judged."""
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/-/ready").close()
        except (urllib.error.URLError, ConnectionError):
            return False
        return self.metric("phusong_verifier_lag_frames") == 0

    def pids(self) -> tuple[int, int]:
        """Return collector and verifier."""
        children = subprocess.run(
            ["pgrep", "-P", str(self.process.pid), "-f", "spawn_main"],
            capture_output=True,
            text=True,
            check=True,
        )
        return self.process.pid, int(children.stdout.split()[0])

    def memory_bytes(self) -> tuple[int, int]:
        """Return what collector and verifier hold."""
        collector, verifier = self.pids()
        return held_bytes(collector), held_bytes(verifier)

    def kill(self) -> None:
        """As the power does; the verifier goes with its parent's pipe."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """As an operator does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


@contextmanager
def free_ports() -> Iterator[tuple[int, int, int]]:
    """Yield three ports that are free now."""
    with socket.socket() as one, socket.socket() as other, socket.socket() as third:
        for opened in (one, other, third):
            opened.bind(("127.0.0.1", 0))
        yield one.getsockname()[1], other.getsockname()[1], third.getsockname()[1]


def held_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def batches(first: int, last: int) -> Iterator[bytes]:
    """Yield batches first to last-1 of the day; batch i holds the next ROWS SIMs, round and round."""
    numbers = {name: field.number for name, field in UsageReading.DESCRIPTOR.fields_by_name.items()}
    fields = RowFields(np.array([numbers[name] << 3 | form for name, form in FORMS.items()]))
    row_tag = Batch.DESCRIPTOR.fields_by_name["usage_readings"].number << 3 | 2
    for i in range(first, last):
        row = i * ROWS + np.arange(ROWS)
        turn = row // SIM_COUNT
        value = np.empty((ROWS, len(FORMS)), np.int64)
        value[:, 0] = row % SIM_COUNT + 1
        value[:, 1] = len(SESSION)
        value[:, 2] = CLOCK_START_MS - DAY_MS + (turn + 1) * DAY_MS // (READINGS + 1)
        # One pupil in a hundred uses up the day's volume; the others half a gigabyte.
        used = np.where(row % 100 == 0, HEAVY_BYTES, USUAL_BYTES) // READINGS
        value[:, 3] = (turn + 1) * used // 16 + row % 1000
        value[:, 4] = (turn + 1) * used + row % 1000
        value[:, 5] = 64
        values = RowValues(value, np.ones(value.shape, np.bool_), SESSION)
        rows, _ = encode_payload_rows(fields, values, np.arange(ROWS), row_tag)
        head = Batch(
            source=f"pgw-{i % SOURCE_COUNT}",
            operator="viettel",
            boot_epoch=1,
            sequence=i // SOURCE_COUNT + 1,
        )
        yield head.SerializeToString() + rows.tobytes()


def send(port: int, first: int, last: int) -> None:
    """Send batches until they are all acknowledged, or until the service dies."""

    async def run() -> None:
        waiting = batches(first, last)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary("/phusong.v1.Ingest/Export")

            async def one_after_another() -> None:
                for payload in waiting:
                    while True:
                        try:
                            receipt = Receipt.FromString(await call(payload))
                            break
                        except grpc.aio.AioRpcError as error:
                            if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
                                return
                            await asyncio.sleep(0.25)
                    assert receipt.accepted_count + receipt.duplicate_count == ROWS, receipt

            await channel.channel_ready()
            await asyncio.gather(*(one_after_another() for _ in range(IN_FLIGHT)))

    asyncio.run(run())


def first_receipt_s(service: Service, sequence: int) -> float:
    """Return when the service acknowledged a batch, in seconds since its command."""
    batch = Batch(source="probe", operator="viettel", boot_epoch=1, sequence=sequence)
    batch.usage_readings.add(
        subscriber_key=1, session="probe", observed_time_ms=CLOCK_START_MS, downlink_bytes=sequence
    )
    payload = batch.SerializeToString()
    while True:
        assert service.process.poll() is None, "the service ended"
        try:
            with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
                channel.unary_unary("/phusong.v1.Ingest/Export")(payload, timeout=600)
            return time.monotonic() - service.began_s
        except grpc.RpcError:
            time.sleep(0.05)


def measured(data: Path, how: str, number: int) -> tuple[Service, Start]:
    """Start the service and wait until it has judged everything."""
    service = Service(data)
    receipt_s = first_receipt_s(service, number)
    while not service.is_ready():
        assert time.monotonic() - service.began_s < START_TIMEOUT_S
        time.sleep(0.05)
    judged_s = time.monotonic() - service.began_s
    used_s = sum(map(cpu_s, service.pids()))
    start = Start(how, receipt_s, judged_s, used_s, *service.memory_bytes())
    print(start, file=sys.stderr, flush=True)
    return service, start


def in_a_process(*arguments: int) -> multiprocessing.Process:
    process = multiprocessing.get_context("spawn").Process(target=send, args=arguments)
    process.start()
    return process


def main() -> None:
    count = SIM_COUNT * READINGS // ROWS
    with TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        # The first start on a machine compiles kernels, which is not what is measured.
        warm, _ = measured(Path(folder) / "warm", "with kernels to compile", 1)
        warm.kill()
        service, empty = measured(data, "an empty journal", 1)
        began_s = time.monotonic()
        sender = in_a_process(service.grpc_port, 0, count)
        sender.join()
        while not service.is_ready():
            time.sleep(0.2)
        day_s = time.monotonic() - began_s
        held = service.memory_bytes()
        print(f"the day took {day_s:.0f} s", file=sys.stderr, flush=True)
        # As late after a snapshot as it gets, and in the middle of a stream.
        sender = in_a_process(service.grpc_port, count, 2 * count)
        more = count // 10 * ROWS
        while (service.metric("phusong_verifier_taken_rows_total") or 0) < count * ROWS + more:
            time.sleep(0.2)
        service.kill()
        sender.join()
        starts = []
        service, start = measured(data, "killed, as it was left", 2)
        starts.append(start)
        service.kill()
        for cache in [*data.glob("snapshot/*"), *data.glob("journal/*.cache")]:
            cache.unlink()
        service, start = measured(data, "killed, and every cache deleted", 3)
        starts.append(start)
        rows = int(service.metric("phusong_verifier_taken_rows_total") or 0)
        service.stop()
        service, start = measured(data, "after a clean stop", 4)
        starts.append(start)
        service.stop()
        journal_bytes = sum(path.stat().st_size for path in data.glob("journal/segment-*"))
    PAGE.write_text(page([empty, *starts], rows, day_s, held, journal_bytes))
    print(PAGE.read_text())


def page(
    starts: list[Start], rows: int, day_s: float, held: tuple[int, int], journal_bytes: int
) -> str:
    """Return the page."""
    lines = [
        "# Time to recover",
        "",
        f"Written by `make bench ARGS=recovery`. {machine()}.",
        f"Commit {commit()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load average {os.getloadavg()[1]:.1f}.",
        "",
        f"A day is {SIM_COUNT:,} SIMs × {READINGS} usage readings, sent by gRPC in {day_s:.0f} s until the last was judged;",
        f"kill -9 while more came. {rows:,} rows in {journal_bytes / MIB:,.0f} MiB of journal.",
        f"Before the kill the collector held {held[0] / MIB:,.0f} MiB and the verifier {held[1] / MIB:,.0f} MiB.",
        "",
        "| start | first receipt | everything judged, ready | processor time | collector | verifier | processor time, a day of 96 readings a SIM (extrapolated) |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    empty = starts[0]
    for start in starts:
        grown_s = (start.cpu_s - empty.cpu_s) * SIM_COUNT * READINGS_QUARTER_HOURLY / rows
        worked_out = f"{empty.cpu_s + grown_s:,.0f} s" if "every cache" in start.how else "–"
        lines.append(
            f"| {start.how} | {start.receipt_s:.1f} s | {start.judged_s:.1f} s | {start.cpu_s:.1f} s"
            f" | {start.collector_bytes / MIB:,.0f} MiB | {start.verifier_bytes / MIB:,.0f} MiB | {worked_out} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
