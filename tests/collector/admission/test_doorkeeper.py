"""Who is let in."""

import pytest

from phusong.collector.admission.doorkeeper import Denial, Doorkeeper, Guest, Shown, is_loopback


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


def test_without_a_credential_only_loopback_comes_in_and_only_where_that_was_chosen():
    shut, opened = Doorkeeper(is_loopback_open=False), Doorkeeper(is_loopback_open=True)

    assert shut.admit("mqtt", Shown("127.0.0.1")) is Denial.NO_CREDENTIAL
    assert opened.admit("mqtt", Shown("10.0.0.1")) is Denial.NO_CREDENTIAL
    assert opened.admit("mqtt", Shown("127.0.0.1")) == Guest("")


def test_a_wrong_credential_is_refused_where_none_would_do():
    keeper = Doorkeeper(is_loopback_open=True)

    assert keeper.admit("grpc", Shown("127.0.0.1", "guess")) is Denial.WRONG_CREDENTIAL
    assert keeper.denied == {("grpc", "wrong_credential"): 1}
