"""Fuzz one target with coverage guidance: `python tests/fuzz/fuzzing.py TARGET --found FOLDER --runs 1000`.

`TARGET FILE…` runs these inputs once, such as one that failed. Kernels run as plain Python, because coverage does not reach
into machine code; with `--compiled` the seeds and the kept inputs run once with compiled ones. Ends with status 0, or at
the first input that fails.
"""

import argparse
import contextlib
import hashlib
import importlib
import io
import os
import sys
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
# An input larger than this says nothing that a smaller one does not; limits of size have tests of their own.
INPUT_MAX_BYTES = 4096
# Of one input. A kernel in plain Python is a hundred times slower than compiled; a hang is longer than this.
INPUT_TIMEOUT_S = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=sorted(p.stem for p in (FOLDER / "targets").glob("*.py")))
    parser.add_argument("files", nargs="*", help="inputs to run once, such as one that failed")
    parser.add_argument("--runs", type=int, default=-1)
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--compiled", action="store_true", help="known inputs only, no fuzzing")
    parser.add_argument("--found", type=Path, help="where new inputs go, and the one that fails")
    arguments = parser.parse_args()

    sys.path.insert(0, str(ROOT / "tests"))
    module = f"fuzz.targets.{arguments.target}"
    if arguments.compiled:
        run_known(importlib.import_module(module), arguments.target)
        return
    os.environ["NUMBA_DISABLE_JIT"] = "1"  # read when numba is imported
    sys.path.insert(
        0, str(ROOT / ".typing")
    )  # the finder of an editable install leaves nothing to instrument
    import atheris  # noqa: PLC0415 - there are no wheels of it for every machine

    with (
        contextlib.redirect_stderr(io.StringIO()),  # it names every module it instruments
        atheris.instrument_imports(include=["phusong"]),
    ):
        target = importlib.import_module(module)
    mutated = getattr(target, "mutated", None)
    atheris.Setup(fuzzer_arguments(target, arguments), target.one, custom_mutator=mutated)
    atheris.Fuzz()


def run_known(target: ModuleType, name: str) -> None:
    """Run the seeds and what is kept of a target."""
    inputs = [*target.seeds(), *kept(name)]
    for content in inputs:
        target.one(content)
    sys.stdout.write(f"{len(inputs)} inputs\n")
    if hasattr(target, "opened"):
        target.opened.close()


def fuzzer_arguments(target: ModuleType, arguments: argparse.Namespace) -> list[str]:
    """Return what libFuzzer is told."""
    told = [sys.argv[0], f"-max_len={INPUT_MAX_BYTES}", f"-timeout={INPUT_TIMEOUT_S}"]
    if arguments.files:
        return told + arguments.files
    assert arguments.found is not None, "--found FOLDER says where inputs are kept"
    corpus = arguments.found / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for content in (*target.seeds(), *kept(arguments.target)):
        (corpus / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
    told += [str(corpus), f"-seed={arguments.seed}", f"-runs={arguments.runs}"]
    told += [f"-artifact_prefix={arguments.found}/", "-print_final_stats=1"]
    if arguments.seconds:
        told.append(f"-max_total_time={arguments.seconds}")
    return told


def kept(target: str) -> list[bytes]:
    """Return the inputs that failed once, and those that say something the seeds do not."""
    return [path.read_bytes() for path in sorted((FOLDER / "corpus" / target).glob("*"))]


if __name__ == "__main__":
    main()
