"""Metrics as `az monitor metrics list` prints them, which is the REST API's answer.

Azure: Metrics - List, api-version 2023-10-01; metrics of Microsoft.CognitiveServices/accounts,
Azure OpenAI monitoring data reference. Names' case differs between versions of the tools.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from app.domain.reconciliation.series import Measure, Point, UnreadableExport

#: Of each pair the same is counted: taken together they would count it twice.
MEASURES: Final[Mapping[str, Measure]] = {
    "processedprompttokens": Measure.PROMPT,
    "inputtokens": Measure.PROMPT,
    "generatedtokens": Measure.OUTPUT,
    "outputtokens": Measure.OUTPUT,
    "tokentransaction": Measure.TOTAL,
    "totaltokens": Measure.TOTAL,
}
_DEPLOYMENT: Final = frozenset({"modeldeploymentname", "deploymentname"})
_ACCOUNT: Final = re.compile(r"/accounts/([^/]+)", re.IGNORECASE)


def of_metrics_json(text: str) -> Iterator[Point]:
    """Points of all metrics that count tokens. Raises UnreadableExport."""
    try:
        found = _lower(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise UnreadableExport(f"no JSON: {error}") from error
    answers = found if isinstance(found, list) else [found]
    chosen: dict[Measure, str] = {}
    for answer in answers:
        if not isinstance(answer, dict) or not isinstance(answer.get("value"), list):
            raise UnreadableExport("no answer of `az monitor metrics list`: `value` is missing")
        for metric in answer["value"]:
            name = _name_of(metric.get("name"))
            measure = MEASURES.get(name)
            if measure is not None and chosen.setdefault(measure, name) == name:
                yield from _points(metric, measure)


def _points(metric: dict[str, Any], measure: Measure) -> Iterator[Point]:
    account = _ACCOUNT.search(str(metric.get("id", "")))
    resource = account[1] if account else ""
    for series in metric.get("timeseries") or ():
        deployment = _deployment(series.get("metadatavalues") or ())
        for data in series.get("data") or ():
            if data.get("total") is not None:
                at, tokens = moment(data.get("timestamp")), int(data["total"])
                yield Point(resource, deployment, measure, at, tokens)


def moment(given: object) -> int:
    """Unix seconds of ISO 8601 (UTC where it names no zone). Raises UnreadableExport."""
    try:
        found = datetime.fromisoformat(str(given))
    except ValueError:
        raise UnreadableExport(f"{str(given)[:40]!r} is no time") from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def _deployment(values: Any) -> str:
    for each in values:
        if _name_of(each.get("name")) in _DEPLOYMENT:
            return str(each.get("value") or "")
    return ""


def _name_of(name: Any) -> str:
    return str(name.get("value") if isinstance(name, dict) else name).lower()


def _lower(value: Any) -> Any:
    """The same with keys in lower case."""
    if isinstance(value, dict):
        return {str(key).lower(): _lower(each) for key, each in value.items()}
    return [_lower(each) for each in value] if isinstance(value, list) else value
