"""How long from a reading at the door to its decision at a client, while a hundred thousand readings a second come.

    make bench ARGS=latency          writes bench/latency.md, which `make bench` takes into results.md

A real `phusong serve`; a million SIMs that report every ten seconds by MQTT, a hundred rows a message; every second a hundred
of them use up their day in one report, which makes four decisions each; a real client (aiomqtt, QoS 1) is subscribed. Load,
service and client share the machine. What comes in the first seconds is not counted: then every SIM is new.
"""

import multiprocessing
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from latency_load import listen, send
from recovery import Service, cpu_s
from run import ROOT, commit, machine

SIM_COUNT = int(os.environ.get("PHUSONG_SIMS", "1000000"))
RATE = int(os.environ.get("PHUSONG_RATE", "100000"))
CROSSINGS = int(os.environ.get("PHUSONG_CROSSINGS", "100"))
SECONDS = int(os.environ.get("PHUSONG_SECONDS", "60"))
WARM_S = 12
DRAIN_S = 5
PAGE = ROOT / "bench" / "latency.md"
# As `recovery.CLOCK_START`: an hour before midnight, so that all is of one day.
CLOCK_START_MS = 1_638_374_400_000
EDGES_MS = (5, 10, 15, 20, 30, 40, 50, 75, 100, 200, 500, 1000)
TARGET_MS = 50


def main() -> None:
    context = multiprocessing.get_context("spawn")
    with TemporaryDirectory() as folder:
        service = Service(Path(folder) / "data")
        while not service.is_ready():
            assert service.process.poll() is None, "the service ended"
            time.sleep(0.1)
        ours, theirs = context.Pipe()
        listener = context.Process(target=listen, args=(theirs, service.mqtt_port))
        listener.start()
        assert ours.recv() == "listening"
        sending, end = context.Pipe()
        plan = (SIM_COUNT, RATE, CROSSINGS, WARM_S + SECONDS, CLOCK_START_MS)
        used_s = [cpu_s(pid) for pid in service.pids()]
        sender = context.Process(target=send, args=(end, service.mqtt_port, plan))
        sender.start()
        sent = sending.recv()
        time.sleep(DRAIN_S)
        used_s = [cpu_s(pid) - before for pid, before in zip(service.pids(), used_s, strict=True)]
        ours.send("stop")
        heard = ours.recv()
        listener.join(), sender.join()
        service.stop()
    text = page(sent, heard, used_s)
    PAGE.write_text(text)
    sys.stdout.write(text)


def page(sent: dict[str, Any], heard: dict[str, Any], used_s: list[float]) -> str:
    """Return the page."""
    counted = {
        sim: at_s for sim, at_s in sent["sent_s"].items() if at_s - sent["began_s"] >= WARM_S
    }
    took_ms = np.array(
        [
            1000 * (heard["heard_s"][sim] - at)
            for sim, at in counted.items()
            if sim in heard["heard_s"]
        ]
    )
    if not len(took_ms):
        raise SystemExit(f"no decision was heard of {len(counted)}: the service is too far behind")
    missing = len(counted) - len(took_ms)
    p50, p90, p99, p999 = np.percentile(took_ms, [50, 90, 99, 99.9])
    decided = np.array([heard["decided_ms"][sim] for sim in counted if sim in heard["heard_s"]])
    lines = [
        "# Latency of decisions",
        "",
        f"Written by `make bench ARGS=latency`. {machine()}.",
        f"Commit {commit()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load average {os.getloadavg()[0]:.1f}.",
        "",
        (
            f"{SIM_COUNT:,} SIMs, {sent['rate']:,.0f} readings a second by MQTT for {SECONDS} s after {WARM_S} s of warming up;"
            f" {CROSSINGS} SIMs a second use up their day."
        ),
        (
            f"The load was at most {1000 * sent['late_s']:.0f} ms behind its plan;"
            f" {100 * sent['acknowledged_share']:.1f} % of its messages were acknowledged a second after the last."
        ),
        "",
        "From the moment the message is written to the door until aiomqtt hands the CUT over (another process):",
        "",
        "| p50 | p90 | p99 | p99.9 | max | cuts heard | never heard | within 50 ms |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|",
        (
            f"| {p50:.1f} ms | {p90:.1f} ms | {p99:.1f} ms | {p999:.1f} ms | {took_ms.max():.1f} ms | {len(took_ms):,} | {missing:,}"
            f" | {100 * np.mean(took_ms <= TARGET_MS):.2f} % |"
        ),
        "",
        (
            f"Of it from the commit's time to the decision, by the service's clock: p50 {np.percentile(decided, 50):.0f} ms,"
            f" p99 {np.percentile(decided, 99):.0f} ms. Processor time: collector {used_s[0]:.0f} s, verifier {used_s[1]:.0f} s"
            f" of {WARM_S + SECONDS + DRAIN_S} s."
        ),
        "",
        "| up to | cuts | |",
        "|--:|--:|---|",
    ]
    counts, _ = np.histogram(took_ms, [0, *EDGES_MS, np.inf])
    names = [f"{edge} ms" for edge in EDGES_MS] + ["more"]
    for name, count in zip(names, counts.tolist(), strict=True):
        lines.append(f"| {name} | {count:,} | {'█' * round(50 * count / len(took_ms))} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
