"""Rows known again by remembering every one for ever, as the tuple of what it says."""

import struct

WEEK_MS = 7 * 86_400_000


class SeenRows:
    """A set of rows; those that arrive later than a week after they were observed are never taken."""

    def __init__(self, count_max=10**9, source_count_max=10**9):
        self.seen = {}
        self.arrival_ms = 0
        self.count_max = count_max
        self.source_count_max = source_count_max

    def recall(self, rows, received_time_ms):
        """Return NEW, REPEATED or BEYOND for each (source, time, says), arrived at one time.

        Room is counted by days in Vietnam: a day's rows make room when the day is more than a week gone.
        """
        self.arrival_ms = max(self.arrival_ms, received_time_ms)
        first_ms = self.arrival_ms - WEEK_MS
        outcomes = []
        for source, time_ms, says in rows:
            if time_ms < first_ms:
                outcomes.append("BEYOND")
            elif (source, time_ms, says) in self.seen:
                outcomes.append("REPEATED")
            else:
                recent = [key for key in self.seen if _day(key[1]) >= _day(first_ms)]
                of_source = [key for key in recent if key[0] == source]
                if len(recent) >= self.count_max or len(of_source) >= self.source_count_max:
                    outcomes.append("BEYOND")
                else:
                    self.seen[source, time_ms, says] = True
                    outcomes.append("NEW")
        return outcomes


def _day(time_ms):
    return (time_ms + 7 * 3_600_000) // 86_400_000


# Of one sending, not of the world: see kernels/row_hash.py.
NOT_SAID = {"payload_row", "row", "reporting_delay_ms", "received_time_ms"}
HISTOGRAM = {"rsrp_histogram_offset", "rsrp_histogram_bytes"}


def what_rows_say(readings, histograms=None):
    """Return a hashable value per row: two rows are equal when a device said the same of the world."""
    said = []
    for i in range(len(readings.row)):
        values = []
        for name, column in zip(readings._fields, readings, strict=True):
            if name in NOT_SAID or name in HISTOGRAM:
                continue
            value = column[i].item()
            if isinstance(value, float):
                value = "missing" if value != value else struct.pack("<d", value)
            values.append((name, value))
        if histograms is not None:
            values.append(("histogram", tuple(histograms[i])))
        said.append(tuple(values))
    return said
