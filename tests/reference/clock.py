"""When a reading was measured, in datetimes."""

from datetime import UTC, datetime, timedelta

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)


def place_time(observed_ms: int, received_ms: int | None, delay_ms: int | None) -> tuple[int, str]:
    if received_ms is None:
        return observed_ms, "as observed"
    observed = UNIX_EPOCH + observed_ms * MS
    measured = UNIX_EPOCH + received_ms * MS
    if delay_ms is not None:
        measured -= delay_ms * MS
    if observed - measured > timedelta(minutes=5):
        return (measured - UNIX_EPOCH) // MS, "ahead"
    if measured - observed > timedelta(days=7):
        return (measured - UNIX_EPOCH) // MS, "behind"
    return observed_ms, "as observed"
