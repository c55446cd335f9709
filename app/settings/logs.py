"""What is written to the log."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from app.settings.section import Float, Section

LogLevel = Literal["debug", "info", "warning", "error", "critical"]


def _request_lines(value: object) -> object:
    """The form is checked as a whole, so that an error names the field and not its variant."""
    if isinstance(value, bool) or value == "sample":
        return value
    raise PydanticCustomError("request_lines", "must be true, false or sample")


RequestLines = Annotated[bool | Literal["sample"], BeforeValidator(_request_lines)]


class LogRules(Section):
    """What is written unless operators say otherwise for a while, in the admin API."""

    level: LogLevel = "info"
    """What is less is not written; a request's line is `info`. Libraries have warnings only."""
    requests: RequestLines = True
    """Whether each request has its line; sample: those that failed, spilled, were let in without
    the accounts or charged by an estimate, and a part of the others."""
    sample: Annotated[Float, Field(ge=0, le=1)] = 0.01
    """That part, chosen by their ids: the same on all replicas."""

    @property
    def which(self) -> Literal["all", "none", "sample"]:
        """Which requests have a line, in one word."""
        if self.requests == "sample":
            return "sample"
        return "all" if self.requests else "none"
