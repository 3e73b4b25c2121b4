from phusong.verifier.stopwatch import Stopwatch


def test_time_is_counted_for_the_stage_that_it_ends_with() -> None:
    times_s = iter([0.0, 1.0, 3.0, 10.0, 10.5, 11.0])
    stopwatch = Stopwatch(lambda: next(times_s))

    stopwatch.lap("decode")
    stopwatch.lap("usage")
    stopwatch.start()  # the wait before it is nobody's
    stopwatch.lap("decode")
    stopwatch.lap("usage")

    assert stopwatch.seconds == {"decode": 1.5, "usage": 2.5}
