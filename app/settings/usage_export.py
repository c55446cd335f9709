"""The section about the ledger's export: to files for analysis, and as OpenTelemetry logs."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from app.settings.receiver import HeaderName, ReceiverUrl, is_installed
from app.settings.section import Float, Seconds, Secret, Section, Text

_PARQUET: Final = ("arro3", "arro3.core", "arro3.io")
LOGS_PATH: Final = "/v1/logs"


class ExportFiles(Section):
    """A file for each hour or day (UTC), in a directory for each day."""

    directory: Text
    """It has to be there: a volume that is not mounted is an error, not a directory to make."""
    format: Literal["csv", "parquet"] = "csv"
    """parquet is an extra of the package."""
    every: Literal["day", "hour"] = "day"
    """A file for each day, or each hour."""
    after_s: Annotated[Float, Field(ge=0, le=86_400)] = 300.0
    """How long after its end a period is written; what comes later gets a file of its own."""

    @field_validator("format")
    @classmethod
    def _is_installed(cls, value: str) -> str:
        if value == "parquet" and not is_installed(*_PARQUET):
            msg = "parquet needs a package that is not installed: pip install 'spillgate[parquet]'"
            raise ValueError(msg)
        return value


class ExportOtlp(Section):
    """Each row as a log record, to a receiver of OTLP over HTTP."""

    endpoint: ReceiverUrl
    """`/v1/logs` is added where it does not end so."""
    headers: dict[HeaderName, Secret] = Field(default_factory=dict)
    """Sent along, such as a token; names in lower case."""
    ca: Text | None = None
    """A PEM file with the authority of the receiver's certificate, where it is one's own."""
    timeout_s: Seconds = 10.0
    """For one sending; then it is tried again."""

    @property
    def url(self) -> str:
        """Where records are posted to."""
        base = self.endpoint.rstrip("/")
        return base if base.endswith(LOGS_PATH) else base + LOGS_PATH


class UsageExport(Section):
    """Nothing is exported by default. The process that keeps the ledger's archive does it."""

    files: ExportFiles | None = None
    """Files for analysis."""
    otlp: ExportOtlp | None = None
    """Log records of OpenTelemetry."""
