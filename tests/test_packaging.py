"""The wheel: holds `phusong` and nothing else, and runs in an empty environment."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULE_COUNT_MIN = 200
DATA_FILES = {
    "phusong/v1/telemetry.proto",
    "phusong/v1/ingest.proto",
    "phusong/v1/py.typed",
    "phusong/verifier/coverage/plan3667-mobile-internet.toml",
    "phusong/dashboards/demo/provinces.csv",
    "phusong/dashboards/prometheus/phusong.rules.yml",
    "phusong/dashboards/prometheus/prometheus-tls.yml",
    "phusong/dashboards/grafana/phusong-quota.json",
    "phusong/dashboards/grafana/provisioning/datasource.yml",
    "phusong/dashboards/systemd/phusong.service",
}
# Comes with the extra `otel`.
OPTIONAL = {"phusong.dashboards.open_telemetry"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build from a copy of what git would ship, so that no build folder is left in the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("collector", "kernels", "verifier", "dashboards", "proto"):
        (source / name).symlink_to(ROOT / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    run(
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder)],
        cwd=source,
    )
    (built,) = folder.glob("*.whl")
    return built


def run(command: list[str], cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_phusong_and_nothing_else_at_top_level(wheel) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"phusong"}
    assert "phusong/__init__.py" not in names


def test_the_wheel_holds_the_data_its_code_reads(wheel) -> None:
    assert set(zipfile.ZipFile(wheel).namelist()) >= DATA_FILES


@pytest.fixture(scope="module")
def binaries(wheel, tmp_path_factory) -> Path:
    """Install the wheel with what it asks for, and nothing of what tests and benchmarks bring."""
    tmp_path = tmp_path_factory.mktemp("install")
    environment = tmp_path / "empty"
    uv = str(Path(sys.executable).with_name("uv"))
    python = str(environment / "bin" / "python")
    run([uv, "venv", "--quiet", "--python", sys.executable, str(environment)], cwd=tmp_path)
    install = [uv, "pip", "install", "--quiet", "--python", python]
    # The lock holds what tests need too; only what the wheel asks for is taken from it, hashes checked.
    run([*install, "--constraints", str(ROOT / "requirements.lock"), str(wheel)], cwd=tmp_path)
    return environment / "bin"


def test_the_wheel_runs_in_an_empty_environment(binaries, tmp_path) -> None:
    assert "0.1.0" in run([str(binaries / "phusong"), "version"], cwd=tmp_path)


def test_every_module_finds_what_it_imports_in_an_empty_environment(
    wheel, binaries, tmp_path
) -> None:
    files = [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")]
    modules = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in files
    } - OPTIONAL

    imports = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    run([str(binaries / "python"), "-W", "error", "-c", imports, *sorted(modules)], cwd=tmp_path)

    assert len(modules) > MODULE_COUNT_MIN, "the wheel holds the whole product"


def test_without_the_extra_whoever_asks_for_spans_is_told_what_to_install(
    binaries, tmp_path
) -> None:
    asked = os.environ | {"PHUSONG_TRACES_ENDPOINT": "http://127.0.0.1:4317"}
    command = [str(binaries / "phusong"), "serve", "--data", str(tmp_path / "data")]

    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, env=asked, timeout=120
    )

    assert done.returncode == 2
    assert "pip install 'phusong[otel]'" in done.stderr
    assert not (tmp_path / "data").exists()
