"""The demo's own time: the end of 2021 in Vietnam, when the programme's deadlines fell. Pure."""

from datetime import UTC, datetime, timedelta, timezone

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

VIETNAM = timezone(timedelta(hours=7))  # no daylight saving time

# Eleven days before the deadline of the 1,910 points, at the start of a school day.
CLOCK_START = datetime(2021, 12, 20, 7, 0, tzinfo=VIETNAM)
CLOCK_START_MS = int(CLOCK_START.timestamp()) * SECOND_MS

# The two whole days whose usage the demo meters, and the midnight between them (17:00Z).
USAGE_DAYS = ("2021-12-18", "2021-12-19")
USAGE_DAY_COUNT = len(USAGE_DAYS)
USAGE_START_MS = CLOCK_START_MS - 7 * HOUR_MS - USAGE_DAY_COUNT * DAY_MS
MIDNIGHT_MS = USAGE_START_MS + DAY_MS

# Drive tests: from the first week after the plan (21 September) to the day before the clock starts.
DRIVES_START_MS = CLOCK_START_MS - 7 * HOUR_MS - 80 * DAY_MS
DRIVES_DAY_COUNT = 78
MORNING_MS = 7 * HOUR_MS + 30 * MINUTE_MS
AFTERNOON_MS = 14 * HOUR_MS


def time_text(time_ms: int) -> str:
    """Return a time as ISO 8601 in Vietnam's zone, to the second."""
    return (
        datetime.fromtimestamp(time_ms / SECOND_MS, UTC)
        .astimezone(VIETNAM)
        .isoformat("T", "seconds")
    )
