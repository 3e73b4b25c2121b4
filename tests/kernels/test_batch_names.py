"""Who a Batch says it is from."""

from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.batch_names import BatchNames, batch_names
from phusong.v1.telemetry_pb2 import Batch, UsageReading

batches = st.builds(
    Batch,
    source=st.text(max_size=70),
    operator=st.text(max_size=70),
    sequence=st.integers(0, 2**64 - 1),
    usage_readings=st.lists(st.builds(UsageReading, session=st.text(max_size=200)), max_size=3),
)


@settings(deadline=None)
@given(batches)
def test_names_are_those_the_official_library_reads(batch):
    assert batch_names(batch.SerializeToString()) == BatchNames(batch.operator, batch.source)


@settings(deadline=None)
@given(batches, st.integers(0, 300), st.binary(max_size=3))
def test_damaged_bytes_never_raise(batch, cut, junk):
    payload = batch.SerializeToString()

    names = batch_names(payload[:cut] + junk + payload[cut:])

    assert isinstance(names.source, str)


def test_the_last_name_counts():
    payload = Batch(source="a").SerializeToString() + Batch(source="b").SerializeToString()

    assert batch_names(payload).source == "b"
