"""Rows of batches without a sequence: which of them claim an identity, and when nobody could tell."""

import numpy as np
import pytest

from phusong.kernels.clock import AHEAD_MAX_MS, BEHIND_MAX_MS
from phusong.kernels.days import DAY_MS
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.screen_signal import screen_signal
from phusong.kernels.unnumbered import Arrival, UnnumberedRows
from phusong.kernels.wire.decode import decode_payloads
from phusong.v1.telemetry_pb2 import Batch, CellReport, ServiceState, SignalReading

NOW_MS = 1_638_320_400_000
MINUTE_MS = 60_000


def reading(observed_time_ms=NOW_MS, **fields):
    known = {
        "device_key": 1,
        "observed_time_ms": observed_time_ms,
        "latitude_deg": 21.0,
        "longitude_deg": 105.8,
        "service_state": ServiceState.SERVICE_STATE_NO_SERVICE,
    }
    return SignalReading(**(known | fields))


def send(rows, *batches, received_time_ms=NOW_MS, is_imported=False, source=0):
    """Return (is repeated, reason) of every signal reading of some batches that arrive in one frame."""
    payloads = [batch.SerializeToString() for batch in batches]
    ends = np.cumsum([0] + [len(payload) for payload in payloads])
    buffer = np.frombuffer(bytearray(b"".join(payloads)), np.uint8)
    decoded = decode_payloads(buffer, ends[:-1], np.diff(ends))
    reason = np.zeros(len(decoded.signal.row), np.int64)
    screen_signal(decoded.signal, reason)
    count = len(batches)
    arrival = Arrival(
        received_time_ms, np.full(count, source, np.int64), np.full(count, is_imported)
    )
    is_repeated = rows.mark_repeated(decoded, decoded.signal, arrival, reason)
    return list(zip(is_repeated.tolist(), reason.tolist(), strict=True))


def unnumbered(*rows):
    return Batch(signal_readings=rows)


NEW, AGAIN, NEEDED = (False, TAKEN), (True, TAKEN), (False, Reject.SEQUENCE_NEEDED)


def test_a_row_sent_again_is_a_repeat_in_the_same_batch_frame_or_later():
    rows = UnnumberedRows()

    assert send(rows, unnumbered(reading(), reading()), unnumbered(reading())) == [
        NEW,
        AGAIN,
        AGAIN,
    ]
    assert send(rows, unnumbered(reading(), reading(NOW_MS + 1))) == [AGAIN, NEW]


def test_the_same_row_of_another_source_is_another_row():
    rows = UnnumberedRows()
    send(rows, unnumbered(reading()), source=0)

    assert send(rows, unnumbered(reading()), source=1) == [NEW]


def test_a_later_sending_states_a_longer_delay_and_is_the_same_row():
    rows = UnnumberedRows()
    send(rows, unnumbered(reading(reporting_delay_ms=0)))

    again = unnumbered(reading(reporting_delay_ms=MINUTE_MS))
    assert send(rows, again, received_time_ms=NOW_MS + MINUTE_MS) == [AGAIN]


def test_rows_of_numbered_batches_are_known_by_their_number_and_not_remembered():
    rows = UnnumberedRows()

    assert send(rows, Batch(sequence=1, signal_readings=[reading(), reading()])) == [NEW, NEW]
    assert rows.signal.count == 0


def test_a_row_that_is_refused_claims_nothing():
    rows = UnnumberedRows()
    far = reading(latitude_deg=91)

    assert send(rows, unnumbered(far, far))[1] == (False, Reject.POSITION_OUT_OF_RANGE)
    assert rows.signal.count == 0


@pytest.mark.parametrize("observed_ms", [NOW_MS + AHEAD_MAX_MS + 1, NOW_MS - BEHIND_MAX_MS - 1])
def test_a_row_whose_clock_is_too_far_off_claims_nothing(observed_ms):
    rows = UnnumberedRows()

    assert send(rows, unnumbered(reading(observed_ms))) == [NEW]
    assert rows.signal.count == 0


def test_a_row_refused_for_its_clock_counts_once_when_the_delay_is_mended():
    rows = UnnumberedRows()
    observed_ms = NOW_MS - 6 * DAY_MS
    send(rows, unnumbered(reading(observed_ms, reporting_delay_ms=14 * DAY_MS)))

    mended = unnumbered(reading(observed_ms, reporting_delay_ms=6 * DAY_MS))
    assert send(rows, mended) == [NEW]
    assert send(rows, mended) == [AGAIN]


def test_a_row_held_longer_than_rows_are_remembered_needs_a_sequence():
    rows = UnnumberedRows()
    held_ms = BEHIND_MAX_MS + 1
    held = reading(NOW_MS - held_ms, reporting_delay_ms=held_ms)

    assert send(rows, unnumbered(held)) == [NEEDED]
    assert send(rows, Batch(sequence=1, signal_readings=[held])) == [NEW]


def test_an_old_row_of_an_import_without_a_sequence_needs_one_whatever_arrival_it_gives():
    rows = UnnumberedRows()
    old_ms = NOW_MS - 300 * DAY_MS

    for row in (reading(old_ms), reading(old_ms, received_time_ms=old_ms)):
        assert send(rows, unnumbered(row), is_imported=True) == [NEEDED]


def test_cell_reports_are_remembered_apart():
    rows = UnnumberedRows()
    report = CellReport(plmn="45204", cell_identity=1, rat=3, observed_time_ms=NOW_MS)
    payload = Batch(cell_reports=[report, report]).SerializeToString()
    decoded = decode_payloads(
        np.frombuffer(bytearray(payload), np.uint8), np.array([0]), np.array([len(payload)])
    )
    arrival = Arrival(NOW_MS, np.zeros(1, np.int64), np.zeros(1, np.bool_))

    found = rows.mark_repeated(decoded, decoded.cells, arrival, np.zeros(2, np.int64))

    assert found.tolist() == [False, True]
    assert (rows.signal.count, rows.cells.count) == (0, 1)


def test_what_was_exported_is_remembered():
    rows, restored = UnnumberedRows(), UnnumberedRows()
    send(rows, unnumbered(reading()))

    restored.restore(rows.export())

    assert send(restored, unnumbered(reading())) == [AGAIN]
