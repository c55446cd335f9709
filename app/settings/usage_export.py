"""The section about the ledger's export: to files for analysis, and as OpenTelemetry logs."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator

from app.settings.section import Float, Seconds, Secret, Section, Text

_HeaderName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,128}$")]
_PARQUET: Final = ("arro3", "arro3.core", "arro3.io")
LOGS_PATH: Final = "/v1/logs"


class ExportFiles(Section):
    """A file for each hour or day (UTC), in a directory for each day."""

    directory: Text
    """It has to be there: a volume that is not mounted is an error, not a directory to make."""
    format: Literal["csv", "parquet"] = "csv"
    every: Literal["day", "hour"] = "day"
    after_s: Annotated[Float, Field(ge=0, le=86_400)] = 300.0
    """How long after its end a period is written; what comes later gets a file of its own."""

    @field_validator("format")
    @classmethod
    def _is_installed(cls, value: str) -> str:
        if value == "parquet" and not _there_are(_PARQUET):
            msg = "parquet needs a package that is not installed: pip install 'spillgate[parquet]'"
            raise ValueError(msg)
        return value


class ExportOtlp(Section):
    """Each row as a log record, to a receiver of OTLP over HTTP."""

    endpoint: Text
    """`/v1/logs` is added where it does not end so."""
    headers: dict[_HeaderName, Secret] = Field(default_factory=dict)
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

    @field_validator("endpoint")
    @classmethod
    def _is_a_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            msg = "must be a URL such as http://collector:4318"
            raise ValueError(msg)
        if parts.username is not None or parts.query or parts.fragment:
            msg = "must hold no user, query or fragment; credentials belong into headers"
            raise ValueError(msg)
        return value


class UsageExport(Section):
    """Nothing is exported by default. The process that keeps the ledger's archive does it."""

    files: ExportFiles | None = None
    otlp: ExportOtlp | None = None


def _there_are(packages: tuple[str, ...]) -> bool:
    """Whether they could be imported; asked for in order, parents first."""
    return all(find_spec(package) is not None for package in packages)
