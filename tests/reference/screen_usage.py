"""Why a usage reading is impossible in itself, rule by rule."""

from reference.usage import Usage

COUNTER_MAX = 2**54


def reason(reading: Usage, *, has_sequence: bool) -> str:
    rules = [
        ("KEY_MISSING", reading.sim == 0),
        ("TIME_MISSING", reading.time_ms <= 0),
        ("CLOCK_FAR", reading.time_ms > 4_102_444_800_000),
        ("ENUM_UNKNOWN", reading.kind not in range(3) or reading.traffic not in range(3)),
        ("ENUM_UNKNOWN", reading.record not in range(4)),
        ("COUNTER_OUT_OF_RANGE", reading.width not in {0, 32, 64}),
        ("COUNTER_OUT_OF_RANGE", not counters_fit(reading)),
        ("INTERVAL_INVALID", reading.start_ms is not None and reading.start_ms > reading.time_ms),
        ("INTERVAL_INVALID", any((field or 0) < 0 for field in durations(reading))),
        ("SEQUENCE_MISSING", reading.kind == 2 and not has_sequence),
    ]
    return next((name for name, is_broken in rules if is_broken), "TAKEN")


def durations(reading: Usage) -> tuple[int | None, ...]:
    return reading.start_ms, reading.age_ms, reading.delay_ms


def counters_fit(reading: Usage) -> bool:
    for low, high in ((reading.up, reading.up_high), (reading.down, reading.down_high)):
        if high is not None and not 0 <= high < 2**31:
            return False
        is_narrow = reading.width == 32 or high is not None
        if not 0 <= low < (2**32 if is_narrow else 2**63):
            return False
        if low + 2**32 * (high or 0) > COUNTER_MAX:
            return False
    return True
