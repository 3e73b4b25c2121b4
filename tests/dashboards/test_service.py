"""The service as one thing, as far as it needs no process of its own; the rest is in tests/end_to_end."""

from phusong.dashboards.service import _size_bytes


def test_a_file_that_goes_while_a_scrape_counts_bytes_is_none_of_them(tmp_path):
    (tmp_path / "segment-00000001.sqlite").write_bytes(bytes(7))

    assert _size_bytes(tmp_path / "segment-00000001.sqlite") == 7
    assert _size_bytes(tmp_path / "segment-00000001.sqlite-wal") == 0
