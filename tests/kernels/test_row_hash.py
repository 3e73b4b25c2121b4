"""What makes a row the same row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.row_hash import row_hashes
from phusong.kernels.wire.decode import decode_payloads
from phusong.v1.telemetry_pb2 import Batch, CellReport, SignalReading
from reference.row_identity import what_rows_say

SIGNAL = SignalReading(
    device_key=7,
    observed_time_ms=1_638_320_400_000,
    latitude_deg=21.0,
    longitude_deg=105.8,
    position_accuracy_m=5,
    rat=3,
    sim_plmn="45204",
    serving_plmn="45204",
    cell_identity=12,
    rsrp_dbm=-90,
    ss_rsrp_dbm=-91,
    rscp_dbm=-92,
    rxlev_dbm=-93,
    rsrq_db=-10,
    sinr_db=5,
    service_state=1,
    cell_role=1,
    download_bits_per_s=5,
    upload_bits_per_s=6,
    latency_ms=7,
    access_succeeded=True,
    speed_m_per_s=1,
    pci=3,
    tac=4,
)
CELL = CellReport(
    plmn="45204",
    cell_identity=12,
    site_code="A",
    rat=3,
    observed_time_ms=1_638_320_400_000,
    on_air=True,
    on_air_since_time_ms=1_638_320_000_000,
    heartbeat_interval_ms=60_000,
    load_permille=5,
    uplink_bytes=6,
    downlink_bytes=7,
    rsrp_histogram_count=[1, 2, 3],
)

# Few values of the fields that make rows differ, so that equal rows are met.
signals = st.builds(
    SignalReading,
    device_key=st.integers(0, 1),
    observed_time_ms=st.integers(5, 6),
    latitude_deg=st.sampled_from([None, 0.0, -0.0, 1.5, float("nan")]),
    rsrp_dbm=st.sampled_from([None, -90.0, float("nan")]),
    rat=st.integers(0, 1),
    cell_identity=st.sampled_from([None, 0]),
    reporting_delay_ms=st.sampled_from([None, 0, 9]),
    received_time_ms=st.sampled_from([None, 9]),
)
cells = st.builds(
    CellReport,
    cell_identity=st.integers(0, 1),
    site_code=st.sampled_from(["", "a"]),
    on_air=st.sampled_from([None, False, True]),
    rsrp_histogram_count=st.lists(st.integers(0, 1), max_size=3),
    reporting_delay_ms=st.sampled_from([None, 9]),
)


def decode(*batches):
    payloads = [batch.SerializeToString() for batch in batches]
    ends = np.cumsum([0] + [len(p) for p in payloads])
    buffer = np.frombuffer(bytearray(b"".join(payloads)), np.uint8)
    return decode_payloads(buffer, ends[:-1], np.diff(ends))


def hashes(*rows):
    """Return the hash of every row, each sent in a batch of its own."""
    if isinstance(rows[0], SignalReading):
        decoded = decode(*(Batch(signal_readings=[row]) for row in rows))
        return row_hashes(decoded.signal, decoded.buffer).tolist()
    decoded = decode(*(Batch(cell_reports=[row]) for row in rows))
    return row_hashes(decoded.cells, decoded.buffer).tolist()


def changed(row, **fields):
    other = type(row)()
    other.CopyFrom(row)
    for name, value in fields.items():
        if name == "rsrp_histogram_count":
            other.ClearField(name)
            other.rsrp_histogram_count.extend(value)
        else:
            setattr(other, name, value)
    return other


def alike(values):
    """Return which of some values are equal, as the place of the first like it."""
    return [values.index(value) for value in values]


@settings(deadline=None)
@given(st.lists(signals, min_size=1, max_size=12))
def test_signal_readings_hash_alike_exactly_when_they_say_the_same(rows):
    decoded = decode(Batch(signal_readings=rows))
    # The time is kept beside the hash.
    found = zip(
        row_hashes(decoded.signal, decoded.buffer).tolist(),
        decoded.signal.observed_time_ms.tolist(),
        strict=True,
    )

    assert alike(list(found)) == alike(what_rows_say(decoded.signal))


@settings(deadline=None)
@given(st.lists(cells, min_size=1, max_size=12))
def test_cell_reports_hash_alike_exactly_when_they_say_the_same(rows):
    decoded = decode(Batch(cell_reports=rows))
    histograms = [list(row.rsrp_histogram_count) for row in rows]

    assert alike(row_hashes(decoded.cells, decoded.buffer).tolist()) == alike(
        what_rows_say(decoded.cells, histograms)
    )


@settings(deadline=None)
@given(st.lists(signals, min_size=1, max_size=8), st.lists(cells, max_size=8), st.integers(0, 8))
def test_a_batch_may_be_cut_anywhere(signal, cell, cut):
    whole = decode(Batch(signal_readings=signal, cell_reports=cell))
    parts = decode(
        Batch(signal_readings=signal[:cut], cell_reports=cell[:cut]),
        Batch(signal_readings=signal[cut:], cell_reports=cell[cut:]),
    )

    for one, other in ((whole.signal, parts.signal), (whole.cells, parts.cells)):
        np.testing.assert_array_equal(
            row_hashes(one, whole.buffer), row_hashes(other, parts.buffer)
        )


OTHER_VALUES = {
    "plmn": "45205",
    "sim_plmn": "45205",
    "serving_plmn": "45205",
    "site_code": "B",
    "access_succeeded": False,
    "on_air": False,
    "rsrp_histogram_count": [1, 2, 4],
}
OF_A_SENDING = {"reporting_delay_ms", "received_time_ms"}


@pytest.mark.parametrize("row", [SIGNAL, CELL], ids=["signal", "cell"])
def test_every_field_that_the_device_says_of_the_world_matters_and_no_other(row):
    for field in row.DESCRIPTOR.fields:
        value = OTHER_VALUES.get(field.name)
        if value is None:
            value = getattr(row, field.name) + 1
        one, other = hashes(row, changed(row, **{field.name: value}))

        # The time is kept whole beside the hash of a row.
        assert (one == other) == (field.name in OF_A_SENDING | {"observed_time_ms"}), field.name


@pytest.mark.parametrize("bins", [[1, 2], [1, 2, 3, 0], [3, 2, 1], [0, 1, 2, 3]])
def test_another_histogram_is_another_report(bins):
    one, other = hashes(CELL, changed(CELL, rsrp_histogram_count=bins))

    assert one != other


def test_histograms_longer_than_any_network_makes_differ_by_their_length():
    long, longer = (changed(CELL, rsrp_histogram_count=[1] * n) for n in (200, 201))

    one, other = hashes(long, longer)

    assert one != other


def test_a_histogram_in_pieces_is_the_same_report():
    unpacked = CellReport()
    unpacked.CopyFrom(CELL)
    unpacked.ClearField("rsrp_histogram_count")
    pieces = b"".join(bytes([12 << 3, value]) for value in CELL.rsrp_histogram_count)
    row = unpacked.SerializeToString() + pieces
    batch = bytes([6 << 3 | 2]) + len(row).to_bytes(1, "little") + row

    buffer = np.frombuffer(bytearray(batch), np.uint8)
    decoded = decode_payloads(buffer, np.array([0]), np.array([len(batch)]))

    assert row_hashes(decoded.cells, decoded.buffer).tolist() == hashes(CELL)
