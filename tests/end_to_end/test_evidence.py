"""An evidence pack: made here, checked elsewhere with nothing but a public key; whatever is changed in it is found."""

import hashlib
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from surveys import SITES, add_sites, import_survey

from phusong.dashboards.commands.evidence import pack_differences
from phusong.verifier.evidence.checking import PackDamaged, check_pack
from phusong.verifier.replay import no_progress
from phusong.verifier.signatures import read_public_key
from running import phusong

pytestmark = pytest.mark.slow

AS_OF = "2021-12-31"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A data folder with three surveys, and the pack of one covered site."""
    data = tmp_path_factory.mktemp("evidence") / "data"
    data.mkdir()
    add_sites(data)
    import_survey(data, "good", -90, 22.8, 104.98)
    import_survey(data, "elsewhere", -90, 21.0, 105.8)
    import_survey(data, "bad", -130, 23.36, 105.31)
    pack = data.parent / "pack"
    phusong("audit", "export", pack, "--site", "HG-1", "--as-of", AS_OF, "--data", data)
    return data, pack


@pytest.fixture
def pack(made: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy of the pack, alone in its folder, to be damaged."""
    return Path(shutil.copytree(made[1], tmp_path / "pack"))


@pytest.fixture
def key(made: tuple[Path, Path]) -> Path:
    return made[0] / "keys" / "journal.pub"


def verify(pack: Path, key: Path) -> list[str]:
    """Return what `phusong audit verify` finds different, within this process: it is asked often."""
    return pack_differences(check_pack(pack, read_public_key(key), no_progress))


def damage(pack: Path, key: Path) -> str:
    with pytest.raises(PackDamaged) as caught:
        verify(pack, key)
    return str(caught.value)


def reseal(pack: Path, change: Callable[[dict[str, object]], None] = lambda _: None) -> None:
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


def test_a_pack_is_recomputed_elsewhere_with_only_the_public_key(pack: Path, key: Path) -> None:
    published = json.loads((pack / "coverage.json").read_text(encoding="utf-8"))
    assert {row["site_code"]: row["verdict"] for row in published["sites"]} == {"HG-1": "COVERED"}

    ran = phusong("audit", "verify", pack, "--public-key", key)

    assert "1 recomputed from these frames alone, all equal" in ran.out


def test_the_command_says_what_is_damaged_and_what_differs(pack: Path, key: Path) -> None:
    command = ("audit", "verify", pack, "--public-key", key)
    path = pack / "coverage.json"
    path.write_text(path.read_text("utf-8").replace('"share": 1.0', '"share": 0.5'), "utf-8")

    assert "damaged: coverage.json: changed" in phusong(*command, status=1).err

    reseal(pack)
    assert "share: published 0.5, recomputed 1.0" in phusong(*command, status=3).out


def test_a_pack_holds_the_readings_of_its_site_and_no_others(pack: Path) -> None:
    readings = pl.read_parquet(pack / "readings.parquet")

    # Of 432 readings on a square of 300 m, those whose place cell lies in the circle of 150 m.
    assert 0 < readings.height <= 432
    assert readings["latitude_deg"].is_between(22.79, 22.81).all()
    assert set(readings["became"]) == {"TAKEN"}
    assert len(zipfile.ZipFile(pack / "frames.zip").namelist()) == 2  # the sites, the survey


def test_a_pack_of_a_list_holds_all_its_sites(made: tuple[Path, Path], tmp_path: Path) -> None:
    data, _ = made
    pack = tmp_path / "list"

    phusong("audit", "export", pack, "--list", "1910", "--as-of", AS_OF, "--data", data)

    checked = check_pack(pack, read_public_key(data / "keys" / "journal.pub"), no_progress)
    assert [row["operator"] for row in checked.published["sites"]] == ["viettel", "vinaphone"]
    assert not pack_differences(checked)


def test_the_same_evidence_is_the_same_bytes(made: tuple[Path, Path], tmp_path: Path) -> None:
    data, _ = made
    command = ("--site", "HG-1", "--as-of", AS_OF, "--known-at", "2100-01-01", "--data", data)
    one, two = (
        phusong("audit", "export", tmp_path / name, *command).out.splitlines()[-1]
        for name in ("one", "two")
    )

    assert one == two
    assert "check code" in one


def test_any_flipped_bit_is_found(pack: Path, key: Path, made: tuple[Path, Path]) -> None:
    rng = random.Random(2021)
    for name in ("frames.zip", "coverage.json", "readings.parquet", "README.txt", "journal.pub"):
        path = pack / name
        content = bytearray(path.read_bytes())
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)

        assert f"{name}: changed" in damage(pack, key)

        path.write_bytes((made[1] / name).read_bytes())
    assert not verify(pack, key)


def test_a_changed_frame_is_found_though_the_manifest_fits(pack: Path, key: Path) -> None:
    with zipfile.ZipFile(pack / "frames.zip") as archive:
        frames = {name: archive.read(name) for name in archive.namelist()}
    last = max(frames)
    frames[last] = frames[last][:-1] + bytes([frames[last][-1] ^ 1])
    with zipfile.ZipFile(pack / "frames.zip", "w") as archive:
        for name, body in frames.items():
            archive.writestr(name, body)
    reseal(pack)

    assert "not in the journal that was signed" in damage(pack, key)


def test_evidence_left_out_changes_the_verdict(pack: Path, key: Path) -> None:
    def leave_out(manifest: dict[str, object]) -> None:
        frames = manifest["frames"]
        assert isinstance(frames, list)
        frames[-1]["envelopes"] = frames[-1]["envelopes"][:0]

    reseal(pack, leave_out)

    assert any("published 'COVERED', recomputed 'UNTESTED'" in line for line in verify(pack, key))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["frames"][-1].update(received_time_ms=1), "not in the journal"),
        (lambda m: m["frames"][-1].update(proof=[]), "not in the journal"),
        (lambda m: m["frames"].reverse(), "in order"),
        (lambda m: m["frames"][-1].update(envelopes=[10**6]), "its envelopes are 0 to"),
        (lambda m: m.update(head=m["head"].replace("time 2", "time 1")), "signature"),
        (lambda m: m.update(as_of="2021-12-30T16:59:59.999Z"), "as_of"),
        (lambda m: m.update(sites=["HG-2"]), "sites"),
        (lambda m: m.update(format="other"), "format"),
        (lambda m: m.pop("policy"), "policy"),
        (lambda m: m["files"].pop("README.txt"), "does not name README.txt"),
        (lambda m: m["files"].update({"../x": "0" * 64}), "no file of a pack"),
    ],
)
def test_a_changed_manifest_is_found(
    change: Callable[[dict[str, object]], None], words: str, pack: Path, key: Path
) -> None:
    reseal(pack, change)

    assert words in damage(pack, key)


def test_a_file_that_is_gone_or_too_many_is_found(pack: Path, key: Path) -> None:
    (pack / "extra.txt").write_text("")
    assert "extra.txt: no file of a pack" in damage(pack, key)
    (pack / "extra.txt").unlink()
    (pack / "frames.zip").unlink()

    assert "frames.zip: missing" in damage(pack, key)


def test_another_journals_key_does_not_fit(pack: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    file = other / "sites.csv"
    file.write_text(SITES)
    phusong("registry", "add", "sites", file, "--data", other)

    assert "another key" in damage(pack, other / "keys" / "journal.pub")


def test_a_site_that_nobody_registered_has_no_pack(made: tuple[Path, Path], tmp_path: Path) -> None:
    command = ("audit", "export", tmp_path / "p", "--site", "XX", "--data", made[0])

    assert "no site 'XX' is registered" in phusong(*command, status=2).err
    assert not (tmp_path / "p").exists()
