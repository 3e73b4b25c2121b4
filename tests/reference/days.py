"""Vietnam's days by the calendar and the time zone database."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def calendar_day(time_ms: int) -> date:
    return (UNIX_EPOCH + timedelta(milliseconds=time_ms)).astimezone(VIETNAM).date()


def ict_day(time_ms: int) -> int:
    return (calendar_day(time_ms) - date(1970, 1, 1)).days


def day_start_ms(day: int) -> int:
    midnight = datetime.combine(
        date(1970, 1, 1) + timedelta(days=day), datetime.min.time(), VIETNAM
    )
    return (midnight - UNIX_EPOCH) // timedelta(milliseconds=1)
