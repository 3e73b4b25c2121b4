"""The rules of ARCHITECTURE.md and of DESIGN §3, checked over the syntax trees of all files."""

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {
    "kernels": "phusong.kernels",
    "collector": "phusong.collector",
    "verifier": "phusong.verifier",
    "dashboards": "phusong.dashboards",
    "proto/phusong/v1": "phusong.v1",
}
GENERATED = ("_pb2.py", "_pb2_grpc.py")

# Standard library without a clock, file, socket, log or environment.
PURE = {
    *(
        "__future__",
        "base64",
        "binascii",
        "bisect",
        "collections",
        "csv",
        "dataclasses",
        "enum",
        "functools",
        "hashlib",
        "io",
        "itertools",
    ),
    *("math", "operator", "re", "struct", "typing", "unicodedata"),
}
# jit.py fixes where machine code is kept, which must happen at import: see its comment.
IMPURE_KERNELS = {"kernels/jit.py": {"os", "pathlib"}}

MAY_IMPORT = {
    "kernels": {"phusong.kernels"},
    "collector": {"phusong.collector", "phusong.kernels", "phusong.v1"},
    "verifier": {"phusong.verifier", "phusong.kernels", "phusong.v1"},
    "proto/phusong/v1": {"phusong.v1", "phusong.kernels"},
}

# Each foreign client or server is wrapped in one or two places, so that it can be replaced.
WRAPPED = ("grpc", "aiomqtt", "mqtt5", "prometheus_client")
WRAPPED_FILE_COUNT_MAX = 2

FILE_LINE_COUNT_MAX = 400
FUNCTION_LINE_COUNT_MAX = 80
BANNED_WORDS = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}

# Clocks and the environment belong to entry points; everything else is handed the time.
CLOCKS = {
    "time.time",
    "time.time_ns",
    "datetime.now",
    "datetime.utcnow",
    "date.today",
    "datetime.today",
}
ENVIRONMENT = {"os.environ", "os.getenv", "os.environb"}
CLOCK_ALLOWED = {
    "dashboards/commands": "the command line",
    "collector/intake.py": "the arrival of a payload, where no other clock is given",
    "verifier/process.py": "the entry point of the verifier's own process",
}
ENVIRONMENT_ALLOWED = {
    "dashboards/commands": "the command line",
    "kernels/jit.py": "PHUSONG_KERNEL_CACHE, before the first kernel is compiled",
}


@cache
def product_files() -> list[Path]:
    """Every file of ours that ships."""
    return [
        path
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        if not path.name.endswith(GENERATED)
    ]


def all_files() -> list[Path]:
    """What ships, and the tests and benchmarks."""
    return [*product_files(), *(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").rglob("*.py")]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def files_of(room: str) -> list[Path]:
    return [path for path in product_files() if name_of(path).startswith(f"{room}/")]


def imported(path: Path) -> Iterator[str]:
    """Yield every imported name: `a.b` for `import a.b`, `a.b.c` for `from a.b import c`."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: relative imports hide which room they enter"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def test_kernels_import_nothing_with_a_clock_file_socket_log_or_environment() -> None:
    for path in files_of("kernels"):
        allowed = PURE | {"numpy", "numba", "phusong"} | IMPURE_KERNELS.get(name_of(path), set())
        foreign = {name.split(".")[0] for name in imported(path)} - allowed
        assert not foreign, f"{name_of(path)} imports {foreign}"


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_rooms_meet_only_where_the_design_says(room: str) -> None:
    for path in files_of(room):
        for name in imported(path):
            if is_within(name, "phusong"):
                assert any(is_within(name, module) for module in MAY_IMPORT[room]), (
                    f"{name_of(path)} imports {name}"
                )


@pytest.mark.parametrize("library", WRAPPED)
def test_foreign_clients_and_servers_are_wrapped_in_two_files_at_most(library: str) -> None:
    users = [
        name_of(path)
        for path in product_files()
        if any(is_within(name, library) for name in imported(path))
    ]

    assert len(users) <= WRAPPED_FILE_COUNT_MAX, users


def test_phusong_and_proto_are_namespaces_and_nothing_else() -> None:
    assert not (ROOT / "proto" / "__init__.py").exists()
    assert not (ROOT / "proto" / "phusong" / "__init__.py").exists()
    assert not (ROOT / "__init__.py").exists()


def test_every_module_says_what_it_is_for() -> None:
    # A test's name says what it is for; what ships must say it itself.
    for path in product_files():
        assert ast.get_docstring(tree_of(path)), f"{name_of(path)} has no docstring"


def test_files_fit_into_a_head() -> None:
    for path in all_files():
        count = len(path.read_text(encoding="utf-8").splitlines())
        assert count <= FILE_LINE_COUNT_MAX, f"{name_of(path)} has {count} lines; split it by idea"


def test_functions_fit_on_a_screen() -> None:
    for path in all_files():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                count = node.end_lineno - node.lineno + 1
                assert count <= FUNCTION_LINE_COUNT_MAX, (
                    f"{name_of(path)}: {node.name} has {count} lines"
                )


def test_no_file_is_named_after_nothing() -> None:
    for path in all_files():
        words = {
            word
            for part in path.relative_to(ROOT).parts
            for word in part.removesuffix(".py").split("_")
        }
        assert not words & BANNED_WORDS, name_of(path)


@pytest.mark.parametrize(
    ("names", "allowed"), [(CLOCKS, CLOCK_ALLOWED), (ENVIRONMENT, ENVIRONMENT_ALLOWED)]
)
def test_clocks_and_the_environment_belong_to_entry_points(
    names: set[str], allowed: dict[str, str]
) -> None:
    for path in product_files():
        if any(
            name_of(path) == place or name_of(path).startswith(f"{place}/") for place in allowed
        ):
            continue
        used = names & {dotted(node) for node in ast.walk(tree_of(path))}
        assert not used, f"{name_of(path)} uses {used}; let its caller hand the value in"
        assert not {name for name in imported(path) if name in names}, name_of(path)


def test_every_package_folder_is_in_the_wheel() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(settings["tool"]["setuptools"]["packages"])
    found = {
        ".".join([module, *path.parent.relative_to(ROOT / room).parts])
        for room, module in ROOMS.items()
        for path in (ROOT / room).rglob("*.py")
    }

    assert listed == found


def dotted(node: ast.AST) -> str:
    """Return the last two names of an attribute: `datetime.now` for `datetime.datetime.now`."""
    if not isinstance(node, ast.Attribute):
        return ""
    if isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    if isinstance(node.value, ast.Attribute):
        return f"{node.value.attr}.{node.attr}"
    return ""
