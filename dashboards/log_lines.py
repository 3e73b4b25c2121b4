"""What a running service says on stderr: one line an event, JSON where a program reads it, words where a person does.

Every room logs with the standard library: a sentence for people, and in `extra` the name of the event and its fields.
Nothing here is said per reading, and nothing a stranger does makes more than a bounded number of lines.
"""

import json
import logging
import sys
import threading
from collections import Counter
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Any, NamedTuple, TextIO

# Strangers and devices can cause lines; more of one event than this a second nobody reads. What else happens is not drowned.
LINES_PER_S_MAX = 20
OURS = "phusong"
# Lines of libraries that name no event.
FOREIGN = "library"
# What a record has besides the fields of its event.
OWN_KEYS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LogFormat(StrEnum):
    """How lines are written."""

    AUTO = "auto"  # human on a terminal, else JSON
    JSON = "json"
    HUMAN = "human"


class LogLevel(StrEnum):
    """The least of what is written of ours; of libraries it is warnings."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        """The level as the standard library counts."""
        return int(getattr(logging, self.name))


class LogOptions(NamedTuple):
    """What is written, and how."""

    format: LogFormat = LogFormat.AUTO
    level: LogLevel = LogLevel.INFO


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, event, message, then the fields of the event."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a line; what is no JSON becomes text."""
        line: dict[str, Any] = {
            "time": _time_text(record.created),
            "level": record.levelname.lower(),
            "event": _event(record),
            "message": record.getMessage(),
        }
        if line["event"] == FOREIGN:
            line["logger"] = record.name
        line |= fields_of(record)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class HumanLines(logging.Formatter):
    """One sentence a line, as commands say things."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a line; the level is said where somebody should look."""
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        trace = getattr(record, "trace_id", None)
        text = f"phusong: {level}{record.getMessage()}{f' [trace {trace}]' if trace else ''}"
        left_out = getattr(record, "left_out", 0)
        text += f" ({left_out} such lines before this were left out)" if left_out else ""
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class Damper(logging.Filter):
    """Lets so many lines of an event through a second; the next one says how many were held back."""

    def __init__(self) -> None:
        """Start with nothing held back."""
        super().__init__()
        self._second = 0
        self._count: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line is written."""
        if int(record.created) != self._second:
            self._second = int(record.created)
            self._count.clear()
        event = _event(record)
        self._count[event] += 1
        if self._count[event] > LINES_PER_S_MAX:
            self._left_out[event] += 1
            return False
        if left_out := self._left_out.pop(event, 0):
            record.left_out = left_out
        return True


def open_log(options: LogOptions, stream: TextIO | None = None) -> None:
    """Write everything this process logs, warns of and dies of to `stream` (stderr), in one form."""
    stream = sys.stderr if stream is None else stream
    is_human = options.format is LogFormat.HUMAN or (
        options.format is LogFormat.AUTO and stream.isatty()
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(HumanLines() if is_human else JsonLines())
    handler.addFilter(Damper())
    # Of libraries only what is wrong: below that they tell of their own insides, the compiler of kernels line by line.
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(OURS).setLevel(options.level.number)
    logging.captureWarnings(capture=True)
    sys.excepthook = log_death
    threading.excepthook = lambda died: log_death(
        died.exc_type, died.exc_value or died.exc_type(), died.exc_traceback
    )


def log_death(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Say what ended a process or a thread: our own bug, so all of it."""
    logging.getLogger(__name__).critical(
        "this is a bug: %s: %s",
        *(kind.__name__, error),
        exc_info=(kind, error, traceback),
        extra={"event": "crashed"},
    )


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields of a record's event."""
    return {
        key: value
        for key, value in vars(record).items()
        if key not in OWN_KEYS and key != "event" and value is not None
    }


def _event(record: logging.LogRecord) -> str:
    return str(getattr(record, "event", FOREIGN))


def _time_text(time_s: float) -> str:
    moment = datetime.fromtimestamp(time_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
