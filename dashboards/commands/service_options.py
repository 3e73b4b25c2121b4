"""From the configuration to what the service is started with; here alone its clock is chosen."""

import logging
import resource
from dataclasses import replace
from functools import partial

from phusong.collector.admission.limits import Limits
from phusong.dashboards.commands.broker_table import broker_caution, broker_options
from phusong.dashboards.commands.configuration import Configuration
from phusong.dashboards.commands.door_tables import DESCRIPTOR_RESERVE, limits_of, tls_of
from phusong.dashboards.commands.exits import Unusable
from phusong.dashboards.commands.log_table import log_options
from phusong.dashboards.commands.options import now_ms, time_ms
from phusong.dashboards.commands.traces_table import span_export
from phusong.dashboards.log_lines import open_log
from phusong.dashboards.service import ServiceOptions
from phusong.kernels.days import TIME_MAX_MS
from phusong.verifier.quota.settings import QuotaSettings

log = logging.getLogger(__name__)


def service_options(configuration: Configuration) -> ServiceOptions:
    """Return what the service is started with. Raises Unusable."""
    offset_ms = _clock_offset_ms(configuration.clock_start)
    tls = tls_of(configuration.tls)
    cautions = [f"tls: {flaw}" for flaw in tls.warnings] if tls else []
    broker = broker_options(configuration.broker)
    cautions += filter(None, [broker_caution(configuration.broker)])
    for caution in cautions:
        log.warning("%s", caution, extra={"event": "caution"})
    return ServiceOptions(
        data=configuration.data,
        host=configuration.host,
        mqtt_port=configuration.mqtt_port,
        grpc_port=configuration.grpc_port,
        http_port=configuration.http_port,
        settings=QuotaSettings(quota_bytes=configuration.quota_bytes),
        clock=lambda: now_ms() + offset_ms,
        clock_offset_ms=offset_ms,
        broker=broker,
        open_loopback=configuration.open_loopback,
        disk_reserve_bytes=configuration.disk_reserve_bytes,
        limits=fitting(limits_of(configuration.limits)),
        tls=tls,
        has_site_metrics=configuration.site_metrics,
        tracer=span_export(configuration.traces),
        open_log=partial(open_log, log_options(configuration.log)),
    )


def fitting(limits: Limits) -> Limits:
    """Raise the limit of open files as far as it goes, and return limits that leave some for everything else."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most == resource.RLIM_INFINITY or limits.connections <= most - DESCRIPTOR_RESERVE:
        return limits
    connections = max(most - DESCRIPTOR_RESERVE, most // 2)
    log.warning(
        "limits.connections is %d, not %d: this process may open %d files and keeps %d for the journal and other doors."
        " Raise it (ulimit -Hn, LimitNOFILE= in systemd)",
        *(connections, limits.connections, most, DESCRIPTOR_RESERVE),
        extra={"event": "connections_limited", "connections": connections, "open_files": most},
    )
    return replace(limits, connections=connections)


def _clock_offset_ms(clock_start: str | None) -> int:
    """Return how far the service's clock runs ahead of the machine's: only in a rehearsal. Raises Unusable."""
    if clock_start is None:
        return 0
    start_ms = time_ms(clock_start, "clock_start")
    if not 0 <= start_ms <= TIME_MAX_MS:
        raise Unusable(f"clock_start: {clock_start} does not lie between 1970 and 2100")
    log.info(
        "the clock is set to %s for a rehearsal",
        clock_start,
        extra={"event": "clock_rehearsed", "clock_start": clock_start},
    )
    return start_ms - now_ms()
