"""The `[traces]` table of the configuration: to whom spans go, and how many."""

import time
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from phusong.dashboards.commands.exits import Unusable

if TYPE_CHECKING:  # it needs an extra
    from phusong.dashboards.open_telemetry import SpanExport

SAMPLE_RATIO = 0.01


class TracesTable(BaseModel):
    """Spans of calls and commits to whoever speaks OTLP over gRPC; off unless an endpoint is given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str = Field(
        "",
        pattern=r"^(https?://[^/\s]+)?$",
        description="http://127.0.0.1:4317, or https:// with TLS. Empty: none.",
    )
    sample_ratio: float = Field(
        SAMPLE_RATIO,
        ge=0,
        le=1,
        description="Of what no caller traces; what a caller records is recorded here too.",
    )


def span_export(table: TracesTable) -> "SpanExport | None":
    """Return what takes spans. Raises Unusable where OpenTelemetry is not installed."""
    if not table.endpoint:
        return None
    try:
        from phusong.dashboards.open_telemetry import SpanExport
    except ModuleNotFoundError as missing:
        raise Unusable(
            f"traces.endpoint needs {missing.name}: pip install 'phusong[otel]', or leave it empty"
        ) from missing
    return SpanExport(table.endpoint, table.sample_ratio, time.time_ns)
