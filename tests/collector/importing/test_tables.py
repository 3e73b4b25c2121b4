from datetime import UTC, date, datetime

import polars as pl
import pytest

from phusong.collector.importing import tables
from phusong.collector.importing.options import ImportFailed, ImportRefused
from phusong.collector.importing.tables import open_tables, text_of


def read(path, *wanted):
    file = open_tables(path)
    parts = list(file.read(list(wanted)))
    rows = [row for part in parts for row in part.columns.rows()]
    lines = [int(line) for part in parts for line in part.line]
    bad = [(line.line, line.reason.name) for part in parts for line in part.bad_lines]
    return rows, lines, bad


def text(folder, content):
    path = folder / "file.csv"
    path.write_text(content)
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(tmp_path, delimiter):
    path = text(tmp_path, "a,b,c\n1,2,3\n".replace(",", delimiter))

    assert read(path, "c", "a")[0] == [("3", "1")]


def test_every_way_of_saying_nothing_is_absent(tmp_path):
    path = text(tmp_path, "a,b\n-,null\n NaN ,\nNone,N/A\n0,x\n")

    assert read(path, "a", "b")[0] == [(None, None)] * 3 + [("0", "x")]


def test_quotes_protect_delimiters_and_an_open_quote_spoils_one_line(tmp_path):
    path = text(tmp_path, '"a",b\n"1,5","say ""hi"""\n"open,2\n3,4\n')

    assert read(path, "a", "b") == (
        [("1,5", 'say "hi"'), ("3", "4")], [2, 4], [(3, "TOO_FEW_FIELDS")],
    )  # fmt: skip


def test_a_line_with_another_number_of_fields_is_no_row(tmp_path):
    path = text(tmp_path, "a,b\n1\n1,2,3\n1,2,,\n")

    assert read(path, "a", "b") == (
        [("1", "2")], [4], [(2, "TOO_FEW_FIELDS"), (3, "TOO_MANY_FIELDS")],
    )  # fmt: skip


def test_a_header_alone_is_an_empty_table(tmp_path):
    assert read(text(tmp_path, "a,b\n"), "a") == ([], [], [])


@pytest.mark.parametrize("content", ["\n\n", "x" * 70_000 + "\na,b\n", '"a,b\n1,2\n'])
def test_a_file_without_a_header_line_is_refused(tmp_path, content):
    with pytest.raises(ImportRefused, match="header line"):
        open_tables(text(tmp_path, content))


def test_parquet_is_known_by_its_first_bytes_and_read_in_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "PARQUET_CHUNK_ROWS", 2)
    path = tmp_path / "named.csv"
    pl.DataFrame({"a": [1, 2, 3, 4, 5], "b": ["x"] * 5}).write_parquet(path)

    rows, lines, _ = read(path, "a")

    assert rows == [("1",), ("2",), ("3",), ("4",), ("5",)]
    assert lines == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("keep", [4, 100, -20])
def test_a_damaged_parquet_file_is_a_failure_with_a_reason(tmp_path, keep):
    path = tmp_path / "file.parquet"
    pl.DataFrame({"a": list(range(1000))}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:keep])

    with pytest.raises(ImportFailed, match="as Parquet"):
        read(path, "a")


MOMENT = datetime(2021, 10, 1, 7, 0, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pl.Series([1, None], dtype=pl.UInt64), ["1", None]),
        (pl.Series([1.0, 2.5, float(2**60), None]), ["1", "2.5", "1.152921504606847e+18", None]),
        (pl.Series([True, None]), ["true", None]),
        (pl.Series([MOMENT]), ["1633071600250"]),
        (pl.Series([MOMENT.replace(tzinfo=None)]), ["2021-10-01T07:00:00.250"]),
        (pl.Series([date(2021, 10, 1)]), ["2021-10-01"]),
        (pl.Series(["LTE"], dtype=pl.Categorical), ["LTE"]),
        (pl.Series([[1, 2]], dtype=pl.List(pl.Int64)), ["1 2"]),
        (pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2)), ["1 2"]),
        (pl.Series([b"\xff", None]), ["(Binary)", None]),
        (pl.Series([{"x": 1}]), ["(Struct({'x': Int64}))"]),
    ],
)
def test_every_type_becomes_the_text_a_csv_file_would_have(column, expected):
    assert text_of(column).to_list() == expected
