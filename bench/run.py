"""Run every benchmark in one go and write bench/results.md: what was measured, on what, at which commit.

Each file's peers run side by side in one process tree; the ratio is ours over the peer's, from this run alone.
"""

import json
import platform
import subprocess
import sys
import tempfile
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results.md"
LATENCY = ROOT / "bench" / "latency.md"
# A benchmark whose name begins so is ours; the others of its group are peers.
OURS = ("test_kernels", "test_doors", "test_service", "test_grpc")
MIB = 2**20


def main() -> None:
    """Run, and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            *(
                sys.executable,
                "-m",
                "pytest",
                "bench",
                "-q",
                "--benchmark-only",
                "--benchmark-disable-gc",
            ),
            *(
                f"--benchmark-json={report}",
                "--benchmark-min-rounds=3",
                "--timeout=900",
                "-W",
                "default",
            ),
        ]
        status = subprocess.run([*command, *sys.argv[1:]], cwd=ROOT, check=False).returncode
        if not report.exists():
            raise SystemExit(status)
        document = json.loads(report.read_text())
    RESULTS.write_text(results(document))
    sys.stderr.write(f"wrote {RESULTS.relative_to(ROOT)}\n")
    raise SystemExit(status)


def results(document: dict[str, Any]) -> str:
    """Return the page."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for benchmark in document["benchmarks"]:
        groups[benchmark["group"] or "other"].append(benchmark)
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench`. {machine()}.",
        f"Commit {commit()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. The best round counts; the ratio is ours over the peer's.",
    ]
    for group in sorted(groups):
        lines += [
            "",
            f"## {group}",
            "",
            "| what | a second | MB/s | best round | ours is |",
            "|---|--:|--:|--:|--:|",
        ]
        ours = [b for b in groups[group] if b["name"].startswith(OURS)]
        lines += [row(benchmark, ours) for benchmark in groups[group]]
    if LATENCY.exists():  # a run of its own: it takes a minute and needs the machine for itself
        lines += [
            "",
            *(
                f"#{line}" if line.startswith("#") else line
                for line in LATENCY.read_text().splitlines()
            ),
        ]
    return "\n".join(lines) + "\n"


def row(benchmark: dict[str, Any], ours: list[dict[str, Any]]) -> str:
    """Return the line of one benchmark."""
    seconds = benchmark["stats"]["min"]
    info = benchmark["extra_info"]
    rate = f"{info['rows'] / seconds:,.0f}" if "rows" in info else "–"
    megabytes = f"{info['bytes'] / seconds / MIB:,.0f}" if "bytes" in info else "–"
    ratio = "–"
    if ours and benchmark not in ours and "rows" in info:
        ratio = ", ".join(
            f"{title(one) + ' ' if len(ours) > 1 else ''}{speed(one) / speed(benchmark):.1f}×"
            for one in ours
        )
    name = title(benchmark)
    notes = "; ".join(
        f"{key} {value}" for key, value in info.items() if key not in {"rows", "bytes", "rate"}
    )
    return f"| {name}{f' ({notes})' if notes else ''} | {rate} | {megabytes} | {seconds * 1000:,.1f} ms | {ratio} |"


def title(benchmark: dict[str, Any]) -> str:
    """Return the name for people."""
    return str(benchmark["name"].removeprefix("test_").replace("_", " "))


def speed(benchmark: dict[str, Any]) -> float:
    """Return rows a second in the best round."""
    return float(benchmark["extra_info"]["rows"] / benchmark["stats"]["min"])


def machine() -> str:
    """Say what the figures were measured on."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":")[1].strip()
    cores = Path("/proc/cpuinfo").read_text().count("processor\t")
    return (
        f"{cores} cores of {model}, Python {platform.python_version()}, Linux {platform.release()}"
    )


def commit() -> str:
    """Return the commit measured, marked where the tree differs from it."""
    head = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return head.stdout.strip() + (" with changes" if changed.stdout.strip() else "")


if __name__ == "__main__":
    main()
