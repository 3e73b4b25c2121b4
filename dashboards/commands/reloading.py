"""SIGHUP: the configuration read again, and all of it put in force that can be without a restart. All of it, or nothing."""

import logging
from collections.abc import Callable, Iterable
from functools import partial

from phusong.collector.admission.tls import TlsUnusable
from phusong.dashboards.commands.broker_table import broker_options
from phusong.dashboards.commands.configuration import NAMES, Configuration, Layered, value_of
from phusong.dashboards.commands.door_tables import limits_of, tls_options
from phusong.dashboards.commands.exits import Unusable
from phusong.dashboards.commands.log_table import log_options
from phusong.dashboards.commands.service_options import fitting
from phusong.dashboards.log_lines import open_log
from phusong.dashboards.service import Service

log = logging.getLogger(__name__)

# What is put in force while the service runs. A name that ends with a dot is a table.
RELOADED = (
    *("open_loopback", "plaintext", "disk_reserve_bytes"),
    *("tls.", "limits.", "log.", "broker."),
)
# gRPC takes it when its door opens, and never again.
FIXED = ("tls.grpc_client_certificate",)

Read = Callable[[], Layered | list[str]]


class Reload:
    """Keeps the configuration in force, and changes it when it is told to."""

    def __init__(self, read: Read, configuration: Configuration, service: Service) -> None:
        """`read` returns what the files, the environment and the flags say now."""
        self._read = read
        self._inforce = configuration
        self._service = service

    async def run(self) -> None:
        """Read again and put in force; where anything is wrong, say so and change nothing."""
        found = self._read()
        if isinstance(found, list):
            _refuse(found)
            return
        wanted = found.configuration
        changed = changed_names(self._inforce, wanted)
        late = [name for name in changed if not is_reloaded(name, self._inforce, wanted)]
        try:
            await self._apply(wanted)
        except (Unusable, TlsUnusable, OSError) as error:
            _refuse([str(error)])
            return
        for unknown in found.unknown:
            log.warning("%s", unknown, extra={"event": "variable_unknown"})
        # What needs a restart stays as it was, so that the next reload names it again.
        self._inforce = with_values_of(self._inforce, wanted, late)
        now = [name for name in changed if name not in late]
        said = [f"in force: {', '.join(now)}" if now else "no setting has changed"]
        if wanted.tls is not None:
            said.append("TLS is read again for new connections")
        if late:
            said.append(f"changed, and in force only after a restart: {', '.join(late)}")
        log.info(
            "%s",
            "; ".join(said),
            extra={"event": "reloaded", "changed": now, "needs_restart": late},
        )
        if any(
            name.startswith("log.") for name in now
        ):  # last, so that the reload is said as before
            options = log_options(wanted.log)
            open_log(options)
            self._service.link.change_log(partial(open_log, options))

    async def _apply(self, wanted: Configuration) -> None:
        """Put values in force, first what can fail."""
        broker = broker_options(wanted.broker)
        if broker is not None:
            broker.tls_context()  # raises where its files cannot be used
        service = self._service
        tls = None if wanted.tls is None or self._inforce.tls is None else tls_options(wanted.tls)
        for warning in service.reload_tls(tls):
            log.warning("tls: %s", warning, extra={"event": "caution"})
        await service.read_broker(broker)
        # What fits this process was worked out at the start, and said.
        is_new = wanted.limits != self._inforce.limits
        limits = fitting(limits_of(wanted.limits)) if is_new else None
        service.change(limits, wanted.disk_reserve_bytes, open_loopback=wanted.open_loopback)


def is_reloaded(name: str, inforce: Configuration, wanted: Configuration) -> bool:
    """Tell whether a changed value is put in force by a reload."""
    if name in FIXED or (name.startswith("tls.") and (inforce.tls is None or wanted.tls is None)):
        return False  # whether there is TLS at all is decided when the doors open
    return any(
        name == known or (known.endswith(".") and name.startswith(known)) for known in RELOADED
    )


def changed_names(inforce: Configuration, wanted: Configuration) -> list[str]:
    """Return the names of values that differ."""
    return [name for name in NAMES if value_of(inforce, name) != value_of(wanted, name)]


def with_values_of(
    inforce: Configuration, wanted: Configuration, kept: Iterable[str]
) -> Configuration:
    """Return `wanted` with the values of `inforce` for the names that are kept."""
    tables = {name.partition(".")[0] for name in kept}
    return wanted.model_copy(update={table: getattr(inforce, table) for table in tables})


def _refuse(errors: list[str]) -> None:
    for error in errors:
        log.error(
            "nothing was changed by the reload: %s",
            error,
            extra={"event": "reload_refused", "reason": error},
        )
