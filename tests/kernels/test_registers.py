"""The register of sources."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phusong.kernels.grants import KEY_MAX, Grant
from phusong.kernels.registers import (
    ALL_COLUMNS,
    ERROR_COUNT_MAX,
    LineError,
    SourceRegister,
    read_sources,
)

HASH, OTHER_HASH = (hashlib.sha256(text).hexdigest() for text in (b"one", b"other"))


def register(*lines: dict[str, str], **options: bool) -> SourceRegister:
    found = read_sources(csv_of(*lines), **options)
    assert isinstance(found, SourceRegister), found
    return found


def errors(*lines: dict[str, str]) -> list[LineError]:
    found = read_sources(csv_of(*lines))
    assert isinstance(found, list)
    return found


def csv_of(*lines: dict[str, str]) -> bytes:
    named = [{"source": "a", "operator": "viettel"} | line for line in lines]
    columns = [column for column in ALL_COLUMNS if any(column in line for line in named)]
    rows = [columns, *([line.get(column, "") for column in columns] for line in named)]
    return "".join(",".join(row) + "\n" for row in rows).encode()


def test_a_source_sends_for_the_operator_it_is_registered_for() -> None:
    register = read_sources(b"source,operator\nprobe-7,viettel\n")

    assert isinstance(register, SourceRegister)
    assert register.knows("viettel", "probe-7")
    assert not register.knows("mobifone", "probe-7")
    assert not register.has_credentials
    assert register.bounds is None


def test_a_byte_order_mark_is_not_part_of_the_first_column() -> None:
    assert isinstance(read_sources(b"\xef\xbb\xbfsource,operator\na,b\n"), SourceRegister)


def test_a_line_says_who_a_source_is_and_what_it_may_send() -> None:
    read = register(
        {
            "token_sha256": f"{HASH} {OTHER_HASH}",
            "certificate_sha256": HASH.upper(),
            "topics": "phusong/v1/viettel/a/# phusong/v1/viettel/+/batch",
            "row_kinds": "usage cells",
            "sites": "HN-1 HN-2",
            "subscriber_first": "0x8000000000000000",
            "subscriber_last": "-1",
        }
    )

    assert read.grants == (
        Grant(
            operator="viettel",
            source="a",
            token_sha256=(bytes.fromhex(HASH), bytes.fromhex(OTHER_HASH)),
            certificate_sha256=(bytes.fromhex(HASH),),
            topics=("phusong/v1/viettel/a/#", "phusong/v1/viettel/+/batch"),
            row_kinds=("usage", "cells"),
            sites=("HN-1", "HN-2"),
            subscriber_first=2**63,
            subscriber_last=2**64 - 1,
        ),
    )
    assert read.has_credentials


def test_while_a_token_is_changed_both_are_good() -> None:
    read = register({"token_sha256": f"{HASH} {OTHER_HASH}"}, {"source": "b"})

    assert read.of_token("one") == read.of_token("other") == read.of_principal("viettel/a")
    assert read.of_token("another") is None
    assert read.of_certificate(b"one") is None


def test_a_certificate_is_known_by_its_bytes() -> None:
    read = register({"certificate_sha256": ":".join(HASH[i : i + 2] for i in range(0, 64, 2))})

    grant = read.of_certificate(b"one")
    assert grant is not None
    assert grant.principal == "viettel/a"
    assert read.of_token("one") is None


@given(st.text())
def test_no_token_breaks_the_register(token: str) -> None:
    assert register({"token_sha256": HASH}).of_token(token) is None or token == "one"


def test_a_token_that_is_no_text_is_nobodys() -> None:
    assert register({"token_sha256": HASH}).of_token("\ud800") is None


def test_half_a_range_is_open_at_the_other_end() -> None:
    first, last = register(
        {"subscriber_first": "5"}, {"source": "b", "subscriber_last": "5"}
    ).grants

    assert (first.subscriber_first, first.subscriber_last) == (5, KEY_MAX)
    assert (last.subscriber_first, last.subscriber_last) == (0, 5)
    assert first.bounds_rows
    assert last.bounds_rows


def test_codes_with_spaces_are_separated_by_semicolons_and_compared_in_nfc() -> None:
    (grant,) = register({"sites": "Bản Máy; Ba\u0300"}).grants

    assert grant.sites == ("Bản Máy", "B\u00e0")


WRONG: list[tuple[dict[str, str], str, str]] = [
    ({"source": "probe 7"}, "source", "expected 1 to 64 characters"),
    ({"operator": ""}, "operator", "expected 1 to 64 characters"),
    ({"token_sha256": "secret"}, "token_sha256", "64 hexadecimal digits"),
    ({"token_sha256": f"{HASH} {HASH}"}, "token_sha256", "one hash twice"),
    ({"token_sha256": f"{HASH} {OTHER_HASH} {HASH}"}, "token_sha256", "3 hashes"),
    ({"certificate_sha256": HASH[:-1]}, "certificate_sha256", "64 hexadecimal digits"),
    ({"token_sha256": hashlib.sha256().hexdigest()}, "token_sha256", "SHA-256 of nothing"),
    ({"topics": "phusong/v1/mobifone/#"}, "topics", "within phusong/v1/viettel/"),
    ({"topics": "phusong/v1/+/a/batch"}, "topics", "within phusong/v1/viettel/"),
    ({"topics": "#"}, "topics", "within phusong/v1/viettel/"),
    ({"topics": "phusong/v1/viettel"}, "topics", "within phusong/v1/viettel/"),
    ({"topics": "phusong/v1/viettel-2/#"}, "topics", "within phusong/v1/viettel/"),
    ({"topics": "phusong/v1/viettel/a"}, "topics", "matches no topic of batches"),
    ({"topics": "phusong/v1/viettel/decisions"}, "topics", "matches no topic of batches"),
    ({"topics": "phusong/v1/viettel/a/batch/xml"}, "topics", "matches no topic of batches"),
    ({"topics": "phusong/v1/viettel/A/#"}, "topics", "'A' is no source"),
    ({"topics": "phusong/v1/viettel//batch"}, "topics", "'' is no source"),
    ({"topics": "phusong/v1/viettel/a+/#"}, "topics", "whole levels"),
    ({"topics": "phusong/v1/viettel/#/batch"}, "topics", "stands last"),
    ({"row_kinds": "usage cell"}, "row_kinds", "expected signal, usage, cells"),
    ({"subscriber_first": "0x1_0"}, "subscriber_first", "64 bits"),
    ({"subscriber_first": "18446744073709551616"}, "subscriber_first", "64 bits"),
    ({"subscriber_last": "-9223372036854775809"}, "subscriber_last", "64 bits"),
    ({"subscriber_first": "10", "subscriber_last": "9"}, "subscriber_last", "lower than"),
]


@pytest.mark.parametrize(("line", "column", "message"), WRONG)
def test_what_is_wrong_is_named_with_line_column_and_what_was_expected(
    line: dict[str, str], column: str, message: str
) -> None:
    found = errors({"source": "sound"}, line)

    assert [(error.line, error.column) for error in found] == [(3, column)]
    assert message in found[0].message


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ({"source": "a"}, "source"),
        ({"source": "b", "token_sha256": HASH}, "token_sha256"),
        ({"source": "b", "certificate_sha256": HASH}, "certificate_sha256"),
    ],
)
def test_what_may_stand_once_names_the_line_it_stands_on_already(
    line: dict[str, str], column: str
) -> None:
    first = {"token_sha256": HASH, "certificate_sha256": HASH}

    found = errors(first, {"source": "c"}, line)

    assert [(error.line, error.column) for error in found] == [(4, column)]
    assert "stands on line 2" in found[0].message


def test_no_error_repeats_what_may_be_a_secret() -> None:
    assert "s3cr3t" not in errors({"token_sha256": "s3cr3t"})[0].message
    assert HASH not in errors({"token_sha256": HASH}, {"source": "b", "token_sha256": HASH})[0][2]


def test_every_error_of_a_line_is_named() -> None:
    found = errors({"row_kinds": "x", "sites": "HN-1", "subscriber_first": "y"})

    assert {error.column for error in found} == {"row_kinds", "subscriber_first"}


def test_a_quoted_field_over_two_lines_does_not_shift_the_count() -> None:
    found = read_sources(b'source,operator,sites\na,viettel,"A\nB"\nb c,viettel,\n')

    assert isinstance(found, list)
    assert [error.line for error in found] == [4]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"src,operator\n", 1, "column missing"),
        (b"", 1, "found nothing"),
        (b"source,operator,tokn_sha256\na,b,c\n", 1, "unknown column"),
        (b"source,operator,source\na,b,a\n", 1, "given twice"),
        (b"source,operator,sites\na,b,c,d\n", 2, "4 fields; expected 3"),
        (b"source,operator\na\n", 2, "1 fields; expected 2"),
        (b'source,operator\na,"b\n', 2, "not CSV"),
        ("source,operator\né,b\n".encode("latin-1"), 2, "not UTF-8"),
    ],
)
def test_a_file_that_is_no_register_says_why(content: bytes, line: int, message: str) -> None:
    found = read_sources(content)

    assert isinstance(found, list)
    assert found[0].line == line
    assert message in found[0].message


def test_a_missing_column_names_what_was_found() -> None:
    found = read_sources(b"src,operator\n")

    assert isinstance(found, list)
    assert found[0].column == "source"
    assert "src, operator" in found[0].message


def test_a_hopeless_file_is_not_read_to_its_end() -> None:
    found = read_sources(b"source,operator\n" + b"A B,x\n" * (3 * ERROR_COUNT_MAX))

    assert isinstance(found, list)
    assert len(found) == ERROR_COUNT_MAX


@pytest.mark.parametrize(
    "content",
    [
        b"source,operator\na,viettel\na,viettel\n",
        b"source,operator,note\na,viettel,ours\n",
        b"source,operator\na,viettel,ours\n",
        b'source,operator,note\na,viettel,"ours" and theirs\n',
    ],
)
def test_what_was_journalled_before_there_were_credentials_means_what_it_meant(
    content: bytes,
) -> None:
    read = read_sources(content, is_journalled=True)

    assert isinstance(read, SourceRegister)
    assert read.knows("viettel", "a")
    assert isinstance(read_sources(content), list)


def test_thousands_of_sources_are_all_found() -> None:
    lines: list[dict[str, Any]] = [
        {"source": f"s{n}", "token_sha256": hashlib.sha256(b"%d" % n).hexdigest(), "sites": f"S{n}"}
        for n in range(2_000)
    ]

    read = register(*lines)

    for n in (0, 999, 1_999):
        grant = read.of_token(str(n))
        assert grant is not None
        assert grant.source == f"s{n}"
        assert read.bound_of(grant.principal) == n + 1
