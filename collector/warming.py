"""Compile or load every kernel the doors use before they open, so that no sender waits for it."""

import numpy as np

from phusong.collector.judge import Envelopes, Judge
from phusong.collector.routes import RouteTable
from phusong.collector.topics import route_of_names
from phusong.kernels.batch_names import batch_names
from phusong.kernels.frame import Transport, decode_frame, encode_envelope_head
from phusong.kernels.grants import Grant
from phusong.kernels.publishes import (
    ENVELOPE_HEAD_MAX_BYTES,
    find_publishes,
    new_publishes,
    write_envelopes,
    write_pubacks,
)
from phusong.kernels.registers import SourceRegister
from phusong.kernels.unnumbered import UnnumberedRows
from phusong.kernels.windows import SequenceWindows
from phusong.v1.telemetry_pb2 import (
    Batch,
    CellReport,
    Rat,
    ServiceState,
    SignalReading,
    UsageReading,
)


def warm_kernels() -> None:
    """Run every kernel of the doors once, on a batch that nobody sent."""
    # Rows that count, once without a sequence and once with.
    batch = Batch(
        signal_readings=[
            SignalReading(
                device_key=1,
                observed_time_ms=1,
                latitude_deg=21.0,
                longitude_deg=105.8,
                service_state=ServiceState.SERVICE_STATE_NO_SERVICE,
            )
        ],
        usage_readings=[UsageReading(subscriber_key=1)],
        cell_reports=[
            CellReport(
                plmn="45204",
                cell_identity=1,
                site_code="none",
                rat=Rat.RAT_LTE,
                observed_time_ms=1,
            )
        ],
    )
    payloads = [batch.SerializeToString()]
    batch.sequence = 1
    payloads.append(batch.SerializeToString())
    batch_names(payloads[0])

    table = RouteTable()
    # Bounded, so that the kernels of bounds run too.
    bounded = Grant("none", "none", row_kinds=("signal", "usage", "cells"), sites=("none",))
    table.admit(SourceRegister((bounded,)))
    number = table.number(route_of_names("none", "none", Transport.MQTT))
    judge = Judge(table, SequenceWindows(), UnnumberedRows())
    envelopes = [encode_envelope_head(number, len(payload)) + payload for payload in payloads]
    body = table.encoded(number) + b"".join(envelopes)
    frame = decode_frame(body)
    judge.judge(Envelopes(body, frame.route, frame.offset, frame.length), received_time_ms=1)

    buffer = np.zeros(0, np.uint8)
    found = new_publishes(1)
    find_publishes(buffer, 0, found)
    out = np.zeros(ENVELOPE_HEAD_MAX_BYTES, np.uint8)
    none = np.zeros(1, np.int64)
    write_envelopes(buffer, none, none, none, out, none.copy())
    write_pubacks(none, out)
