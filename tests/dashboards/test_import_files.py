import asyncio
import json
from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

import phusong.collector.importing
from phusong.collector.doors import open_intake
from phusong.collector.journal.reader import read_frames
from phusong.collector.journal.writer import JournalWriter
from phusong.collector.local_door import LocalDoor
from phusong.dashboards.commands.import_files import import_files
from phusong.kernels.frame import PayloadKind, Transport, decode_frame
from phusong.v1.journal_pb2 import FileRow

EXAMPLES = Path(phusong.collector.importing.__file__).parent / "examples"
USAGE = "subscriber_key,observed_time_ms,uplink_bytes,downlink_bytes"

app = typer.Typer(add_completion=False)
app.command()(import_files)


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def run_json(*arguments):
    result = run(*arguments, "--receipt", "json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def write(folder, *lines, name="usage.csv"):
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def envelopes(data):
    for stored in read_frames(data / "journal"):
        frame = decode_frame(stored.body)
        for route, offset, length in zip(frame.route, frame.offset, frame.length, strict=True):
            yield frame.routes[int(route)], stored.body[offset : offset + length]


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.iterdir()))
def test_every_example_is_imported_as_it_stands(tmp_path, name):
    document = run_json(EXAMPLES / name, "--operator", "viettel", "--data", tmp_path)

    rows = document["files"][0]["rows"]
    assert rows["read"] == rows["taken"] + rows["refused"] > 0
    assert {route.transport for route, _ in envelopes(tmp_path)} == {Transport.IMPORT}


def test_a_receipt_names_the_frames_and_the_chain_that_hold_the_file(tmp_path):
    document = run_json(EXAMPLES / "signal.csv", EXAMPLES / "usage.csv", "--data", tmp_path)

    frames = {frame.sequence: frame.chain.hex() for frame in read_frames(tmp_path / "journal")}
    for file in document["files"]:
        assert 1 <= file["journal"]["sequence_first"] <= file["journal"]["sequence_last"]
        assert file["journal"]["chain"] == frames[file["journal"]["sequence_last"]]
    assert document["rows"] == {"read": 13, "taken": 13, "duplicate": 0, "refused": 0}


def test_a_file_imported_twice_is_counted_once_with_its_refused_rows(tmp_path):
    path = write(tmp_path, USAGE, "7,1633046400000,1,2", "7,soon,1,2", "7,1633046400001,-1,2")
    arguments = (path, "--operator", "viettel", "--data", tmp_path / "data")

    first = run_json(*arguments)
    again = run_json(*arguments)

    assert first["rows"] == {"read": 3, "taken": 1, "duplicate": 0, "refused": 2}
    assert first["files"][0]["refused"] == {"NOT_A_NUMBER": 1, "NOT_A_TIME": 1}
    assert again["rows"] == {"read": 3, "taken": 0, "duplicate": 3, "refused": 0}
    kinds = [route.kind for route, _ in envelopes(tmp_path / "data")]
    assert kinds.count(PayloadKind.FILE_ROW) == 2


def test_a_refused_row_is_kept_with_its_line_and_its_reason(tmp_path):
    path = write(tmp_path, USAGE, "7,soon,1,2")

    result = run(path, "--operator", "viettel", "--data", tmp_path)

    (payload,) = (payload for _, payload in envelopes(tmp_path))
    row = FileRow.FromString(payload)
    assert result.exit_code == 0
    assert (row.file, row.line, row.reason) == ("usage.csv", 2, "NOT_A_TIME")
    assert "1  NOT_A_TIME  usage.csv" in result.stdout


def test_more_refused_rows_than_a_receipt_lists_are_all_counted_by_their_reason(tmp_path):
    lines = [f"0,{1633046400000 + n},1,2" for n in range(150)]  # a key of 0 is none

    document = run_json(write(tmp_path, USAGE, *lines), "--operator", "viettel", "--data", tmp_path)

    assert document["files"][0]["refused"] == {"KEY_MISSING": 150}


async def test_while_a_service_runs_the_import_goes_through_it(tmp_path):
    async with open_intake(tmp_path) as opened, LocalDoor(opened.intake, tmp_path):
        document = await asyncio.to_thread(run_json, EXAMPLES / "usage.csv", "--data", tmp_path)
        again = await asyncio.to_thread(run_json, EXAMPLES / "usage.csv", "--data", tmp_path)

    assert document["rows"]["taken"] == 6
    assert again["rows"]["duplicate"] == 6


def test_a_journal_that_somebody_holds_is_a_failure_with_what_to_do(tmp_path):
    with JournalWriter(tmp_path / "journal"):
        result = run(EXAMPLES / "usage.csv", "--data", tmp_path)

    assert result.exit_code == 1
    assert "stop it and try again" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((EXAMPLES / "radius.csv",), "--operator"),
        ((EXAMPLES / "signal.csv", "--format", "usage-csv"), "missing column subscriber_key"),
        ((EXAMPLES / "signal.csv", "--format", "signal-parquet"), "is not a Parquet file"),
        ((EXAMPLES / "signal.parquet", "--format", "signal-csv"), "is a Parquet file"),
        ((EXAMPLES / "signal.csv", "--format", "xml"), "expected one of"),
        ((EXAMPLES / "signal.csv", "--operator", "Viettel!"), "--operator"),
        ((EXAMPLES / "signal.csv", "--plmn", "45"), "--plmn"),
        ((EXAMPLES / "signal.csv", "--timezone", "Hanoi"), "--timezone"),
        ((EXAMPLES / "signal.csv", "--device", "log"), "--device"),
        ((EXAMPLES / "signal.csv", "no-such-file.csv"), "no such file"),
    ],
)  # fmt: skip
def test_a_wrong_call_ends_with_status_2_before_anything_is_taken(tmp_path, arguments, expected):
    result = run(*arguments, "--data", tmp_path)

    assert result.exit_code == 2
    assert expected in result.stderr
    assert not (tmp_path / "journal").exists()


def test_numbers_of_persons_deep_in_a_file_end_the_import_with_what_was_taken(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("phusong.collector.importing.tables.PARQUET_CHUNK_ROWS", 2)
    path = tmp_path / "usage.parquet"
    pl.DataFrame(
        {"subscriber_key": [1, 2, 452040123456789], "observed_time_ms": [1633046400000] * 3,
         "uplink_bytes": [1] * 3, "downlink_bytes": [1] * 3}
    ).write_parquet(path)  # fmt: skip

    result = run(path, "--operator", "viettel", "--data", tmp_path, "--receipt", "json")

    assert result.exit_code == 2
    assert "pseudonymize" in result.stderr
    assert json.loads(result.stdout)["rows"]["taken"] == 2


def test_a_damaged_file_ends_with_status_1(tmp_path):
    path = tmp_path / "usage.parquet"
    path.write_bytes((EXAMPLES / "usage.parquet").read_bytes()[:100])

    result = run(path, "--operator", "viettel", "--data", tmp_path)

    assert result.exit_code == 1
    assert "cannot read usage.parquet as Parquet" in result.stderr


def test_every_option_is_documented():
    document = (Path(__file__).parents[2] / "docs" / "import.md").read_text("utf-8")

    for parameter in typer.main.get_command(app).params:
        for option in (o for o in parameter.opts if o.startswith("--") and o != "--help"):
            assert f"`{option}`" in document or f" {option} " in document
