"""Where each value of the configuration comes from, and what is said when one is wrong."""

import pytest

from phusong.collector.broker.options import BrokerOptions
from phusong.dashboards.commands.broker_table import broker_caution, broker_options
from phusong.dashboards.commands.configuration import read_configuration, value_of
from phusong.dashboards.commands.exits import Unusable

BROKER = '[broker]\nhost = "mqtt.example"\nclient_id = "phusong-1"\n'


@pytest.fixture
def file(tmp_path):
    return tmp_path / "phusong.toml"


def test_a_flag_is_over_the_environment_is_over_the_file_is_over_the_default(file, monkeypatch):
    file.write_text("mqtt_port = 1\ngrpc_port = 1\nhttp_port = 1\n")
    monkeypatch.setenv("PHUSONG_GRPC_PORT", "2")
    monkeypatch.setenv("PHUSONG_HTTP_PORT", "2")

    found = read_configuration(file, {"http_port": 3, "host": None})

    values = found.configuration
    assert (values.mqtt_port, values.grpc_port, values.http_port) == (1, 2, 3)
    names = ("mqtt_port", "grpc_port", "http_port", "host")
    assert [found.origin[name] for name in names] == [
        str(file),
        "PHUSONG_GRPC_PORT",
        "--http-port",
        "default",
    ]


def test_a_value_inside_a_table_has_its_own_origin(file, monkeypatch):
    file.write_text(BROKER + "port = 1\n")
    monkeypatch.setenv("PHUSONG_BROKER_PORT", "8883")

    found = read_configuration(file, {})

    assert value_of(found.configuration, "broker.port") == 8883
    names = ("broker.host", "broker.port", "broker.version")
    assert [found.origin[name] for name in names] == [str(file), "PHUSONG_BROKER_PORT", "default"]


def test_there_is_no_broker_unless_one_is_named():
    found = read_configuration(None, {})

    assert broker_options(found.configuration.broker) is None
    assert value_of(found.configuration, "broker.host") is None


def test_a_broker_may_come_from_the_environment_alone(monkeypatch):
    monkeypatch.setenv("PHUSONG_BROKER_HOST", "b")
    monkeypatch.setenv("PHUSONG_BROKER_CLIENT_ID", "c")

    found = read_configuration(None, {})

    assert broker_options(found.configuration.broker) == BrokerOptions("b", "c")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[broker]\nhost = "b"\n', "broker.client_id: Field required"),
        (BROKER + "port = 99999\n", "broker.port (FILE): 99999"),
        (BROKER + 'version = "3.1"\n', "'3.1.1' or '5'"),
        (BROKER + 'group = "a/b"\n', "broker.group (FILE): 'a/b'"),
        (BROKER + 'password_file = "p"\n', "password_file without username"),
        (BROKER + 'tls_key_file = "k"\n', "belong together"),
        (BROKER + 'tls_key_file = "k"\ntls_certificate_file = "c"\n', "turns TLS on"),
        ('broker = "b"\n', "broker (FILE): 'b'"),
        ("broker.hots = 1\n", "broker.hots (FILE): Extra inputs"),
        ("[other]\nx = 1\n", "other (FILE): Extra inputs"),
    ],
)
def test_every_error_names_its_key_and_where_it_came_from(file, text, expected):
    file.write_text(text)

    errors = read_configuration(file, {})

    assert expected.replace("FILE", str(file)) in "\n".join(errors)


def test_what_does_not_go_together_is_said_in_our_own_words_alone(file):
    file.write_text('host = "0.0.0.0"\n')

    (error,) = read_configuration(file, {})

    assert error.startswith("host 0.0.0.0 can be reached from other machines")


def test_a_variable_beside_a_table_that_is_none_is_an_error_and_no_crash(file, monkeypatch):
    file.write_text('broker = "b"\n')
    monkeypatch.setenv("PHUSONG_BROKER_PORT", "1")

    (error,) = read_configuration(file, {})

    assert error.startswith(f"broker ({file})")


def test_a_password_in_the_file_itself_is_refused_and_not_repeated(file):
    file.write_text(BROKER + 'password = "hunter2"\n')

    (error,) = read_configuration(file, {})

    assert "password_file" in error
    assert "hunter2" not in error


def test_the_password_is_read_from_its_file_and_never_shown(file, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("mật khẩu\n")
    file.write_text(f'{BROKER}username = "u"\npassword_file = "{secret}"\n')

    table = read_configuration(file, {}).configuration.broker
    options, caution = broker_options(table), broker_caution(table)

    assert (options.username, options.password) == ("u", "mật khẩu")
    assert "mật" not in repr(options)
    assert "in clear" in caution
    assert "mật" not in caution


@pytest.mark.parametrize("content", [None, b"", b"a\nb\n", b"\xff", b"x" * 5000])
def test_a_password_file_that_holds_none_ends_the_command(content, file, tmp_path):
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    file.write_text(f'{BROKER}username = "u"\npassword_file = "{secret}"\n')
    table = read_configuration(file, {}).configuration.broker

    with pytest.raises(Unusable, match=str(secret)):
        broker_options(table)
