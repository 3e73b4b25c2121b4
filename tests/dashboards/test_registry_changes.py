"""What is said of a new version of a list before it is entered."""

import pytest
from credentials import TOKENS, hex_of, sources_file

from phusong.dashboards.commands.registry_changes import NAMES_MAX, changes
from phusong.kernels.registers import read_sources
from phusong.verifier.registry.operators import read_operators
from phusong.verifier.registry.platforms import read_platforms
from phusong.verifier.registry.sims_file import read_sims
from phusong.verifier.registry.sites import read_sites

SIMS = "subscriber_key,operator,province_code,handover_date,end\n"
HEADER = "source,operator,token_sha256,row_kinds\n"


def sources(*lines):
    register = read_sources((HEADER + "".join(f"{line}\n" for line in lines)).encode())
    assert not isinstance(register, list), register
    return register


def sims(*lines):
    return read_sims((SIMS + "".join(f"{line}\n" for line in lines)).encode())


def test_of_sources_it_says_who_comes_and_goes_and_whose_credential_is_revoked():
    old, new = "a" * 64, "b" * 64
    before = sources(
        f"stays,x,{'c' * 64},", f"leaves,x,{old},", f"rotates,x,{'d' * 64},", "more,x,,"
    )
    after = sources(
        f"stays,x,{'c' * 64},", f"rotates,x,{'e' * 64},", "more,x,,usage", f"comes,x,{new},"
    )

    assert changes(before, after) == [
        "adds 1 (x/comes)",
        "removes 1 (x/leaves): they may no longer send, and their connections end",
        "revokes a credential of 1 (x/rotates): connections made with it end",
        "adds a credential to 1 (x/rotates)",
        "changes what may be sent by 1 (x/more)",
        "keeps 1 as they were",
    ]


def test_a_second_credential_beside_the_first_revokes_nothing():
    before = sources(f"s,x,{'a' * 64},")
    after = sources(f"s,x,{'a' * 64} {'b' * 64},")

    said = changes(before, after)

    assert "revokes a credential of none" in said
    assert "adds a credential to 1 (x/s)" in said


def test_no_secret_and_no_hash_is_said():
    said = " ".join(changes(None, read_sources(sources_file().encode())))

    assert f"adds {len(TOKENS)}" in said
    assert not [token for token in TOKENS.values() if token in said or hex_of(token) in said]


def test_many_names_are_a_number():
    said = changes(None, sources(*(f"s-{i:03d},x,," for i in range(500))))

    assert f"and {500 - NAMES_MAX} more" in said[0]
    assert len(said[0]) < 200


def test_subscribers_are_counted_and_never_named():
    before = sims(
        "1001,viettel,01,2021-10-01,", "1002,viettel,01,2021-10-01,", "1003,a,01,2021-10-01,"
    )
    after = sims("1001,viettel,01,2021-10-01,", "1003,b,01,2021-10-01,", "1004,b,02,2021-10-01,")

    said = changes(before, after)

    assert said == [
        "adds 1",
        "changes 1",
        "removes 1: they are no longer entitled",
        "keeps 1 as they were",
    ]
    assert changes(None, after) == ["adds 3"]


@pytest.mark.parametrize(
    ("read", "header", "one", "other"),
    [
        (
            read_sites,
            "site_code,name,province_code,list,operators,latitude_deg,longitude_deg",
            "S-1,n,02,283,viettel,22.8,104.9",
            "S-2,n,02,283,viettel,22.8,104.9",
        ),
        (
            read_platforms,
            "platform,domain,free_from,free_until",
            "p,d.vn,2021-09-01,",
            "q,e.vn,2021-09-01,",
        ),
        (read_operators, "operator,after_quota,throttle_kbit_s", "viettel,cut,", "mobifone,cut,"),
    ],
)
def test_rows_of_every_other_list_come_and_go_by_name(read, header, one, other):
    before = read(f"{header}\n{one}\n".encode())
    after = read(f"{header}\n{other}\n".encode())
    assert not isinstance(before, list), before

    said = changes(before, after)

    assert [line.split(" (")[0] for line in said] == [
        "adds 1",
        "changes none",
        "removes 1",
        "keeps 0 as they were",
    ]
