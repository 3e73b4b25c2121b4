"""The whole synthetic programme from one seed: registries, messages to send, and the truth to compare with.

The same seed and counts give the same bytes on every machine: nothing here reads a clock.
"""

import csv
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from google.protobuf.json_format import MessageToJson

from phusong.dashboards.demo import garbage
from phusong.dashboards.demo.drives import NEIGHBOUR, Pair, SignalRows, make_drives, make_pairs
from phusong.dashboards.demo.encoding import signal_readings, usage_readings
from phusong.dashboards.demo.messages import Message, Outbox, Source, all_sources, source_of
from phusong.dashboards.demo.provinces import read_provinces
from phusong.dashboards.demo.sessions import Usage, UsageRows, make_usage
from phusong.dashboards.demo.sites import OPERATORS, Site, make_sites
from phusong.dashboards.demo.stations import make_reports
from phusong.dashboards.demo.subscribers import Subscribers, make_subscribers
from phusong.kernels.reject import Reject
from phusong.v1.telemetry_pb2 import Batch

SEED = 3667  # the number of the plan

BATCH_ROW_MIN, BATCH_ROW_MAX = 200, 1_000
PHONE_SHARE = 0.012  # of readings, sent alone by a pupil's own phone
JSON_SHARE = 0.5  # of those
REPEAT_SHARE = 0.04  # of batches, sent twice
DRIVE_KINDS = ("drive-1", "drive-2", "drive-1")  # by device of a pair
USAGE_KINDS = ("core", "radius", "hotspot")  # by Subscribers.source_kind

Progress = Callable[[str, float], None]


@dataclass(slots=True)
class Truth:
    """What the service must find out."""

    pairs: list[Pair]
    subscribers: Subscribers
    usage: Usage
    falsely_claimed: set[int]
    refused: Counter[str] = field(default_factory=Counter)  # payloads and rows by reason
    repeated_batch_count: int = 0
    repeated_row_count: int = 0
    row_count: int = 0  # sent, repeats included


@dataclass(slots=True)
class Programme:
    """Everything the demo needs."""

    seed: int
    sites: list[Site]
    sources: list[Source]
    messages: list[Message]
    truth: Truth


def make_programme(seed: int, site_count: int, sim_count: int, progress: Progress) -> Programme:
    """Return the programme of a seed; `progress` hears what is being made, and the share done."""
    # A generator for each part: changing one does not move the others.
    world, walks, talk, pupils, meters, post = map(
        np.random.default_rng, np.random.SeedSequence(seed).spawn(6)
    )
    progress("sites", 0.0)
    provinces = read_provinces()
    sites = make_sites(world, provinces, site_count)
    pairs = make_pairs(world, sites)
    progress("drive tests", 0.05)
    drives = make_drives(walks, pairs)
    stations = make_reports(talk, pairs)
    progress("usage", 0.15)
    subscribers = make_subscribers(pupils, provinces, sim_count)
    usage = make_usage(meters, subscribers)
    truth = Truth(pairs, subscribers, usage, stations.falsely_claimed)
    outboxes = {source: Outbox(source) for source in all_sources()}
    progress("signal readings to bytes", 0.2)
    _post_signal(post, outboxes, drives)
    truth.refused[Reject.NOT_A_SERVING_CELL.name] += int((drives.cell_role == NEIGHBOUR).sum())
    progress("usage readings to bytes", 0.65)
    _post_usage(post, outboxes, subscribers, usage.rows)
    for operator, reports in stations.reports.items():
        for start in range(0, len(reports), BATCH_ROW_MAX):
            outboxes[source_of(operator, "oss")].add(cells=reports[start : start + BATCH_ROW_MAX])
    _post_bad_rows(outboxes, sites[0], truth)
    progress("repeats and garbage", 0.98)
    messages = _repeated(post, outboxes.values(), truth)
    truth.row_count = sum(message.row_count for message in messages)
    for message, reason in garbage.bad_payloads(sites[0]):
        messages.append(message)
        truth.refused[reason.name] += 1
    progress("done", 1.0)
    return Programme(seed, sites, list(outboxes), messages, truth)


def write_registries(programme: Programme, folder: Path) -> dict[str, Path]:
    """Write the registries as the files `phusong registry add` takes; return their paths by registry."""
    site_columns = (
        "site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m"
    )
    sites = [
        (s.site_code, s.name, s.province_code, s.list_slug, ";".join(s.operators), *_row(part))
        for s in programme.sites
        for part in s.parts
    ]
    subscribers = programme.truth.subscribers
    sims = zip(
        subscribers.subscriber_key.tolist(),
        (OPERATORS[i] for i in subscribers.operator.tolist()),
        subscribers.province_code,
        subscribers.handover_date,
        strict=True,
    )
    sources = [(source.name, source.operator) for source in programme.sources]
    files = {
        "sites": (site_columns, sites),
        "sims": ("subscriber_key,operator,province_code,handover_date", sims),
        "sources": ("source,operator", sources),
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for registry, (columns, rows) in files.items():
        paths[registry] = folder / f"{registry}.csv"
        with paths[registry].open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns.split(","))
            writer.writerows(rows)
    return paths


def _row(part: object) -> tuple[object, ...]:
    return (part.name, part.latitude_deg, part.longitude_deg, part.radius_m)  # type: ignore[attr-defined]


def _post_signal(
    rng: np.random.Generator, outboxes: dict[Source, Outbox], drives: SignalRows
) -> None:
    is_alone = rng.random(len(drives.pair)) < PHONE_SHARE
    for operator, name in enumerate(OPERATORS):
        is_ours = drives.sim_operator == operator
        for kind in dict.fromkeys(DRIVE_KINDS):
            devices = [i for i, of_device in enumerate(DRIVE_KINDS) if of_device == kind]
            index = np.flatnonzero(is_ours & ~is_alone & np.isin(drives.device, devices))
            outbox = outboxes[source_of(name, kind)]
            for rows in _cut(rng, index):
                outbox.add(signal=signal_readings(drives.taken(rows)))
        phones = outboxes[source_of(name, "phones")]
        for reading in signal_readings(drives.taken(np.flatnonzero(is_ours & is_alone))):
            phones.add(signal=[reading])
            if rng.random() < JSON_SHARE:
                phones.messages[-1] = _as_json(phones.messages[-1])


def _post_usage(
    rng: np.random.Generator,
    outboxes: dict[Source, Outbox],
    subscribers: Subscribers,
    usage: UsageRows,
) -> None:
    operator = subscribers.operator[usage.sim]
    source_kind = subscribers.source_kind[usage.sim]
    for number, name in enumerate(OPERATORS):
        for kind, kind_name in enumerate(USAGE_KINDS):
            index = np.flatnonzero((operator == number) & (source_kind == kind))
            for rows in _cut(rng, index):
                readings = usage_readings(usage.taken(rows), subscribers.subscriber_key)
                outboxes[source_of(name, kind_name)].add(usage=readings)


def _post_bad_rows(outboxes: dict[Source, Outbox], site: Site, truth: Truth) -> None:
    for kind in DRIVE_KINDS[:2]:
        signal = garbage.bad_signal_rows(site)
        outboxes[source_of("viettel", kind)].add(signal=[row for row, _ in signal])
        truth.refused.update(reason.name for _, reason in signal)
    usage = garbage.bad_usage_rows()
    outboxes[source_of("mobifone", "core")].add(usage=[row for row, _ in usage])
    truth.refused.update(reason.name for _, reason in usage)
    cells = garbage.bad_cell_rows(site)
    outboxes[source_of("viettel", "oss")].add(cells=[row for row, _ in cells])
    truth.refused.update(reason.name for _, reason in cells)
    hotspot = outboxes[source_of("viettel", "hotspot")]
    hotspot.add(usage=[garbage.DELTA_WITHOUT_SEQUENCE])
    unnumbered = Batch(usage_readings=[garbage.DELTA_WITHOUT_SEQUENCE]).SerializeToString()
    hotspot.messages[-1] = hotspot.messages[-1]._replace(payload=unnumbered)
    truth.refused[Reject.SEQUENCE_MISSING.name] += 1


def _repeated(rng: np.random.Generator, outboxes: Iterable[Outbox], truth: Truth) -> list[Message]:
    """Return all messages, source by source, some of them once more at the end of their source's."""
    messages: list[Message] = []
    for outbox in outboxes:
        messages.extend(outbox.messages)
        if outbox.source.name.endswith("hotspot") and outbox.source.operator == "viettel":
            numbered = outbox.messages[:-1]  # the batch without a number is refused anew each time
        else:
            numbered = outbox.messages
        for message in numbered:
            if rng.random() < REPEAT_SHARE:
                messages.append(message)
                truth.repeated_batch_count += 1
                truth.repeated_row_count += message.row_count
    return messages


def _cut(rng: np.random.Generator, index: "np.ndarray") -> list["np.ndarray"]:
    """Cut row numbers into batches of random sizes."""
    size_count = len(index) // BATCH_ROW_MIN + 1
    edges = np.cumsum(rng.integers(BATCH_ROW_MIN, BATCH_ROW_MAX + 1, size_count))
    return [rows for rows in np.split(index, edges[edges < len(index)]) if len(rows)]


def _as_json(message: Message) -> Message:
    batch = Batch.FromString(message.payload)
    text = MessageToJson(batch, indent=None)
    return message._replace(topic=message.source.topic(is_json=True), payload=text.encode())
