import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.wire.decode import ROW_COUNT_MAX
from phusong.v1.journal_pb2 import RulingEntry
from phusong.verifier.coverage.rulings import ReadingName, Ruling, Rulings
from phusong.verifier.disputes.entries import plain
from phusong.verifier.registry.entries import Version
from phusong.verifier.rulings.entries import (
    RulingAct,
    RulingRecord,
    encode_ruling,
    faults_of,
    holding,
    note_ruling,
    read_ruling,
)

words = st.text(min_size=1, max_size=30).map(plain).filter(bool)
names = st.builds(
    ReadingName, st.integers(1, 8), st.integers(0, 9), st.integers(0, ROW_COUNT_MAX - 1)
)
RULING = RulingRecord("R9.0", 5, RulingAct.RELEASE, "a", "b", "c", "all", (ReadingName(1, 0, 0),))


def version_of(content: bytes, sequence: int = 9) -> Version:
    return Version(sequence, 5, "", content, 0)


@settings(deadline=None)
@given(
    st.builds(
        RulingRecord,
        st.just("R9.0"),
        st.just(5),
        st.sampled_from(RulingAct),
        words,
        words,
        words,
        words,
        st.sets(names, min_size=1, max_size=9).map(lambda found: tuple(sorted(found))),
    )
)
def test_what_is_written_is_read(ruling: RulingRecord) -> None:
    assert read_ruling(version_of(encode_ruling(ruling))) == ruling


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_ruling_or_have_no_effect(content: bytes) -> None:
    rulings = Rulings()

    changed = note_ruling(version_of(content), rulings)

    assert changed == (read_ruling(version_of(content)) is not None)


@pytest.mark.parametrize(
    ("ruling", "fault"),
    [
        (RULING._replace(by=""), "name"),
        (RULING._replace(role="x" * 201), "role"),
        (RULING._replace(text="x" * 4001), "text"),
        (RULING._replace(readings=()), "expected 1 to 1,000,000"),
        (RULING._replace(readings=(ReadingName(0, 0, 0),)), "no place"),
        (RULING._replace(readings=(ReadingName(1, 0, ROW_COUNT_MAX),)), "no place"),
    ],
)
def test_what_is_missing_or_impossible_is_named_and_has_no_effect(
    ruling: RulingRecord, fault: str
) -> None:
    assert fault in "; ".join(faults_of(ruling))
    assert read_ruling(version_of(encode_ruling(ruling))) is None


def test_an_act_that_is_none_has_no_effect() -> None:
    entry = RulingEntry.FromString(encode_ruling(RULING))
    entry.act = 7  # type: ignore[assignment]  # what a newer or a hostile writer might put there

    assert read_ruling(version_of(entry.SerializeToString())) is None


def test_nobody_rules_on_what_comes_later() -> None:
    later = RULING._replace(readings=(ReadingName(9, 1, 0),))

    assert read_ruling(version_of(encode_ruling(later))) is None
    assert read_ruling(version_of(encode_ruling(later), sequence=10)) is not None


def test_the_newest_ruling_on_a_reading_holds() -> None:
    first, second = ReadingName(1, 0, 0), ReadingName(1, 0, 1)
    release = RULING._replace(readings=(first, second))
    confirm = RULING._replace(act=RulingAct.CONFIRM, readings=(second,))
    versions = [version_of(encode_ruling(release)), version_of(encode_ruling(confirm), 10)]
    rulings = Rulings()

    changed = [note_ruling(version, rulings) for version in versions]

    found = {name: ruling.act for name, ruling in holding(versions).items()}
    assert changed == [True, True]
    assert found == {first: RulingAct.RELEASE, second: RulingAct.CONFIRM}
    assert note_ruling(versions[1], rulings) is False, "nothing else held before"
    assert Ruling.RELEASED != Ruling.CONFIRMED
