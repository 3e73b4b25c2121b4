"""An evidence pack with a dispute and a ruling inside: recomputed elsewhere, and whatever is changed in it is found."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from in_process import phusong
from signal_frames import reading
from surveys import SITES

from phusong.collector.journal.writer import JournalWriter, NewFrame
from phusong.dashboards.commands.evidence import pack_differences
from phusong.kernels.frame import (
    PayloadKind,
    Route,
    Transport,
    encode_envelope_head,
    encode_route,
)
from phusong.v1.telemetry_pb2 import Batch
from phusong.verifier.disputes.limits import DEFAULT_FILE
from phusong.verifier.evidence.checking import PackDamaged, check_pack
from phusong.verifier.replay import no_progress
from phusong.verifier.signatures import read_public_key

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
AS_OF = "2021-12-31"
DAY_MS, HOUR_MS = 86_400_000, 3_600_000
FIRST_MS = 1_638_320_400_000  # 2021-12-01 08:00 in Vietnam
WHO = ("--name", "Lê Thị Mai", "--role", "auditor", "--text", "Checked.")
VILLAGE = ("--name", "Vàng A Sình", "--role", "village head", "--text", "No signal.")
OPERATOR = ("--name", "Viettel", "--role", "operator", "--text", "Mast 7 was off.")


def walk(latitude_deg: float, longitude_deg: float, accuracy_m: float) -> bytes:
    """Return a batch: every place cell of a footprint of 150 m, by two devices on three days, mornings and afternoons."""
    rows = [
        reading(
            device_key=device,
            observed_time_ms=FIRST_MS + day * DAY_MS + hour * HOUR_MS + (north * 6 + east) * 60_000,
            latitude_deg=latitude_deg + (north - 2.5) * 50 / 111_195,
            longitude_deg=longitude_deg + (east - 2.5) * 50 / (111_195 * 0.9217),
            position_accuracy_m=accuracy_m,
        )
        for day in range(3)
        for hour in (0, 6)
        for device in (10 * int(latitude_deg) + 1, 10 * int(latitude_deg) + 2)
        for north in range(6)
        for east in range(6)
    ]
    return Batch(boot_epoch=1, sequence=1, signal_readings=rows).SerializeToString()


def begin_journal(data: Path) -> None:
    """Write the walks of two sites into one frame, so that the second has not the first number."""
    body = b""
    for number, source in ((1, "other"), (2, "walk")):
        route = Route("viettel", source, "", Transport.IMPORT, PayloadKind.BATCH)
        body += encode_route(number, route)
    for number, payload in ((1, walk(23.36, 105.31, 5)), (2, walk(22.8, 104.98, 900))):
        body += encode_envelope_head(number, len(payload)) + payload
    with JournalWriter(data / "journal") as writer:
        writer.append([NewFrame(FIRST_MS + 4 * DAY_MS, body)])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A data folder and the pack of a site proved by released readings, whose verdict was disputed and conceded."""
    data = tmp_path_factory.mktemp("disputed") / "data"
    data.mkdir()
    begin_journal(data)
    (data / "sites.csv").write_text(SITES, encoding="utf-8")
    phusong("registry", "add", "sites", data / "sites.csv", "--data", data)
    limits = (ROOT / "verifier" / "disputes" / DEFAULT_FILE).read_text(encoding="utf-8")
    (data / "limits.toml").write_text(limits.replace("= 90", "= 36500"), encoding="utf-8")
    phusong("registry", "add", "disputes", data / "limits.toml", "--data", data)
    phusong("ruling", "release", "--site", "HG-1", *WHO, "--data", data)
    filing = ("--site", "HG-1", "--operator", "viettel", "--as-of", AS_OF, "--device", 221)
    ran = phusong("dispute", "file", *filing, *VILLAGE, "--data", data)
    phusong("dispute", "concede", ran.out.split(":")[0], *OPERATOR, "--data", data)
    phusong("dispute", "file", *filing[:-1], 222, *OPERATOR, "--data", data)
    pack = data.parent / "pack"
    phusong("audit", "export", pack, "--site", "HG-1", "--as-of", AS_OF, "--data", data)
    return data, pack


@pytest.fixture
def pack(made: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[1], tmp_path / "pack"))


@pytest.fixture
def key(made: tuple[Path, Path]) -> Path:
    return made[0] / "keys" / "journal.pub"


def verify(pack: Path, key: Path) -> list[str]:
    return pack_differences(check_pack(pack, read_public_key(key), no_progress))


def reseal(pack: Path, change: Callable[[Any], None] = lambda _: None) -> None:
    """Make the manifest fit the files again, as a forger would who has no private key."""
    path = pack / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["files"] = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in pack.iterdir()
        if file != path
    }
    change(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")


def published(pack: Path) -> dict[str, Any]:
    row: dict[str, Any] = json.loads((pack / "coverage.json").read_text("utf-8"))["sites"][0]
    return row


def test_a_pack_with_a_dispute_and_a_ruling_is_recomputed_elsewhere(pack: Path, key: Path) -> None:
    row = published(pack)
    assert (row["verdict"], row["overlay"]) == ("COVERED", "DISPUTED")
    assert [(mark["state"], mark["in_favour_of"]) for mark in row["disputes"]] == [
        ("CONCEDED", "filer"),
        ("OPEN", None),
    ]

    assert verify(pack, key) == []


def test_only_what_bears_on_the_site_is_in_the_pack(
    made: tuple[Path, Path], tmp_path: Path
) -> None:
    data, pack = made
    manifest = json.loads((pack / "manifest.json").read_text("utf-8"))
    # The second of two walks, the sites, the limits, the ruling, three steps of disputes.
    assert [frame["envelopes"] for frame in manifest["frames"]] == [
        [1],
        [0],
        [0],
        [0],
        [0],
        [0],
        [0],
    ]

    other = tmp_path / "other"
    phusong("audit", "export", other, "--site", "HG-2", "--as-of", AS_OF, "--data", data)

    manifest = json.loads((other / "manifest.json").read_text("utf-8"))
    assert [frame["envelopes"] for frame in manifest["frames"]] == [[0], [0], [0]]


def test_a_pack_of_what_was_known_before_says_nothing_of_them(
    made: tuple[Path, Path], tmp_path: Path
) -> None:
    data, _ = made
    lists = phusong("registry", "list", "--data", data).out.splitlines()
    limits_known = lists[1].split("\t")[2].replace("Z", "+00:00")
    pack = tmp_path / "before"

    phusong(
        *("audit", "export", pack, "--site", "HG-1", "--as-of", AS_OF),
        *("--known-at", limits_known, "--data", data),
    )

    assert published(pack)["overlay"] is None
    assert published(pack)["verdict"] == "UNTESTED"
    assert verify(pack, data / "keys" / "journal.pub") == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"overlay": "DISPUTED"', '"overlay": null', "overlay: published None"),
        ('"state": "CONCEDED"', '"state": "WITHDRAWN"', "disputes: published"),
        ('"in_favour_of": "filer"', '"in_favour_of": "respondent"', "disputes: published"),
    ],
)
def test_a_changed_overlay_is_found(old: str, new: str, words: str, pack: Path, key: Path) -> None:
    path = pack / "coverage.json"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    reseal(pack)

    assert any(words in line for line in verify(pack, key))


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (3, "recomputed 'UNTESTED'"),  # the ruling
        (4, "disputes: published"),  # the filing that was conceded
        (5, "disputes: published"),  # … and its end
        (6, "disputes: published"),  # the second filing
    ],
)
def test_an_entry_left_out_is_found(place: int, words: str, pack: Path, key: Path) -> None:
    reseal(pack, lambda manifest: manifest["frames"][place].update(envelopes=[]))

    assert any(words in line for line in verify(pack, key))


@pytest.mark.parametrize("place", [3, 4, 5, 6])
def test_a_changed_entry_is_found(place: int, pack: Path, key: Path) -> None:
    path = pack / "frames.zip"
    with zipfile.ZipFile(path) as archive:
        frames = {name: archive.read(name) for name in archive.namelist()}
    name = sorted(frames)[place]
    frames[name] = frames[name].replace(b"e", b"a", 1)
    with zipfile.ZipFile(path, "w") as archive:
        for each, body in frames.items():
            archive.writestr(each, body)
    reseal(pack)

    with pytest.raises(PackDamaged, match="not in the journal that was signed"):
        verify(pack, key)


@pytest.mark.parametrize("depth", [500, 100_000])
def test_a_report_deeper_than_any_is_damage_and_no_crash(depth: int, pack: Path, key: Path) -> None:
    path = pack / "coverage.json"
    document = path.read_text("utf-8").rstrip().removesuffix("}")
    path.write_text(f'{document}, "more": {"[" * depth}{"]" * depth}}}', "utf-8")
    reseal(pack)

    with pytest.raises(PackDamaged, match=r"coverage\.json"):
        verify(pack, key)
