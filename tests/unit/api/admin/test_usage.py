from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx2
import pytest
from arro3.io import read_parquet

from app.api.admin.streaming import PART_BYTES
from app.domain.ledger.ledger_row import RowKind
from tests.fakes.admin import AdminHouse, StandingApplication
from tests.fakes.ledger_rows import ledger_row

NOON = 1_790_000_000.0
NOTHING = {"input": 0, "output": 0, "nano_usd": 0}
REFUSED: Any = {"status": 429, "error": "rate_limit_exceeded", **NOTHING}


@pytest.fixture
def house(standing: StandingApplication) -> AdminHouse:
    """A ledger of two tenants: five charged requests and a refused one."""
    house = standing.move_in(AdminHouse())
    house.ledger.recorded = [
        ledger_row("a", at=NOON, tags={"team": "x"}),
        ledger_row("b", at=NOON + 10, model="gpt-4o-mini", tags={"team": "y"}),
        ledger_row("c", at=NOON + 20, tenant="other", nano_usd=100),
        ledger_row("d", at=NOON + 30, flags=("estimated",)),
        ledger_row("e", at=NOON + 40, kind=RowKind.REFUSED, **REFUSED),
        ledger_row("f", at=NOON + 50, tags={"team": "=1+1"}),
    ]
    return house


async def read(client: httpx2.AsyncClient, path: str, **asked: Any) -> Any:
    answer = await client.get(path, params=asked)
    assert answer.status_code == 200
    return answer.json()


async def test_that_usage_is_summed_by_dimensions(owner: httpx2.AsyncClient) -> None:
    """A group for each pair of values, with its sums; without dimensions one for all."""
    groups = (await read(owner, "usage", group_by="tenant,model"))["data"]
    assert [(g["tenant"], g["model"], g["requests"], g["nano_usd"]) for g in groups] == [
        ("other", "gpt-4o", 1, 100),
        ("search", "gpt-4o", 3, 21),
        ("search", "gpt-4o-mini", 1, 7),
    ]
    assert (groups[1]["refused"], groups[1]["estimated"]) == (1, 1)
    (total,) = (await read(owner, "usage"))["data"]
    assert (total["requests"], total["input"], total["nano_usd"]) == (5, 25, 128)


async def test_that_usage_is_asked_for_by_period_and_values(owner: httpx2.AsyncClient) -> None:
    """From `since` on, before `until`; by tag too."""
    asked = {"since": NOON + 10, "until": NOON + 30, "group_by": "tag:team"}
    groups = (await read(owner, "usage", **asked))["data"]
    assert [(group["tag:team"], group["requests"]) for group in groups] == [("y", 1), (None, 1)]
    (total,) = (await read(owner, "usage", tag="team=x", tenant="search"))["data"]
    assert total["requests"] == 1


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ({"tag": ["team=x"]}, ["a"]),
        ({"tag": ["team=x", "team=y"]}, ["a", "b"]),
        ({"tag": ["team=x", "app=ci"]}, []),
        ({"tag": ["team=", "team=y"]}, ["b", "c", "d", "e"]),
        ({"status": "429"}, ["e"]),
        ({"error": "rate_limit_exceeded"}, ["e"]),
        ({"hour": "2026-09-21T14:00Z", "kind": "refused"}, ["e"]),
        ({"hour": "2026-09-21T15:00Z"}, []),
    ],
)
async def test_that_rows_are_chosen_by_any_dimension(
    owner: httpx2.AsyncClient, asked: dict[str, Any], ids: list[str]
) -> None:
    """Values of one tag are alternatives, one of them may be its absence; names must all match."""
    assert [row["id"] for row in (await read(owner, "ledger", **asked))["data"]] == ids
    (total,) = (await read(owner, "usage", **asked))["data"]
    assert total["requests"] + total["refused"] == len(ids)


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"group_by": "colour"}, "group_by"),
        ({"group_by": "tenant,tenant"}, "group_by"),
        ({"group_by": "tag:"}, "group_by"),
        ({"since": "yesterday"}, "since"),
        ({"until": "nan"}, "until"),
        ({"format": "xml"}, "format"),
        ({"tag": "team"}, "tag"),
        ({"colour": "red"}, "colour"),
        ({"limit": "5"}, "limit"),
    ],
)
async def test_that_a_mistake_is_named(
    owner: httpx2.AsyncClient, asked: dict[str, str], param: str
) -> None:
    """Nothing is passed over in silence: a wrong sum looks like a right one."""
    answer = await owner.get("usage", params=asked)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_that_a_tenant_admin_reads_its_own_usage_alone(
    house: AdminHouse, tenant_admin: httpx2.AsyncClient
) -> None:
    """Whatever is asked for; another tenant is not there."""
    groups = (await read(tenant_admin, "usage", group_by="tenant"))["data"]
    assert [group["tenant"] for group in groups] == ["search"]
    rows = (await read(tenant_admin, "ledger"))["data"]
    assert {row["tenant"] for row in rows} == {"search"}
    text = (await tenant_admin.get("ledger", params={"format": "csv"})).text
    assert "other" not in text
    for path in ("usage", "ledger"):
        assert (await tenant_admin.get(path, params={"tenant": "other"})).status_code == 404
    assert all(q.where["tenant"] == frozenset({"search"}) for q in house.ledger.queries)


async def test_that_the_ledger_is_read_in_parts(owner: httpx2.AsyncClient) -> None:
    """Each row once, in the order they were recorded, with all that is recorded."""
    found, cursor = [], "0"
    while cursor is not None:
        part = await read(owner, "ledger", cursor=cursor, limit=2, tenant="search")
        found += part["data"]
        cursor = part["next"]
    assert [row["id"] for row in found] == ["a", "b", "d", "e", "f"]
    assert found[0]["tags"] == {"team": "x"}
    assert (found[2]["flags"], found[2]["month"]) == (["estimated"], "2026-11")


async def test_that_csv_holds_every_row_and_runs_nothing(owner: httpx2.AsyncClient) -> None:
    """With a header; what a spreadsheet would run is text."""
    answer = await owner.get("ledger", params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'filename="ledger.csv"' in answer.headers["content-disposition"]
    assert answer.headers["cache-control"] == "no-store"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["id"] for row in rows] == ["a", "b", "c", "d", "e", "f"]
    usage = await owner.get("usage", params={"format": "csv", "group_by": "tag:team"})
    assert "\n'=1+1," in usage.text.replace("\r", "")


async def test_that_sums_by_tag_are_the_same_in_every_format(owner: httpx2.AsyncClient) -> None:
    """Who has no such tag is null, or empty."""
    asked = {"group_by": "tag:team,day", "tenant": "search"}
    groups = (await read(owner, "usage", **asked))["data"]
    assert [group["tag:team"] for group in groups] == ["=1+1", "x", "y", None]
    parquet = await owner.get("usage", params=asked | {"format": "parquet"})
    table = read_parquet(io.BytesIO(parquet.content)).read_all()
    assert table["tag:team"].to_pylist() == ["=1+1", "x", "y", None]
    assert table["nano_usd"].to_pylist() == [group["nano_usd"] for group in groups]
    text = (await owner.get("usage", params=asked | {"format": "csv"})).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["tag:team"] for row in rows] == ["'=1+1", "x", "y", ""]
    assert [int(row["nano_usd"]) for row in rows] == [group["nano_usd"] for group in groups]


async def test_that_parquet_holds_the_same_as_json(owner: httpx2.AsyncClient) -> None:
    """Read by another library's reader."""
    answer = await owner.get("ledger", params={"format": "parquet"})
    table = read_parquet(io.BytesIO(answer.content)).read_all()
    rows = (await read(owner, "ledger"))["data"]
    for name in ("id", "nano_usd", "at", "stream"):
        assert table[name].to_pylist() == [row[name] for row in rows]
    assert [json.loads(tags) for tags in table["tags"].to_pylist()] == [r["tags"] for r in rows]


async def test_that_a_damaged_ledger_is_said_and_never_summed(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """In every format: an error, not less than there is."""
    house.ledger.damaged_at = 3
    for path in ("usage", "ledger"):
        for form in ("json", "csv", "parquet"):
            answer = await owner.get(path, params={"format": form})
            assert answer.status_code == 500
            assert "cannot be trusted" in answer.json()["error"]["message"]


async def test_that_damage_far_into_a_file_breaks_the_answer_off(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """Half a file that was begun is not taken for all of it."""
    one = ledger_row("g", error="x" * 1000)
    house.ledger.recorded = [one] * (3 * PART_BYTES // 1000)
    house.ledger.damaged_at = len(house.ledger.recorded)
    app = house.app()
    transport = httpx2.ASGITransport(app, raise_app_exceptions=True)
    async with httpx2.AsyncClient(transport=transport, headers=owner.headers) as client:
        with pytest.raises(RuntimeError, match="response already started"):
            await client.get("http://admin/admin/v1/ledger?format=csv")
