"""The `.proto` files: generated code is that of today, every message explains itself, and code agrees with them."""

import re
from enum import IntEnum
from pathlib import Path

import pytest
from google.protobuf.descriptor import FieldDescriptor as F
from grpc_tools import protoc

from phusong.kernels.columns import CellReports, SignalReadings, UsageReadings
from phusong.kernels.frame import PayloadKind, Transport
from phusong.kernels.wire import schema
from phusong.v1 import journal_pb2, telemetry_pb2

PROTO = Path(__file__).parents[1] / "proto"
SOURCES = sorted((PROTO / "phusong" / "v1").glob("*.proto"))
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py")

MESSAGES = [
    (telemetry_pb2.SignalReading, SignalReadings, schema.SIGNAL),
    (telemetry_pb2.UsageReading, UsageReadings, schema.USAGE),
    (telemetry_pb2.CellReport, CellReports, schema.CELL),
]


def test_committed_code_is_what_the_proto_files_give(tmp_path: Path) -> None:
    status = protoc.main(
        [
            "protoc",
            f"-I{PROTO}",
            *(f"--{kind}={tmp_path}" for kind in ("python_out", "pyi_out", "grpc_python_out")),
            *map(str, SOURCES),
        ]
    )

    assert status == 0
    committed = {p.name: p.read_text() for g in GENERATED for p in (PROTO / "phusong/v1").glob(g)}
    made = {p.name: p.read_text() for g in GENERATED for p in (tmp_path / "phusong/v1").glob(g)}
    assert sorted(made) == sorted(committed)
    assert [name for name in made if made[name] != committed[name]] == [], "run `make proto`"


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_message_service_and_call_has_a_comment(source: Path) -> None:
    lines = source.read_text().splitlines()

    undocumented = [
        line.strip()
        for before, line in zip(["", *lines], lines, strict=False)
        if re.match(r"\s*(message|service|rpc) ", line) and not before.strip().startswith("//")
    ]

    assert undocumented == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_file_says_what_it_is_for(source: Path) -> None:
    assert source.read_text().startswith("// ")


@pytest.mark.parametrize(
    ("ours", "official"),
    [(Transport, journal_pb2.Transport), (PayloadKind, journal_pb2.PayloadKind)],
)
def test_enums_of_frames_have_the_numbers_of_the_journal(ours: type[IntEnum], official) -> None:
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", ours.__name__).upper() + "_"

    assert {prefix + member.name: member.value for member in ours} == dict(official.items())


def wire_type(field: F) -> int:
    return {F.TYPE_STRING: 2, F.TYPE_FIXED64: 1, F.TYPE_DOUBLE: 1, F.TYPE_FLOAT: 5}.get(
        field.type, 0
    )


def store(field: F) -> int:
    if field.name.endswith("plmn"):
        return schema.PLMN
    return {
        F.TYPE_INT64: schema.INT64,
        F.TYPE_UINT64: schema.INT64,
        F.TYPE_UINT32: schema.UINT32,
        F.TYPE_ENUM: schema.INT32,
        F.TYPE_BOOL: schema.BOOL,
        F.TYPE_FIXED64: schema.BITS64,
        F.TYPE_DOUBLE: schema.BITS64,
        F.TYPE_FLOAT: schema.FLOAT,
        F.TYPE_STRING: schema.TEXT,
    }[field.type]


def missing(field: F) -> int:
    if not field.has_presence:
        return 0
    return schema.NAN_BITS if field.type in (F.TYPE_FLOAT, F.TYPE_DOUBLE) else -1


@pytest.mark.parametrize(("message", "columns", "_table"), MESSAGES)
def test_columns_have_the_names_and_the_order_of_the_fields(message, columns, _table) -> None:
    histogram = ["rsrp_histogram_offset", "rsrp_histogram_bytes"]
    names = ["payload_row", "row"]
    for field in message.DESCRIPTOR.fields:
        names += histogram if field.name == "rsrp_histogram_count" else [field.name]

    assert list(columns._fields) == names


@pytest.mark.parametrize(("message", "columns", "table"), MESSAGES)
def test_tables_of_the_decoder_are_those_of_the_proto(message, columns, table) -> None:
    expected = [
        (f.number, f.name, store(f), missing(f))
        for f in message.DESCRIPTOR.fields
        if not f.is_repeated
    ]

    assert table.columns is columns
    assert [tuple(f) for f in table.fields if "histogram" not in f.column] == expected
    assert all(
        schema.WIRE_TYPE[store(f)] == wire_type(f)
        for f in message.DESCRIPTOR.fields
        if not f.is_repeated
    )


def test_rows_of_kinds_are_the_fields_of_the_batch_in_order() -> None:
    fields = telemetry_pb2.Batch.DESCRIPTOR.fields_by_number

    for kind, (message, _, table) in enumerate(MESSAGES):
        assert fields[schema.FIRST_KIND_FIELD + kind].message_type is message.DESCRIPTOR
        assert schema.MESSAGES[kind] is table
