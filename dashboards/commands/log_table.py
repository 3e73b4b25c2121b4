"""The `[log]` table of the configuration: what the service says on stderr."""

from pydantic import BaseModel, ConfigDict, Field

from phusong.dashboards.log_lines import LogFormat, LogLevel, LogOptions


class LogTable(BaseModel):
    """What is said, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: LogFormat = Field(
        LogFormat.AUTO, description="json, human, or auto: human on a terminal, else JSON."
    )
    level: LogLevel = Field(LogLevel.INFO, description="The least of what is said.")


def log_options(table: LogTable) -> LogOptions:
    """Return what the log is opened with."""
    return LogOptions(table.format, table.level)
