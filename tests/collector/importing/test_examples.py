from pathlib import Path

import pytest

import phusong.collector.importing
from phusong.collector.importing.screening import refused_rows
from phusong.v1.telemetry_pb2 import (
    CELL_ROLE_NEIGHBOUR,
    COUNTER_KIND_DELTA,
    RAT_GSM,
    RAT_UMTS,
    SERVICE_STATE_NO_SERVICE,
    TRAFFIC_CLASS_ZERO_RATED,
)
from reference.importing import imported, row_count

EXAMPLES = Path(phusong.collector.importing.__file__).parent / "examples"

# file: rows, of which refused
ROWS = {
    "cells.csv": (3, {}),
    "gnettrack.csv": (6, {"LEVEL_MISSING": 2, "LEVEL_OUT_OF_RANGE": 1}),
    "radius.csv": (5, {}),
    "signal.csv": (7, {}),
    "signal.parquet": (7, {}),
    "usage.csv": (6, {}),
    "usage.parquet": (6, {}),
}


def test_every_example_is_known_here():
    assert sorted(path.name for path in EXAMPLES.iterdir()) == sorted(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_an_example_is_recognised_and_imported(name):
    batches, bad_rows, _ = imported(EXAMPLES / name)

    refused = sum(
        (refused_rows(batch.SerializeToString()) for batch in batches),
        start=type(refused_rows(b""))(),
    )
    assert not bad_rows
    assert (sum(map(row_count, batches)), dict(refused)) == ROWS[name]


@pytest.mark.parametrize("kind", ["signal", "usage"])
def test_the_parquet_example_holds_what_the_csv_example_holds(kind):
    from_csv, _, _ = imported(EXAMPLES / f"{kind}.csv", f"{kind}-csv")
    from_parquet, _, _ = imported(EXAMPLES / f"{kind}.parquet", f"{kind}-parquet")

    for batch in (*from_csv, *from_parquet):
        batch.boot_epoch = 0  # the identity of the file's content
    assert from_csv == from_parquet


def test_the_examples_show_what_is_special():
    signal = [
        row for batch in imported(EXAMPLES / "signal.csv")[0] for row in batch.signal_readings
    ]
    usage = [row for batch in imported(EXAMPLES / "usage.csv")[0] for row in batch.usage_readings]

    assert {RAT_GSM, RAT_UMTS} < {row.rat for row in signal}
    assert CELL_ROLE_NEIGHBOUR in {row.cell_role for row in signal}
    assert SERVICE_STATE_NO_SERVICE in {row.service_state for row in signal}
    assert any(row.reporting_delay_ms == 3_600_000 for row in signal)
    assert COUNTER_KIND_DELTA in {row.counter_kind for row in usage}
    assert TRAFFIC_CLASS_ZERO_RATED in {row.traffic_class for row in usage}
    assert any(row.downlink_gigawords == 1 and row.counter_width_bits == 32 for row in usage)
    assert all(row.HasField("received_time_ms") for row in (*signal, *usage))
