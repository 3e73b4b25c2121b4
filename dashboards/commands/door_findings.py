"""What is wrong with the doors and with the broker: ports, credentials, TLS, names that do not resolve."""

import fcntl
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

from phusong.collector.admission.listener import listening_sockets
from phusong.collector.admission.tls_files import flaws_of
from phusong.collector.broker.options import BrokerOptions
from phusong.dashboards.commands.broker_table import BrokerTable, broker_caution, broker_options
from phusong.dashboards.commands.configuration import Configuration
from phusong.dashboards.commands.door_tables import is_open_to_network, tls_flaws
from phusong.dashboards.commands.exits import Unusable
from phusong.dashboards.commands.host_findings import Finding, Grade, judged
from phusong.dashboards.commands.options import now_ms

# A broker that is there answers sooner.
BROKER_TIMEOUT_S = 5.0


def door_findings(configuration: Configuration) -> Iterator[Finding]:
    """Yield what was found: what is taken, what is open that need not be, and whose files are wrong."""
    if is_served(configuration.data):
        found = f"one writes {configuration.data} now; its ports are its own"
        yield Finding(Grade.FINE, "service", found)
    else:
        for name in ("mqtt", "grpc", "http"):
            yield _port(configuration.host, name, getattr(configuration, f"{name}_port"))
    yield judged(
        Grade.BAD,
        "who may send",
        "any client of this machine, without a credential"
        if configuration.open_loopback
        else "sources with a credential",
        "for more than trials take open_loopback away and give sources credentials: docs/doors.md",
        is_fine=not configuration.open_loopback,
    )
    is_readable = is_open_to_network(configuration.host) and configuration.tls is None
    yield judged(
        Grade.BAD,
        "doors",
        "TLS" if configuration.tls else f"plaintext on {configuration.host}",
        "tokens cross the network readable by all: give [tls], unless something else protects the way",
        is_fine=not is_readable,
    )
    flaws = tls_flaws(configuration.tls)
    for flaw in flaws:
        grade = Grade.BAD if flaw.is_fatal else Grade.CAUTION
        yield Finding(grade, "tls", f"{flaw.file}: {flaw.found}", flaw.remedy)
    if configuration.tls and not flaws:
        yield Finding(Grade.FINE, "tls", f"{configuration.tls.certificate_file}, its key and dates")
    if configuration.broker is not None:
        yield from _broker(configuration.broker)


def is_served(data: Path) -> bool:
    """Tell whether a service holds the journal in a folder."""
    try:
        with (data / "journal" / "writer.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass  # nobody ever wrote there
    return False


def _port(host: str, name: str, port: int) -> Finding:
    subject = f"port {port} ({name})"
    try:
        for probe in listening_sockets(name, host, port):
            probe.close()
    except PermissionError:
        remedy = f"give --{name}-port one above 1023, or the service CAP_NET_BIND_SERVICE"
        return Finding(Grade.BAD, subject, "this user may not listen there", remedy)
    except OSError as error:
        remedy = f"stop what listens there, or give --{name}-port another (0: any free one)"
        return Finding(Grade.BAD, subject, os.strerror(error.errno or 0), remedy)
    return Finding(Grade.FINE, subject, "free")


def _broker(table: BrokerTable) -> Iterator[Finding]:
    try:
        options = broker_options(table)
        assert options is not None
        context = options.tls_context()
    except (Unusable, OSError) as error:
        remedy = "give files that this user may read, as docs/mqtt.md says"
        yield Finding(Grade.BAD, "broker", str(error), remedy)
        return
    caution = broker_caution(table)
    if caution is not None:
        found, _, remedy = caution.removeprefix("broker: ").partition("; ")
        yield Finding(Grade.CAUTION, "broker", found, remedy)
    if table.tls_certificate_file is not None and table.tls_key_file is not None:
        for flaw in flaws_of(
            table.tls_certificate_file, table.tls_key_file, table.tls_ca_file, now_ms()
        ):
            grade = Grade.BAD if flaw.is_fatal else Grade.CAUTION
            yield Finding(grade, "broker", f"{flaw.file}: {flaw.found}", flaw.remedy)
    yield _answer_of_broker(options, context)


def _answer_of_broker(options: BrokerOptions, context: ssl.SSLContext | None) -> Finding:
    """Connect and, with TLS, shake hands; nothing is sent that the broker would keep."""
    try:
        with socket.create_connection((options.host, options.port), BROKER_TIMEOUT_S) as opened:
            if context is not None:
                context.wrap_socket(opened, server_hostname=options.host).close()
    except ssl.SSLError as error:
        remedy = "compare tls_ca_file with who signed the broker's certificate, and host with the names in it"
        found = f"{options.address}: no TLS: {error.reason or error}"
        return Finding(Grade.BAD, "broker", found, remedy)
    except OSError as error:
        remedy = "start it, or see to host, port and the firewall between; the service tries for ever meanwhile"
        return Finding(Grade.BAD, "broker", f"{options.address}: {error.strerror or error}", remedy)
    return Finding(Grade.FINE, "broker", f"{options.address} answers")
