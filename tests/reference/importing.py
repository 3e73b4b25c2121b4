"""What a file of signal readings holds, read by the standard library alone: csv, datetime, protobuf objects."""

import csv
import re
from datetime import UTC, datetime
from pathlib import Path

from phusong.collector.importing.formats import read_file
from phusong.collector.importing.options import ImportOptions
from phusong.kernels.frame import PayloadKind
from phusong.v1.journal_pb2 import FileRow
from phusong.v1.telemetry_pb2 import Batch, SignalReading

ABSENT = {"", "-", "null", "none", "nan", "na", "n/a"}
RATS = {"GSM": 1, "UMTS": 2, "LTE": 3, "NR": 4}


def imported(path, format_name="auto", **options):
    """Return the batches and the refused rows that the importer makes of a file."""
    notes = []
    options = ImportOptions(**({"operator": "viettel"} | options), note=notes.append)
    payloads = list(read_file(Path(path), format_name, options))
    batches = [
        Batch.FromString(one.payload) for one in payloads if one.route.kind == PayloadKind.BATCH
    ]
    bad_rows = [
        FileRow.FromString(one.payload)
        for one in payloads
        if one.route.kind == PayloadKind.FILE_ROW
    ]
    assert sum(one.row_count for one in payloads) == len(bad_rows) + sum(map(row_count, batches))
    return batches, bad_rows, notes


def row_count(batch):
    return len(batch.signal_readings) + len(batch.usage_readings) + len(batch.cell_reports)


def time_ms(cell):
    if re.fullmatch(r"\d+", cell):
        return int(cell)
    moment = datetime.fromisoformat(cell)
    if moment.tzinfo is None:
        raise ValueError(cell)
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)


def signal_readings(path):
    """Return the readings of a file, and the numbers of the lines that hold none."""
    readings, bad_lines = [], []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            given = {name: cell for name, cell in row.items() if cell.strip().lower() not in ABSENT}
            try:
                readings.append(
                    SignalReading(
                        device_key=int(given.get("device_key", "0"), 0) % 2**64,
                        observed_time_ms=time_ms(given.get("observed_time_ms", "0")),
                        rat=RATS[given["rat"].upper()] if "rat" in given else 0,
                        serving_plmn=given.get("serving_plmn", ""),
                        **{
                            name: float(given[name])
                            for name in ("latitude_deg", "rsrp_dbm")
                            if name in given
                        },
                    )
                )
            except (ValueError, KeyError):
                bad_lines.append(len(readings) + len(bad_lines) + 2)
    return readings, bad_lines
