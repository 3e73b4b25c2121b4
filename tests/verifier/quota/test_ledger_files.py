"""The ledger on disk: whole or absent, the same to the byte whoever writes it, and only a cache."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from frames import usage_frame

from phusong.verifier.placing import Horizon
from phusong.verifier.quota import ledger_files as files
from phusong.verifier.quota.ledger_files import (
    FOLDER,
    differing_pieces,
    missing_pieces,
    path_of,
    read_index,
)
from phusong.verifier.quota.ledger_pieces import CLOSE_GRACE_MS, SHARD_COUNT
from phusong.verifier.quota.ledger_writer import LedgerWriter
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.registry.entries import RegistryHistory
from phusong.verifier.state import State, new_state
from reference.usage import DAY_MS, HOUR_MS, MIDNIGHT_MS, Usage

NOON_MS = MIDNIGHT_MS + 12 * HOUR_MS
CLOSE_MS = MIDNIGHT_MS + DAY_MS + CLOSE_GRACE_MS
FRAMES = [
    (NOON_MS, [Usage(NOON_MS, down=sim % 1000, sim=sim - 1000) for sim in range(1, 1000)]),
    (CLOSE_MS, [Usage(NOON_MS + 1, down=5000, sim=sim) for sim in (-3, -4)]),
    (CLOSE_MS + DAY_MS, []),
]


def keep(data: Path) -> State:
    state = new_state(RegistryHistory(), Horizon(), QuotaSettings())
    writer = LedgerWriter(data)
    state.ledger.sink = writer
    for number, (time_ms, rows) in enumerate(FRAMES, 1):
        state.apply(usage_frame(number, time_ms, rows))
    writer.drain()
    return state


def content(data: Path) -> dict[str, str]:
    return {
        path.relative_to(data).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((data / FOLDER).rglob("*"))
        if path.is_file()
    }


def test_a_day_lies_in_a_folder_of_its_shards_as_parquet_of_signed_numbers(tmp_path: Path) -> None:
    keep(tmp_path)

    day = tmp_path / "derived" / "ledger" / "day=2021-10-01"
    assert sorted(path.name for path in day.iterdir()) == [f"shard={k}" for k in range(SHARD_COUNT)]
    table = pl.read_parquet(day / "shard=*" / "closing.parquet", hive_partitioning=True)
    assert table["subscriber_key"].dtype == pl.Int64
    assert sorted(table["subscriber_key"].to_list()) == list(range(-999, 0))
    assert table["metered_bytes"].sum() == sum(sim % 1000 for sim in range(1, 1000))
    late = pl.read_parquet(day / "shard=*" / "adjustments-*.parquet")
    assert sorted(late.select("subscriber_key", "metered_bytes", "sequence").rows()) == [
        (-4, 4004, 2),
        (-3, 4003, 2),
    ]


def test_the_index_names_every_file_and_nothing_else(tmp_path: Path) -> None:
    state = keep(tmp_path)

    index = read_index(tmp_path)
    assert index is not None
    assert index.pieces == state.ledger.pieces
    named = {path_of(tmp_path, piece) for piece in index.pieces}
    assert {tmp_path / name for name in content(tmp_path)} == {
        *named,
        tmp_path / FOLDER / "index.json",
    }
    assert differing_pieces(tmp_path, index.pieces) == missing_pieces(tmp_path, index.pieces) == []


def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    keep(tmp_path / "one")
    root = Path(__file__).parents[2]
    code = (
        f"import sys; sys.path[:0] = [{str(root)!r}, {str(Path(__file__).parent)!r}];"
        "from pathlib import Path; import test_ledger_files;"
        f"test_ledger_files.keep(Path({str(tmp_path / 'other')!r}))"
    )

    subprocess.run([sys.executable, "-c", code], check=True)

    assert content(tmp_path / "one") == content(tmp_path / "other")


def stages(monkeypatch: pytest.MonkeyPatch, stop_at: int) -> list[int]:
    """Let the writer get so far: a step is one sync or one rename. Returns the steps, as they are made."""
    steps: list[int] = []

    def counting(function):
        def step(*args, **options):
            steps.append(len(steps))
            if len(steps) > stop_at:
                raise OSError("the disk is gone")
            return function(*args, **options)

        return step

    monkeypatch.setattr(files.os, "fsync", counting(os.fsync))
    monkeypatch.setattr(Path, "replace", counting(Path.replace))
    monkeypatch.setattr(Path, "rename", counting(Path.rename))
    return steps


def test_wherever_writing_stops_a_day_is_whole_or_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path / "whole")
    expected = content(tmp_path / "whole")
    stop_at = 0
    while True:
        data = tmp_path / f"cut-{stop_at}"
        with monkeypatch.context() as cut:
            steps = stages(cut, stop_at)
            keep(data)
        index = read_index(data)
        if index is not None:
            assert differing_pieces(data, index.pieces) == []
            assert missing_pieces(data, index.pieces) == []
        day = data / FOLDER / "day=2021-10-01"
        if day.exists():
            closing = {name: found for name, found in expected.items() if "closing" in name}
            assert closing.items() <= content(data).items()
        # Whoever starts again makes the rest.
        keep(data)
        assert content(data) == expected
        shutil.rmtree(data)
        if len(steps) <= stop_at:
            break
        stop_at += 7


def test_files_that_were_deleted_in_part_are_made_again(tmp_path: Path) -> None:
    keep(tmp_path)
    expected = content(tmp_path)
    shutil.rmtree(tmp_path / FOLDER / "day=2021-10-01" / "shard=3")
    (tmp_path / FOLDER / "index.json").unlink()

    keep(tmp_path)

    assert content(tmp_path) == expected


def test_a_byte_that_was_changed_is_found_out(tmp_path: Path) -> None:
    state = keep(tmp_path)
    piece = state.ledger.pieces[0]
    path = path_of(tmp_path, piece)
    table = pl.read_parquet(path)
    table.with_columns(pl.col("metered_bytes") + 1).write_parquet(path)

    (found,) = differing_pieces(tmp_path, state.ledger.pieces)

    assert found == f"{path}: not the entries that the journal implies"
    path.write_bytes(b"PAR1")
    assert len(differing_pieces(tmp_path, state.ledger.pieces)) == 1


@pytest.mark.parametrize("text", ["", "{}", '{"format": 2}', "[]", '{"format":1,"pieces":3}'])
def test_an_index_that_is_none_counts_as_absent(tmp_path: Path, text: str) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "index.json").write_text(text)

    assert read_index(tmp_path) is None


def test_a_full_disk_ends_no_judging(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "derived").write_text("in the way")

    keep(tmp_path)

    assert "the ledger could not be written" in caplog.text
