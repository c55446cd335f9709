"""The page that lists every metric family.

`python -m tests.tools.metrics_page` writes docs/metrics.md anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.adapters.metrics import families
from app.adapters.metrics.family import Family, FamilyKind, Merge

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "metrics.md"

_HEAD: Final = """# Metrics

`GET /metrics` on the admin listener, without a key: let Prometheus reach that port, and nobody
else. The form is Prometheus' text, or OpenMetrics where the `Accept` header names it.

- **`llm_` families** are about what tenants ask and deployments answer; `spillgate_` and `process_`
  ones about the gateway. The former count requests of the data plane. What the gateway asks for
  itself is in the `spillgate_errand_` families alone; tokens and dollars of both together are the
  ledger's.
- **Every family is there** from the start, even where it has no series yet.
- **Series begin at 0**, not with their first event, or no rate would have it.
  Of each configured deployment: verdicts, throttles, retry-after, tokens, dollars.
  Of each model: spills, latency, tokens, what the cache saved, and errors of capacity, upstreams
  and the gateway. Of each tenant: what it was refused by its limits, or let in without them.
  Besides: classes, results and bypasses of the cache, errands, dependencies, works.
  All else begins when it happens: what goes by several names at once, or by status, and callers'
  own mistakes. Growth before the first scrape is in no rate.
- **A reload** begins the series of new deployments, models and tenants. Of those that are gone
  gauges end, and counters stay until the process ends.
- **Labels are closed sets.** A model that is not configured is `other`. So is a tenant beyond the
  first `metrics.most_tenants` (100), and a caller that is nobody's: all tenants have a place where
  there is one for all, else those that ask first. A deleted tenant's place is free again with the
  next start. Nothing else that callers write is a label.
- **Errors** say whose fault they are. `client`: the request or its key, or the client left.
  `policy`: a limit, a budget or a rule of the tenant. `capacity`: no deployment had room.
  `upstream`: it failed. `gateway`: overload, a store that is away, a defect.
- **Exemplars** (OpenMetrics) are on latency, time to first token and time per output token: the
  trace of a request of which a span is recorded.
- **Counters start at 0** with each process. No `_created` series are told.
- **Scrapes that come at once** share a page, and after one there is a rest of four times as long as
  it took: whoever scrapes, a fifth of the time at most goes into pages.
- **Several workers** count each for itself; the last column says how their values become one.
  What a worker had counted stays when it has ended.
- **What is lost**: a worker that is killed takes along what it counted since it was asked last,
  which happens each second. The ledger has all of it.
- What counting costs a request is among the [measurements](measurements.md#metrics).

```yaml
metrics: {most_tenants: 100}   # the default; read at the start
```

The tables are made from [`families.py`](../app/adapters/metrics/families.py) by
`python -m tests.tools.metrics_page`. Names of histograms stand for `_bucket`, `_sum` and `_count`.
"""
_ROW: Final = "| `{name}` | {kind} | {labels} | {help} | {merge} |"
_COLUMNS: Final = "| family | type | labels | what it says | of workers |\n|---|---|---|---|---|"
_MERGED: Final = {Merge.SUM: "sum", Merge.MAX: "largest", Merge.MIN: "smallest"}
_SECTION: Final = re.compile(
    r"^#: (.+)$|^([A-Z_]+): Final = (?:counter|gauge|histogram)\(", re.MULTILINE
)


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_sections(), *_buckets()])


def _sections() -> Iterator[str]:
    """As families.py is divided, by the comment above each group."""
    source = Path(families.__file__).read_text(encoding="utf-8")
    title, rows = "", list[str]()
    for heading, name in [*_SECTION.findall(source), ("end", "")]:
        if name:
            rows.append(_row(getattr(families, name)))
            continue
        if rows:
            yield "\n".join([f"## {title}", "", _COLUMNS, *rows, ""])
        title, rows = re.split("[:,.]", heading, maxsplit=1)[0], []


def _row(family: Family) -> str:
    return _ROW.format(
        name=family.name,
        kind=family.kind.value,
        labels=", ".join(f"`{label}`" for label in family.labels),
        help=family.help,
        merge=_MERGED[family.merge],
    )


def _buckets() -> Iterator[str]:
    yield "## Buckets\n\n| family | upper bounds |\n|---|---|"
    for family in families.FAMILIES:
        if family.kind is FamilyKind.HISTOGRAM:
            bounds = ", ".join(f"{bound:,.15g}".replace(",", " ") for bound in family.buckets)
            yield f"| `{family.name}` | {bounds} |"
    yield "\nWhy they are there: [`buckets.py`](../app/adapters/metrics/buckets.py).\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
