"""What was found last, in a file beside the archive: any process of the machine can show it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from app.adapters.durable import write_json
from app.domain.quota.anomaly import (
    HOUR_S,
    AnomalyReport,
    AnomalyRules,
    Deviation,
    HourFound,
    UsageMeasure,
)

NAME: Final = "anomalies.json"

_FORMS: Final = {
    UsageMeasure.REQUESTS: "{value:,.0f} requests (usually {usual:,.0f})",
    UsageMeasure.TOKENS: "{value:,.0f} tokens (usually {usual:,.0f})",
    UsageMeasure.DOLLARS: "${value:,.2f} (usually ${usual:,.2f})",
}


def write_report(archive: Path, report: AnomalyReport) -> None:
    """Replace what was found before. Raises OSError."""
    write_json(archive / NAME, report)


def read_report(archive: Path) -> AnomalyReport:
    """What was found last; nothing where nobody has looked yet. Blocking."""
    try:
        return msgspec.json.decode((archive / NAME).read_bytes(), type=AnomalyReport)
    except (FileNotFoundError, msgspec.MsgspecError):  # of another version: it is written anew
        return AnomalyReport()


def wording(found: HourFound, rules: AnomalyRules) -> dict[str, Any]:
    """What a webhook is posted; of the measures those that are far above what is usual."""
    told = [each for each in found.deviations if each.score >= rules.score]
    hour = f"{datetime.fromtimestamp(found.hour * HOUR_S, UTC):%Y-%m-%dT%H:00Z}"
    parts = "; ".join(_part(each) for each in told)
    state = "so far in the hour from" if found.under_way else "in the hour from"
    return {
        "type": "spillgate.usage_anomaly",
        "tenant": found.tenant,
        "hour": hour,
        "under_way": found.under_way,
        "measures": [msgspec.to_builtins(each) for each in told],
        "text": f"{found.tenant} is far above its own history {state} {hour}: {parts}.",
    }


def _part(each: Deviation) -> str:
    amounts = _FORMS[each.measure].format(value=each.value, usual=each.usual)
    return f"{amounts}, score {each.score:.1f}"
