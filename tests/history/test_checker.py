"""The checker finds nothing in a sound history and names what is wrong in each unsound one."""

from types import SimpleNamespace

import pytest
from history.checker import find_all
from history.devices import TODAY, YESTERDAY, Device, Habit
from history.expected import outcome_of
from history.record import BROKER_SAVE_S, key_of
from history.sound import BATCH_COUNT, Sound

from phusong.v1.enforcement_pb2 import Decision


@pytest.fixture
def history():
    sound = Sound()
    return SimpleNamespace(record=sound.record, answers=sound.answers())


def found(history):
    return " | ".join(find_all(history.record, history.answers))


def test_a_sound_history_has_no_findings(history):
    assert not found(history)


def entry_of(history, number):
    return list(history.record.entries.values())[number]


def drop_envelope(history):
    history.answers.copies.pop(key_of("viettel", entry_of(history, 9).batch))


def drop_one_copy(history):
    history.answers.copies[key_of("viettel", entry_of(history, 4).batch)].pop()


def never_send(history):
    entry_of(history, 9).sent_count_max = 0


def keep_once_more(history):
    history.answers.copies[key_of("viettel", entry_of(history, 9).batch)].append(99)


def accept_twice(history):
    entry = entry_of(history, 4)
    entry.receipts[1].CopyFrom(entry.receipts[0])
    entry.receipts[1].journal_sequence = BATCH_COUNT + 1


def call_the_first_a_repeat(history):
    entry = entry_of(history, 4)
    entry.receipts[0].accepted_count = entry.receipts[0].refused_count = 0
    entry.receipts[0].duplicate_count = outcome_of(entry.batch, is_repeat=True).duplicate


def name_another_frame(history):
    entry_of(history, 2).receipts[0].journal_sequence = 39


def acknowledge_out_of_order(history):
    history.record.ascending.append(("PUBACKs", [1, 3, 2]))


def count_once_more(history):
    history.answers.metrics["phusong_verifier_taken_rows_total"]["viettel"] += 1


def forget_a_repeat(history):
    sums = history.answers.metrics["phusong_collector_duplicate_rows_total"]
    sums["viettel"] -= 1


def lose_a_row_in_stat(history):
    history.answers.stat["taken"] -= 1


def hide_a_gap(history):
    history.answers.stat["sequence_gaps"] += 1


def charge_a_byte(history):
    history.answers.quota[TODAY]["sims"][0]["used_bytes"] += 1


def move_a_byte_to_the_day_before(history):
    key = history.answers.quota[TODAY]["sims"][0]["sim"]
    for day, step in ((TODAY, -1), (YESTERDAY, 1)):
        rows = [row for row in history.answers.quota[day]["sims"] if row["sim"] == key]
        rows[0]["used_bytes"] += step


def hear_a_reading_twice(history):
    history.answers.coverage["sites"][0]["counts"]["raw"] += 1


def fail_an_audit(history):
    history.answers.audit = "damaged: sequence 3"


def never_tell(history):
    history.record.decisions["viettel over gRPC"].pop()


def tell_something_else(history):
    told = Decision()
    told.CopyFrom(history.record.decisions["viettel over gRPC"][0])
    told.decision_key = "another"
    history.record.decisions["viettel over gRPC"].append(told)


def decide_twice(history):
    last = history.answers.envelopes[-1]
    history.answers.envelopes.append(last)


def never_decide(history):
    history.answers.envelopes.pop()


@pytest.mark.parametrize(
    ("harm", "finding"),
    [
        (drop_envelope, "lost: viettel"),
        (drop_one_copy, "was acknowledged 2 times, kept [5]"),
        (never_send, "was never sent"),
        (keep_once_more, "was sent 1 times"),
        (accept_twice, "says accepted, but frame 5 has it already"),
        (call_the_first_a_repeat, "says repeat, but nothing came before"),
        (name_another_frame, "receipt of frame 39, but it is kept in [3]"),
        (acknowledge_out_of_order, "out of order: [1, 3, 2]"),
        (count_once_more, "verifier: viettel"),
        (forget_a_repeat, "collector: viettel"),
        (lose_a_row_in_stat, "journal stat"),
        (hide_a_gap, "gaps, expected"),
        (charge_a_byte, "bounds: SIM"),
        (move_a_byte_to_the_day_before, "quota: SIM"),
        (hear_a_reading_twice, "coverage: HG-1"),
        (fail_an_audit, "audit: damaged: sequence 3"),
        (never_tell, "was never told positions"),
        (tell_something_else, "which is not what the journal holds"),
        (decide_twice, "is decided 2 times"),
        (never_decide, "is decided 0 times, expected 1"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_an_unsound_history_is_found_out(history, harm, finding):
    harm(history)

    assert finding in found(history)


def test_what_a_killed_broker_had_no_time_to_save_may_be_lost_and_nothing_else(history):
    history.record.by_broker = {"viettel"}
    entry = entry_of(history, 9)
    history.record.broker_kills_s = [entry.acknowledged_at_s + BROKER_SAVE_S / 2]

    assert key_of("viettel", entry.batch) not in history.record.promised()

    history.record.broker_kills_s = [entry.acknowledged_at_s + BROKER_SAVE_S * 2]
    assert key_of("viettel", entry.batch) in history.record.promised()


def test_counters_without_a_number_are_taken_again_and_readings_are_not():
    batches = Device(0, "viettel", 3, Habit(has_sequence=False)).submissions()
    outcomes = [
        (outcome_of(batch, is_repeat=False), outcome_of(batch, is_repeat=True))
        for batch in (next(batches) for _ in range(50))
    ]

    assert all(first.received == again.received for first, again in outcomes)
    assert all(first.refused == again.refused for first, again in outcomes)
    assert any(0 < again.taken < first.taken for first, again in outcomes)


def test_a_device_does_the_same_again_for_the_same_seed():
    def sent(seed):
        batches = Device(0, "viettel", seed, Habit(is_backwards=True)).submissions()
        return [next(batches).SerializeToString() for _ in range(50)]

    assert sent(1) == sent(1) != sent(2)
