"""Days as they are written. Apart, because it needs nothing else to load."""

import datetime as dt

UNIX_DAY = dt.date(1970, 1, 1)


def day_text(ict_day: int) -> str:
    """Return a day as it is written, 2021-10-01."""
    return (UNIX_DAY + dt.timedelta(days=ict_day)).isoformat()
