"""The form of what a service says on stderr."""

import io
import json
import logging
import subprocess
import sys
import warnings

import pytest

from phusong.dashboards.log_lines import (
    LINES_PER_S_MAX,
    Damper,
    HumanLines,
    JsonLines,
    LogFormat,
    LogLevel,
    LogOptions,
    open_log,
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def record(message="m", *arguments, level=logging.INFO, created=1_637_611_200.25, **extra):
    made = logging.makeLogRecord({"msg": message, "args": arguments, **extra})
    made.levelno, made.levelname, made.created = level, logging.getLevelName(level), created
    return made


@pytest.fixture
def restored_log():
    """The log of the tests themselves, as it was."""
    root, ours = logging.getLogger(), logging.getLogger("phusong")
    handlers, levels, hook = root.handlers[:], (root.level, ours.level), sys.excepthook
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    logging.captureWarnings(capture=False)
    sys.excepthook = hook


def test_a_line_has_time_level_event_message_and_the_fields_of_its_event():
    line = JsonLines().format(
        record("%s is lost", "b", level=logging.WARNING, event="broker_lost", trace_id="4b", x=None)
    )

    assert json.loads(line) == {
        "time": "2021-11-22T20:00:00.250Z",
        "level": "warning",
        "event": "broker_lost",
        "message": "b is lost",
        "trace_id": "4b",
    }


@pytest.mark.parametrize("text", ['"', "\n", "\x1b[31m", "\x00", "\ud800", "Đà Nẵng", "{}%s"])
def test_whatever_a_stranger_says_stays_inside_one_line(text):
    line = JsonLines().format(
        record("client %r: %s", text, text, event="client_ended", reason=text)
    )

    assert len(line.splitlines()) == 1
    assert line.isprintable() or "\ud800" in line
    assert json.loads(line)["reason"] == text


def test_a_library_that_names_no_event_is_named_itself():
    line = json.loads(JsonLines().format(record("boo", name="asyncio")))

    assert (line["event"], line["logger"]) == ("library", "asyncio")


def test_what_is_no_json_is_written_as_text(tmp_path):
    assert json.loads(JsonLines().format(record(event="e", folder=tmp_path)))["folder"] == str(
        tmp_path
    )


def test_people_read_a_sentence_with_its_level_where_they_should_look_and_its_trace():
    lines = [
        HumanLines().format(line)
        for line in (
            record("started", event="started"),
            record("low", level=logging.ERROR, event="disk_low"),
            record("no", level=logging.WARNING, event="batch_refused", trace_id="4bf9"),
        )
    ]

    assert lines == [
        "phusong: started",
        "phusong: error: low",
        "phusong: warning: no [trace 4bf9]",
    ]


def test_a_flood_of_one_event_is_held_back_and_counted_and_drowns_no_other():
    damper = Damper()
    flood = [record(event="client_ended") for _ in range(LINES_PER_S_MAX + 7)]

    passed = [damper.filter(line) for line in flood]
    other = damper.filter(record(event="disk_low"))
    later = record(event="client_ended", created=flood[0].created + 1)

    assert passed == [True] * LINES_PER_S_MAX + [False] * 7
    assert other
    assert damper.filter(later)
    assert later.left_out == 7
    assert "7 such lines before this were left out" in HumanLines().format(later)


@pytest.mark.parametrize(
    ("chosen", "stream", "is_json"),
    [
        (LogFormat.AUTO, io.StringIO, True),
        (LogFormat.AUTO, Terminal, False),
        (LogFormat.JSON, Terminal, True),
        (LogFormat.HUMAN, io.StringIO, False),
    ],
)
def test_the_form_is_json_unless_a_person_looks_or_it_was_chosen(
    chosen, stream, is_json, restored_log
):
    out = stream()
    open_log(LogOptions(chosen), out)

    logging.getLogger("phusong.test").info("hello", extra={"event": "started"})

    assert out.getvalue().startswith("{" if is_json else "phusong: hello")


def test_the_level_is_of_our_lines_and_of_libraries_only_what_is_wrong_is_said(restored_log):
    out = io.StringIO()
    open_log(LogOptions(LogFormat.JSON, LogLevel.DEBUG), out)

    for name in ("phusong.test", "numba.core"):
        logging.getLogger(name).debug("a detail of %s", name)
        logging.getLogger(name).warning("a fault of %s", name)

    said = [json.loads(line)["message"] for line in out.getvalue().splitlines()]
    assert said == ["a detail of phusong.test", "a fault of phusong.test", "a fault of numba.core"]


def test_a_warning_of_python_is_a_line_too(restored_log):
    out = io.StringIO()
    open_log(LogOptions(LogFormat.JSON), out)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", stacklevel=1)
        logging.captureWarnings(capture=False)

    assert "old" in json.loads(out.getvalue())["message"]


@pytest.mark.parametrize(
    "death",
    [
        "1 / 0",
        "import threading; t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join(); exit(1)",
    ],
)
def test_a_bug_ends_in_one_line_with_its_traceback(death):
    code = f"from phusong.dashboards.log_lines import *; open_log(LogOptions())\n{death}"

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )

    (line,) = map(json.loads, done.stderr.splitlines())
    assert done.returncode == 1
    assert (line["level"], line["event"]) == ("critical", "crashed")
    assert "ZeroDivisionError" in line["traceback"]
