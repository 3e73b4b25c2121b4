import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.v1.journal_pb2 import DisputeEntry
from phusong.verifier.disputes.entries import (
    TIME_MAX_MS,
    decode_step,
    decode_steps,
    encode_step,
    faults_of,
    plain,
)
from phusong.verifier.disputes.records import (
    NAME_LENGTH_MAX,
    TEXT_LENGTH_MAX,
    Act,
    DisputedVerdict,
    Refusal,
    RefusedStep,
    Selection,
    Side,
    Step,
)
from phusong.verifier.registry.entries import Version

words = st.text(min_size=1, max_size=30).map(plain).filter(bool)
times = st.integers(0, TIME_MAX_MS)
selections = st.builds(
    Selection,
    operator=words,
    source=words,
    device_key=st.integers(0, 2**64 - 1),
    from_time_ms=st.integers(0, 1000),
    until_time_ms=st.integers(1000, TIME_MAX_MS),
    file=words,
    file_sha256=st.binary(max_size=32).map(bytes.hex),
    boot_epoch=st.integers(0, 2**63 - 1),
)
verdicts = st.builds(DisputedVerdict, words, words, words, times, words, words)
VERDICT = DisputedVerdict("HG-1", "viettel", "LTE", 5, "COVERED", "")
EVIDENCE = (Selection(source="probe"),)
FILING = Step(1, 0, 9, Act.FILE, "", "a", "b", "c", EVIDENCE, VERDICT)


def version_of(content: bytes) -> Version:
    return Version(sequence=1, known_time_ms=9, file="", content=content, envelope=0)


@st.composite
def steps(draw: st.DrawFn) -> Step:
    act = draw(st.sampled_from(Act))
    evidence = st.lists(selections, min_size=1, max_size=3).map(tuple)
    return Step(
        sequence=1,
        envelope=0,
        time_ms=9,
        act=act,
        dispute="" if act is Act.FILE else draw(words),
        name=draw(words),
        role=draw(words),
        text=draw(words),
        evidence=draw(evidence) if act in (Act.FILE, Act.REBUT) else (),
        verdict=draw(verdicts) if act is Act.FILE else None,
        in_favour_of=draw(st.sampled_from(Side)) if act is Act.DECIDE else None,
    )


@settings(deadline=None)
@given(steps())
def test_what_is_written_is_read(step: Step) -> None:
    assert decode_step(version_of(encode_step(step))) == step


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_step_or_a_refusal(content: bytes) -> None:
    found = list(decode_steps([version_of(content)]))

    assert len(found) == 1
    assert isinstance(found[0], Step) or found[0].refusal is Refusal.MALFORMED


@settings(deadline=None)
@given(st.builds(DisputeEntry, act=st.integers(0, 9), in_favour_of=st.integers(0, 9), name=words))
def test_numbers_that_mean_nothing_are_malformed(entry: DisputeEntry) -> None:
    assert decode_step(version_of(entry.SerializeToString())) is Refusal.MALFORMED


@pytest.mark.parametrize(
    ("step", "words_of_it"),
    [
        (FILING._replace(name=""), "name"),
        (FILING._replace(role="x" * (NAME_LENGTH_MAX + 1)), "role"),
        (FILING._replace(text="x" * (TEXT_LENGTH_MAX + 1)), "text"),
        (FILING._replace(evidence=()), "evidence"),
        (FILING._replace(evidence=EVIDENCE * 65), "at most 64"),
        (FILING._replace(evidence=(Selection(),)), "names nothing"),
        (
            FILING._replace(evidence=(Selection(from_time_ms=9, until_time_ms=8),)),
            "before it begins",
        ),
        (FILING._replace(evidence=(Selection(from_time_ms=-1),)), "no time"),
        (FILING._replace(verdict=None), "verdict"),
        (FILING._replace(verdict=VERDICT._replace(as_of_ms=-1)), "as of"),
        (FILING._replace(dispute="D1.0"), "dispute"),
        (FILING._replace(in_favour_of=Side.FILER), "in favour of"),
        (FILING._replace(act=Act.CONCEDE, dispute="D1.0", verdict=None), "evidence"),
    ],
)
def test_what_is_missing_or_too_long_is_named_and_not_taken(step: Step, words_of_it: str) -> None:
    assert words_of_it in "; ".join(faults_of(step))
    assert decode_step(version_of(encode_step(step))) is Refusal.MALFORMED


def test_a_terminal_is_told_nothing_by_a_text() -> None:
    assert plain("  \x1b[2Jno\u202e signal\nabove\x07 ") == "[2Jno signal\nabove"


def test_the_same_name_in_two_ways_of_writing_is_one() -> None:
    assert plain("Vàng") == plain("Vàng")


def test_what_is_malformed_keeps_its_place() -> None:
    assert list(decode_steps([version_of(b"\xff")])) == [
        RefusedStep(1, 0, Refusal.MALFORMED, None, "")
    ]
