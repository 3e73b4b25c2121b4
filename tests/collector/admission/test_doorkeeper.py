"""Who is let in, and who is sent away again."""

import asyncio

import pytest
from credentials import TOKENS, hex_of, sources_file

from phusong.collector.admission.doorkeeper import Denial, Doorkeeper, Guest, Shown, is_loopback
from phusong.collector.admission.limits import Limits
from phusong.collector.routes import RouteTable
from phusong.kernels.registers import read_sources

NAME, TOKEN = next(iter(TOKENS.items()))
CERTIFICATE = b"DER of oss"


def keeper(*, is_loopback_open=False, table=None, **limits):
    return Doorkeeper(table or RouteTable(), Limits(**limits), is_loopback_open=is_loopback_open)


def knowing(tokens=TOKENS, certificates=()):
    table = RouteTable()
    table.admit(read_sources(sources_file(tokens, certificates).encode()))
    return table


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("0.0.0.0", False),
        ("fe80::1%lo", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_loopback_is_an_address_of_this_machine(address, expected):
    assert is_loopback(address) is expected


async def test_without_a_credential_only_loopback_comes_in_and_only_where_that_was_chosen():
    shut, opened = keeper(), keeper(is_loopback_open=True)

    assert shut.admit("mqtt", Shown("127.0.0.1")) is Denial.NO_CREDENTIAL
    assert opened.admit("mqtt", Shown("10.0.0.1")) is Denial.NO_CREDENTIAL
    assert opened.admit("mqtt", Shown("127.0.0.1")) == Guest(address="127.0.0.1")


async def test_a_wrong_credential_is_refused_where_none_would_do():
    opened = keeper(is_loopback_open=True)

    assert opened.admit("grpc", Shown("127.0.0.1", "guess")) is Denial.WRONG_CREDENTIAL
    assert opened.denied == {("grpc", "wrong_credential"): 1}


async def test_a_token_or_a_certificate_of_the_register_comes_in_from_anywhere_as_its_source():
    doorkeeper = keeper(table=knowing(certificates={"mobifone/oss": CERTIFICATE}))

    by_token = doorkeeper.admit("mqtt", Shown("10.0.0.1", TOKEN, NAME))
    by_certificate = doorkeeper.admit("mqtt", Shown("10.0.0.1", "", "", CERTIFICATE))

    assert by_token == Guest(NAME, "viettel", bytes.fromhex(hex_of(TOKEN)), "10.0.0.1")
    assert (by_certificate.principal, by_certificate.operator) == ("mobifone/oss", "mobifone")
    assert not doorkeeper.denied


@pytest.mark.parametrize(
    "shown",
    [
        Shown("127.0.0.1", "guess", NAME),
        Shown("127.0.0.1", TOKEN, "mobifone/oss"),  # the token of another
        Shown("127.0.0.1", TOKEN, ""),
        Shown("127.0.0.1", "guess", NAME, CERTIFICATE),  # a token that is shown decides
        Shown("127.0.0.1", "", NAME, b"a certificate of the CA that is in no register"),
        Shown("127.0.0.1", "\ud800"),
    ],
)
async def test_everything_wrong_is_wrong_in_the_same_way(shown):
    doorkeeper = keeper(
        is_loopback_open=True, table=knowing(certificates={"mobifone/oss": CERTIFICATE})
    )

    assert doorkeeper.admit("mqtt", shown) is Denial.WRONG_CREDENTIAL


async def test_no_register_makes_no_credential_good():
    assert keeper().admit("mqtt", Shown("127.0.0.1", TOKEN, NAME)) is Denial.WRONG_CREDENTIAL
    assert not keeper().has_credentials


async def test_who_is_no_longer_in_the_register_is_sent_away_and_nobody_else():
    table = knowing()
    doorkeeper = keeper(table=table, is_loopback_open=True)
    sent_away = []
    for address, token in (("a", TOKENS["viettel/pgw-1"]), ("b", TOKENS["mobifone/oss"])):
        doorkeeper.arrive(
            doorkeeper.admit("grpc", Shown(address, token)), lambda a=address: sent_away.append(a)
        )
    doorkeeper.arrive(Guest(address="127.0.0.1"), lambda: sent_away.append("loopback"))

    await asyncio.to_thread(table.admit, knowing({"mobifone/oss": TOKENS["mobifone/oss"]}).register)
    await asyncio.sleep(0)
    assert sent_away == ["a"]

    await asyncio.to_thread(table.admit, knowing({"mobifone/oss": "another token"}).register)
    await asyncio.sleep(0)
    assert sent_away == ["a", "b"]


async def test_a_source_has_so_many_connections_and_no_more():
    doorkeeper = keeper(table=knowing(), connections_per_source=2)
    guest = doorkeeper.admit("mqtt", Shown("10.0.0.1", TOKEN, NAME))
    visits = [lambda n=n: n for n in range(3)]

    assert [doorkeeper.arrive(guest, visit) for visit in visits] == [True, True, False]
    doorkeeper.leave(guest, visits[2])
    doorkeeper.leave(guest, visits[0])
    assert doorkeeper.arrive(guest, visits[2])


async def test_all_connections_of_a_source_are_on_one_account():
    doorkeeper = keeper(table=knowing(), payloads_per_s_per_source=10)
    first = doorkeeper.admit("mqtt", Shown("10.0.0.1", TOKEN, NAME))
    second = doorkeeper.admit("grpc", Shown("10.0.0.2", TOKEN))
    other = doorkeeper.admit("grpc", Shown("10.0.0.2", TOKENS["mobifone/oss"]))

    assert doorkeeper.spend("mqtt", first, 1, 10) == 0
    assert doorkeeper.spend("grpc", second, 1, 10) > 0.5
    assert doorkeeper.spend("grpc", other, 1, 10) == 0
    assert doorkeeper.held == {"grpc": 1}


async def test_loopback_that_is_shut_sends_away_who_came_without_a_credential():
    doorkeeper = keeper(is_loopback_open=True, table=knowing())
    guests = [
        doorkeeper.admit("mqtt", Shown("127.0.0.1")),
        doorkeeper.admit("mqtt", Shown("127.0.0.1", TOKEN, NAME)),
    ]
    left = []
    for guest in guests:
        doorkeeper.arrive(guest, lambda guest=guest: left.append(guest))

    doorkeeper.change(doorkeeper.limits, is_loopback_open=False)
    doorkeeper.change(doorkeeper.limits, is_loopback_open=False)

    assert left == [guests[0]]
    assert doorkeeper.admit("mqtt", Shown("127.0.0.1")) is Denial.NO_CREDENTIAL


async def test_a_new_rate_holds_at_once_for_a_source_that_had_used_up_the_old_one():
    doorkeeper = keeper(table=knowing(), bytes_per_s_per_source=10)
    guest = doorkeeper.admit("mqtt", Shown("10.0.0.1", TOKEN, NAME))
    assert doorkeeper.spend("mqtt", guest, 1000, 1) > 90

    doorkeeper.change(Limits(bytes_per_s_per_source=10_000), is_loopback_open=False)

    assert doorkeeper.spend("mqtt", guest, 1000, 1) == 0
