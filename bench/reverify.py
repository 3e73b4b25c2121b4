"""How fast a journal of signal readings is verified again from its first frame, and whether that grows with its length.

    make bench ARGS=reverify          writes bench/reverify.md

Phones in and about the listed sites, one in five elsewhere, send a reading every few minutes from 06:00 to 22:00; 10,000 for every million
readings, so that a longer journal is more phones and not more days. Each journal is written by the service's own writer,
1000 readings a batch, and then verified by a process of its own as an auditor would: chain, decoding, screens, bins and all verdicts, without any snapshot.
PHUSONG_READINGS="1000000 100000000" names the sizes.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from run import ROOT, commit, machine

from phusong.collector.journal.writer import JournalWriter, NewFrame
from phusong.kernels.frame import (
    PayloadKind,
    Route,
    Transport,
    encode_envelope_head,
    encode_route,
)
from phusong.kernels.locate import DEGREE_M
from phusong.kernels.wire_encode import RowFields, RowValues, encode_payload_rows
from phusong.v1.journal_pb2 import RegistryEntry
from phusong.v1.telemetry_pb2 import Batch, SignalReading
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.replay import rebuild_state

SIZES = [int(size) for size in os.environ.get("PHUSONG_READINGS", "1000000 10000000").split()]
SITE_COUNT = 2193
RADIUS_M = 500
READINGS_PER_PHONE = 100
ROWS, BATCHES_PER_FRAME = 1000, 16
DAY_START_MS = 1_638_313_200_000  # 2021-12-01 06:00 in Vietnam
DAY_MS, LENGTH_MS = 86_400_000, 16 * 3_600_000
PAGE = ROOT / "bench" / "reverify.md"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FORMS = {
    "device_key": FIXED64,
    "observed_time_ms": VARINT,
    "latitude_deg": FIXED64,
    "longitude_deg": FIXED64,
    "position_accuracy_m": FIXED32,
    "rat": VARINT,
    "sim_plmn": BYTES,
    "serving_plmn": BYTES,
    "cell_identity": VARINT,
    "rsrp_dbm": FIXED32,
}
PLMN = np.frombuffer(b"45204", np.uint8).copy()
RNG = np.random.default_rng(3667)
LATITUDE = RNG.uniform(8.5, 23.3, SITE_COUNT)
LONGITUDE = RNG.uniform(102.2, 109.4, SITE_COUNT)


def sites_csv() -> bytes:
    """Return the list of sites."""
    lines = ["site_code,name,province_code,list,operators,latitude_deg,longitude_deg,radius_m"]
    lines += [
        f"S{n:04d},Ban {n},02,1910,viettel,{LATITUDE[n]:.6f},{LONGITUDE[n]:.6f},{RADIUS_M}"
        for n in range(SITE_COUNT)
    ]
    return "\n".join(lines).encode()


def readings(first: int, phone_count: int, rng: np.random.Generator) -> RowValues:
    """Return the readings first .. first + ROWS of the day: in turn of every phone the next."""
    number = first + np.arange(ROWS)
    phone, turn = number % phone_count, number // phone_count
    site = phone % SITE_COUNT
    # A phone walks about a home of its own; one in five lives where no site is.
    home = np.random.default_rng(phone[0]).normal(0, RADIUS_M / 2, (2, ROWS))
    away_deg = np.where(phone % 5 == 4, 1.0, 0.0)
    north_m, east_m = home + rng.normal(0, 60, (2, ROWS))
    latitude = LATITUDE[site] + away_deg + north_m / DEGREE_M
    longitude = LONGITUDE[site] + east_m / (DEGREE_M * np.cos(np.radians(LATITUDE[site])))
    time_ms = DAY_START_MS + turn * LENGTH_MS // READINGS_PER_PHONE + phone * 37 % 60_000
    level = (-95 + rng.normal(0, 8, ROWS)).clip(-139, -44).astype(np.float32)
    value = np.empty((ROWS, len(FORMS)), np.int64)
    value[:, 0], value[:, 1] = phone + 1, time_ms
    value[:, 2], value[:, 3] = latitude.view(np.int64), longitude.view(np.int64)
    value[:, 4] = np.full(ROWS, 8.0, np.float32).view(np.int32)
    value[:, 5], value[:, 6], value[:, 7] = 3, len(PLMN), len(PLMN)
    value[:, 8], value[:, 9] = 1000 + site, level.view(np.int32)
    return RowValues(value, np.ones(value.shape, np.bool_), PLMN)


def frames(count: int) -> Iterator[NewFrame]:
    """Yield the frames of a journal of so many readings."""
    route = Route("", "registry", "", Transport.SERVICE, PayloadKind.REGISTRY)
    entry = RegistryEntry(registry="sites", file="sites.csv", content=sites_csv())
    payload = entry.SerializeToString()
    body = encode_route(1, route) + encode_envelope_head(1, len(payload)) + payload
    received_ms = DAY_START_MS + DAY_MS
    yield NewFrame(received_ms, body)
    numbers = {name: f.number for name, f in SignalReading.DESCRIPTOR.fields_by_name.items()}
    fields = RowFields(np.array([numbers[name] << 3 | form for name, form in FORMS.items()]))
    row_tag = Batch.DESCRIPTOR.fields_by_name["signal_readings"].number << 3 | BYTES
    route = Route("viettel", "probe", "", Transport.GRPC, PayloadKind.BATCH)
    rng, phone_count = np.random.default_rng(count), count // READINGS_PER_PHONE
    parts: list[bytes] = []
    for i in range(count // ROWS):
        values = readings(i * ROWS, phone_count, rng)
        rows, _ = encode_payload_rows(fields, values, np.arange(ROWS), row_tag)
        payload = Batch(boot_epoch=1, sequence=i + 1).SerializeToString() + rows.tobytes()
        parts += [encode_envelope_head(1, len(payload)), payload]
        if len(parts) == 2 * BATCHES_PER_FRAME or i + 1 == count // ROWS:
            received_ms += 1
            yield NewFrame(received_ms, encode_route(1, route) + b"".join(parts))
            parts = []


def write_journal(data: Path, count: int) -> None:
    """Write the journal."""
    with JournalWriter(data / "journal") as writer:
        for frame in frames(count):
            writer.append([frame])


def verify(data: Path) -> None:
    """Verify a journal and print what it took; in a process of its own."""
    start_s, start_cpu_s = time.monotonic(), time.process_time()
    state = rebuild_state(data, Horizon(), QuotaSettings(), 2**62)
    applied_s = time.monotonic()
    rows = state.verdicts(DAY_START_MS + 2 * DAY_MS)
    end_s = time.monotonic()
    found = {
        "taken": sum(state.tallies.taken.values()),
        "bins": state.coverage.bins.count,
        "sites": len(rows),
        "quarantined": sum(row.counts.quarantined for row in rows),
        "apply_s": applied_s - start_s,
        "judge_s": end_s - applied_s,
        "cpu_s": time.process_time() - start_cpu_s,
        "resident_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(found))


def measured(data: Path) -> dict[str, float]:
    """Return what verifying a journal takes, in a process of its own."""
    command = [sys.executable, __file__, "verify", str(data)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Measure every size and write the page."""
    lines = []
    rates = []
    with TemporaryDirectory() as folder:
        for number, size in enumerate([100_000, *SIZES]):
            data = Path(folder) / str(size)
            data.mkdir()
            began_s = time.monotonic()
            write_journal(data, size)
            journal_bytes = sum(path.stat().st_size for path in data.glob("journal/segment-*"))
            print(f"{size:,}: written in {time.monotonic() - began_s:.0f} s", file=sys.stderr)
            found = measured(data)
            for path in data.glob("journal/*"):
                path.unlink()
            print(found, file=sys.stderr, flush=True)
            assert found["taken"] == size, found
            if not number:  # compiles what is missing
                continue
            whole_s = found["apply_s"] + found["judge_s"]
            rates.append((size, size / whole_s, size / found["cpu_s"]))
            lines.append(
                f"| {size:,} | {journal_bytes / size:.0f} | {found['bins']:,.0f} | {found['apply_s']:.1f} s"
                f" | {found['judge_s']:.1f} s | {size / whole_s:,.0f} | {size / found['cpu_s']:,.0f}"
                f" | {found['resident_mib']:,.0f} MiB |"
            )
    ratio = rates[0][2] / rates[-1][2]
    PAGE.write_text(
        "\n".join(
            [
                "# Verifying a journal again",
                "",
                f"Written by `make bench ARGS=reverify`. {machine()}.",
                f"Commit {commit()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load average {os.getloadavg()[1]:.1f}.",
                "",
                f"Signal readings about {SITE_COUNT:,} sites, {READINGS_PER_PHONE} of each phone on one day; from the first frame to all verdicts.",
                "",
                "| readings | journal, bytes each | bins | applied | judged | readings/s | readings per second of processor time | memory |",
                "|--:|--:|--:|--:|--:|--:|--:|--:|",
                *lines,
                "",
                f"Processor time per reading at {rates[-1][0]:,} against {rates[0][0]:,}: {ratio:.2f} times; 1 is linear.",
                "",
            ]
        )
    )
    print(PAGE.read_text())


if __name__ == "__main__":
    if sys.argv[1:2] == ["verify"]:
        verify(Path(sys.argv[2]))
    else:
        main()
