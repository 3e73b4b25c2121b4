import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phusong.collector.importing import reading
from phusong.collector.importing.options import ImportFailed, ImportRefused
from phusong.collector.importing.reading import boot_epoch_of, content_digest, read_lines


def write(folder, content, name="file.csv"):
    path = folder / name
    path.write_bytes(content)
    return path


def lines(path):
    return [
        (number, text)
        for chunk in read_lines(path)
        for number, text in zip(chunk.number, chunk.text, strict=True)
    ]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_end_as_any_system_ends_them(tmp_path, end):
    path = write(tmp_path, end.join([b"a", b"b", b"", b"c"]))

    assert lines(path) == [(1, "a"), (2, "b"), (4, "c")]


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path):
    assert lines(write(tmp_path, b"\xef\xbb\xbfa\nb")) == [(1, "a"), (2, "b")]


def test_utf_16_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(ImportRefused, match="CSV UTF-8"):
        lines(write(tmp_path, "a\nb".encode("utf-16")))


def test_bytes_that_are_not_utf_8_cost_nothing_but_their_letter(tmp_path):
    assert lines(write(tmp_path, b"a\n\xe9,b\n")) == [(1, "a"), (2, "�,b")]


def test_a_line_that_is_too_long_is_named_and_the_rest_is_read(tmp_path):
    long = b"x" * (reading.LINE_MAX_BYTES + 1)

    chunks = list(read_lines(write(tmp_path, b"a\n" + long + b"\nb\n")))

    assert [number for chunk in chunks for number in chunk.too_long] == [2]
    assert [text for chunk in chunks for text in chunk.text] == ["a", "b"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.binary(max_size=9).map(lambda b: b.translate(None, b"\r\n")), max_size=30),
    st.integers(1, 20),
    st.integers(1, 8),
)
def test_a_file_may_be_cut_into_chunks_anywhere(tmp_path, parts, chunk_bytes, line_max):
    path = write(tmp_path, b"header\n" + b"\n".join(parts))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "CHUNK_BYTES", chunk_bytes)
        patch.setattr(reading, "LINE_MAX_BYTES", line_max)
        chunks = list(read_lines(path))

    numbered = list(enumerate([b"header", *parts], 1))
    assert [n for chunk in chunks for n in chunk.too_long] == [
        n for n, line in numbered if len(line) > line_max
    ]
    assert [n for chunk in chunks for n in chunk.number] == [
        n for n, line in numbered if 0 < len(line) <= line_max and not line.isspace()
    ]
    assert sum(chunk.read_bytes for chunk in chunks) == path.stat().st_size


def test_a_packed_file_is_the_file(tmp_path):
    plain = write(tmp_path, b"a\nb\n")
    packed = write(tmp_path, gzip.compress(b"a\nb\n"), "file.csv.gz")

    assert lines(packed) == lines(plain)
    assert content_digest(packed) == content_digest(plain)


@pytest.mark.parametrize("keep", [10, 25, -4])
def test_a_packed_file_that_was_cut_off_fails_before_any_row_is_taken(tmp_path, keep):
    packed = gzip.compress(b"a,b\n" * 1000)

    with pytest.raises(ImportFailed, match="to its end"):
        content_digest(write(tmp_path, packed[:keep]))


def test_the_identity_of_a_file_is_positive_and_never_zero():
    assert boot_epoch_of(bytes(32)) == 1
    assert boot_epoch_of(b"\xff" * 32) == 2**63 - 1
