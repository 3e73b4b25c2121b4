"""Old frames go once what proves them lies elsewhere; what they implied stays, and what cannot be asked any more is said."""

import json
import shutil
from pathlib import Path

import pytest
from journals import segmented_journal

from running import phusong, serving

pytestmark = pytest.mark.slow
SITES = """site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m
HG-1,Bản Máy,02,283,viettel,centre,22.8000,104.9800,150
"""
DAY = ("--day", "2021-10-01")


def quota(data: Path, *arguments: object) -> dict[str, object]:
    document = phusong("quota", *DAY, "--data", data, "--format", "json", *arguments).document
    return {name: document[name] for name in ("sims", "readings", "totals") if name in document}


def pruned(data: Path, *arguments: object) -> None:
    phusong("journal", "export-checkpoints", data.parent / f"{data.name}-elsewhere", "--data", data)
    phusong("journal", "prune", "--keep-days", 0, "--yes", "--data", data, *arguments)


def sealed(data: Path) -> list[Path]:
    return sorted((data / "journal").glob("*.zst"))


@pytest.fixture
def filled(data: Path) -> Path:
    (data / "sites.csv").write_text(SITES)
    segmented_journal(data, 4, SITES)
    return data


def test_nothing_is_deleted_that_was_not_exported_or_without_yes(filled: Path) -> None:
    before = sealed(filled)
    refused = phusong("journal", "prune", "--keep-days", 0, "--yes", "--data", filled, status=1)
    assert "its checkpoint was not exported" in refused.out
    inside = phusong("journal", "export-checkpoints", filled / "x", "--data", filled, status=2)
    assert "inside the data folder" in inside.err
    elsewhere = filled.parent / f"{filled.name}-elsewhere"
    phusong("journal", "export-checkpoints", elsewhere, "--data", filled)
    listed = phusong("journal", "prune", "--keep-days", 0, "--data", filled)
    assert "segment 1\tsequence 1 to" in listed.out
    assert "Give --yes" in listed.err
    young = phusong("journal", "prune", "--before", "2021-10-01", "--yes", "--data", filled)
    assert "it was sealed at" in young.out
    assert sealed(filled) == before
    names = {path.name for path in elsewhere.iterdir()}
    assert {"journal.pub", "segment-00000001.note"} <= names
    assert any(name.startswith("heads-") for name in names)


def test_every_answer_stays_and_repeats_are_known_over_pruned_frames(filled: Path) -> None:
    shutil.copytree(filled, filled.parent / f"{filled.name}-whole")
    expected = quota(filled)
    gone = sealed(filled)
    copies = filled.parent / f"{filled.name}-copies"
    copies.mkdir()
    for path in gone:
        shutil.copy(path, copies)

    pruned(filled)

    assert sealed(filled) == []
    assert quota(filled) == expected
    for cache in ("snapshot", "journal/collector-memory.cache"):
        path = filled / cache
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    assert quota(filled) == expected
    with serving(filled) as served:
        assert served.stop() == 0
    segmented_journal(filled, 2)  # batches 5 and 6, after a start without any cache
    whole = filled.parent / f"{filled.name}-whole"
    segmented_journal(whole, 2)
    assert quota(filled) == quota(whole)

    stat = phusong("journal", "stat", "--data", filled, "--format", "json").document
    assert (stat["gone_sequence"], stat["damaged"]) == (4, [])
    assert (
        stat["taken"]
        == phusong("journal", "stat", "--data", whole, "--format", "json").document["taken"]
    )
    verified = phusong("audit", "verify", filled, "--checkpoints", filled / "checkpoints")
    assert "sequence 1 to 4 are gone since" in verified.out
    assert "the signed closing state" in verified.out
    assert "not checked: the frames 1 to 4" in verified.err
    assert "were pruned" in phusong("journal", "quarantine", "--data", filled).err
    assert "were pruned" in phusong("journal", "verify", "--data", filled).err
    assert "sites.csv" in phusong("registry", "list", "--data", filled).out

    early = phusong("quota", *DAY, "--as-of", "2021-09-30", "--data", filled, status=1)
    assert "were pruned on" in early.err
    assert "journal restore" in early.err
    known = phusong("quota", *DAY, "--known-at", "2021-09-30", "--data", filled, status=1)
    assert "--known-at lies before" in known.err
    policy = phusong("registry", "add", "sites", filled / "sites.csv", "--data", filled, status=1)
    assert "judged again" in policy.err

    pruned(filled)  # once more, from a closing state on
    assert quota(filled) == quota(whole)
    assert (
        phusong("journal", "stat", "--data", filled, "--format", "json").document["gone_sequence"]
        > 4
    )
    phusong("audit", "verify", filled)


def test_copies_put_back_make_the_journal_whole_again(filled: Path) -> None:
    copies = filled.parent / f"{filled.name}-copies"
    copies.mkdir()
    for path in sealed(filled):
        shutil.copy(path, copies)
    expected = quota(filled)
    pruned(filled)
    oldest, *others = sorted(copies.iterdir())
    refused = phusong("journal", "restore", oldest, "--data", filled, status=1)
    assert "segment 2 was pruned and is not there" in refused.err
    phusong("journal", "restore", others.pop(), "--data", filled)
    shutil.rmtree(filled / "snapshot", ignore_errors=True)
    assert quota(filled) == expected  # no hole meanwhile
    for copy in (*reversed(others), oldest):
        phusong("journal", "restore", copy, "--data", filled)

    stat = phusong("journal", "stat", "--data", filled, "--format", "json").document
    assert (stat["gone_sequence"], stat["damaged"]) == (0, [])
    assert "the journal alone" in phusong("audit", "verify", filled).out
    early = quota(filled, "--as-of", "2021-09-30")
    assert early != quota(filled)


def test_pruned_readings_are_judged_by_the_lists_that_came_after_them(data: Path) -> None:
    segmented_journal(data, 2, SITES)
    phusong("journal", "export-checkpoints", data.parent / f"{data.name}-elsewhere", "--data", data)
    segmented_journal(data, 2, SITES.replace(",150", ",300"))
    expected = quota(data)
    with serving(data) as served:
        assert served.stop() == 0  # leaves a snapshot, which says by what quota

    small = data.parent / f"{data.name}.toml"
    small.write_text("quota_bytes = 1000\n")
    other = phusong(
        "journal", "prune", "--keep-days", 0, "--yes", "--data", data, "-c", small, status=2
    )
    assert "with another quota" in other.err
    ran = phusong("journal", "prune", "--keep-days", 0, "--yes", "--data", data)
    assert "gone: sequence 1 to 2" in ran.out

    shutil.rmtree(data / "snapshot")
    assert quota(data) == expected


def test_falsified_closings_are_found(filled: Path) -> None:
    pruned(filled)
    (notes,) = (filled / "journal").glob("closing-*.notes")
    state = notes.with_suffix(".state")
    content = state.read_bytes()
    state.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    shutil.rmtree(filled / "snapshot", ignore_errors=True)
    assert "not the state that was signed" in phusong("quota", *DAY, "--data", filled, status=1).err
    state.write_bytes(content)
    text = notes.read_text()
    notes.write_text(text.replace("software phusong", "software another"))
    assert "signature" in phusong("audit", "verify", filled, status=1).out
    notes.write_text(text)
    (filled / "journal" / "segment-00000002.note").unlink()
    ran = phusong("audit", "verify", filled, status=1)
    assert "segment-00000002.note, of pruned frames" in ran.out
    notes.unlink()
    assert (
        "nothing signed stands for them" in phusong("quota", *DAY, "--data", filled, status=1).err
    )
    assert json.loads((filled / "checkpoints" / "exported.json").read_text())["segments"]
