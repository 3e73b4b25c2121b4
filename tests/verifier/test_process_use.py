from phusong.verifier.process_use import process_use


def test_a_process_that_works_uses_more_time_and_one_that_holds_more_has_more_memory() -> None:
    before = process_use()
    held = bytearray(64 << 20)
    sum(range(2_000_000))
    after = process_use()

    assert after.cpu_seconds > before.cpu_seconds
    assert after.resident_bytes - before.resident_bytes > len(held) // 2
