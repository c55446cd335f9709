"""Who spends what, and how near is everybody to the limits?"""

from __future__ import annotations

from typing import Final

from app.adapters.metrics.families import (
    ANOMALY,
    CACHE_SAVED_COST,
    COST,
    DEPLOYMENT_COST,
    DEPLOYMENT_TOKENS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    POLICY_FINDINGS,
    PTU_PRICE,
    QUOTA_REFUSALS,
    QUOTA_USED,
    REQUESTS,
    SPILL_COST,
    TOKENS_USED,
)
from grafana.source.panel import Bars, Board, Column, Graph, Row, Stat, Table, above
from grafana.source.query import Query, Scope, of_all, or_zero

CHOSEN: Final = Scope.of("model", "tenant", "deployment")
DAY_S: Final = 86_400
#: A month of 730 hours, as Azure bills.
MONTH_S: Final = 2_628_000
#: Until the first of the next month, UTC.
MONTH_LEFT_S: Final = (
    "scalar((days_in_month() - day_of_month() + 1) * 86400 - hour() * 3600 - minute() * 60)"
)
MONTHLY: Final = CHOSEN.series(QUOTA_USED, 'limit=~"usd_per_month|tokens_per_month"')
OUTPUT: Final = 'type=~"output|reasoning"'

IS_PAYGO: Final = 'kind="paygo"'
HOURLY_PRICE: Final = CHOSEN.now(PTU_PRICE, by=["deployment"])
TOKENS_BY_DEPLOYMENT: Final = CHOSEN.rate(DEPLOYMENT_TOKENS, by=["deployment"])
#: Million tokens an hour are 3600 / 1,000,000 of tokens a second.
PTU_EFFECTIVE: Final = f"{HOURLY_PRICE} / (({TOKENS_BY_DEPLOYMENT} > 0) * 0.0036)"
PAYGO_EFFECTIVE: Final = (
    f"1e6 * {CHOSEN.rate(DEPLOYMENT_COST, IS_PAYGO, by=['deployment'])}"
    f" / ({TOKENS_BY_DEPLOYMENT} > 0)"
)

SPENT: Final = Stat(
    title="Spent",
    shows="What requests cost in the time shown, by the price table.",
    red="It has no threshold: budgets have. The ledger is the account, `spillgate usage --by "
    "tenant`; this is its curve.",
    queries=(Query(or_zero(CHOSEN.grown(COST)), "spent"),),
    unit="currencyUSD",
)
A_MONTH: Final = Stat(
    title="A month at this rate",
    shows="What 730 hours like the last few minutes cost.",
    red="It has no threshold. Set the time shown to a working day before you believe it.",
    queries=(Query(f"{MONTH_S} * {CHOSEN.rate(COST)}", "a month"),),
    unit="currencyUSD",
    decimals=0,
)
PER_THOUSAND: Final = Stat(
    title="Per 1,000 requests",
    shows="What a thousand requests cost in the time shown, refused and cached ones included.",
    red="It has no threshold. A jump is another model, longer prompts or a cache that went cold.",
    queries=(Query(f"1000 * {of_all(CHOSEN.grown(COST), CHOSEN.grown(REQUESTS))}", "per 1,000"),),
    unit="currencyUSD",
)
SPILL_PART: Final = Stat(
    title="Of it, spilled",
    shows="The part of the money that went to requests that left their first tier.",
    red="Above a third for days: compare it with the price of more PTUs. *Dollars per million "
    "tokens* says what yours cost by their use.",
    queries=(Query(of_all(CHOSEN.grown(SPILL_COST), CHOSEN.grown(COST)), "spilled"),),
    unit="percentunit",
    decimals=1,
    steps=above(0.33, 0.66),
    runbook="spending#spillgatespillspending",
)
SAVED: Final = Stat(
    title="Saved by the cache",
    shows="What answers from the cache would have cost.",
    red="It has no threshold; the dashboard Cache has the details.",
    queries=(Query(or_zero(CHOSEN.grown(CACHE_SAVED_COST)), "saved"),),
    unit="currencyUSD",
)
REFUSALS: Final = Stat(
    title="Refused for a limit",
    shows="Requests in the time shown that were refused for a limit of their tenant.",
    red="That is what limits are for. If a tenant complains, the table of limits says which one; "
    "`spillgate limit set` changes it at once.",
    queries=(Query(or_zero(CHOSEN.grown(QUOTA_REFUSALS)), "refused"),),
    unit="short",
    decimals=0,
    runbook="spending#spillgatebudgetnearlyused",
)

BY_TENANT: Final = Graph(
    title="Dollars per day by tenant",
    shows="What each tenant spends, as if it went on for a day.",
    red="A step up: ask the tenant what it has begun. `spillgate usage --tenant NAME --by model` "
    "has the figures by key, model and tag.",
    queries=(Query(f"{DAY_S} * {CHOSEN.rate(COST, by=['tenant'])}", "{{tenant}}"),),
    unit="currencyUSD",
    stacked=True,
    runbook="spending#spillgatebudgetnearlyused",
)
BY_MODEL: Final = Graph(
    title="Dollars per day by model",
    shows="The same by the model that was asked for.",
    red="A dear model that grows: see which tenants may use it, and whether a smaller one will do.",
    queries=(Query(f"{DAY_S} * {CHOSEN.rate(COST, by=['model'])}", "{{model}}"),),
    unit="currencyUSD",
    stacked=True,
)
BY_KIND: Final = Graph(
    title="Dollars per day by kind of deployment",
    shows="The same by who served: provisioned (by use of its hourly price) or pay-as-you-go.",
    red="Pay-as-you-go above provisioned for days means that the PTUs are too small.",
    queries=(Query(f"{DAY_S} * {CHOSEN.rate(DEPLOYMENT_COST, by=['kind'])}", "{{kind}}"),),
    unit="currencyUSD",
    stacked=True,
    colors=(("ptu", "green"), ("paygo", "orange")),
)
PER_MILLION: Final = Graph(
    title="Dollars per million tokens",
    shows="Of a PTU its hourly price by the tokens that it serves, idle time included (solid). Of "
    "pay-as-you-go what its tokens cost (dashed). All types of tokens together.",
    red="A PTU above the dashed lines costs more than pay-as-you-go would: send it more, or give "
    "PTUs back. Below them it pays.",
    queries=(
        Query(PTU_EFFECTIVE, "{{deployment}}"),
        Query(PAYGO_EFFECTIVE, "{{deployment}} paygo"),
    ),
    unit="currencyUSD",
    dashed="/ paygo$/",
    logarithmic=True,
    least=None,
    runbook="ptu#spillgateptuidle",
)

LIMITS: Final = Table(
    title="Limits used",
    shows="How much of each limit is used and held. Above 100 % where the limit is soft.",
    red="Above 90 %: the tenant is refused next. Raise the limit with `spillgate limit set`, or "
    "tell the tenant.",
    queries=(Query(f"sort_desc({CHOSEN.now(QUOTA_USED, by=['tenant', 'limit'])})", ""),),
    unit="percentunit",
    width=6,
    columns=(
        Column("tenant", "Tenant"),
        Column("limit", "Limit"),
        Column("Value", "Used", "percentunit", above(0.8, 0.95), gauge=True, decimals=0),
    ),
    sort="Used",
    runbook="spending#spillgatebudgetnearlyused",
)
AT_MONTHS_END: Final = Bars(
    title="Monthly limits at the month's end",
    shows="Where each limit per month will be if the last day's course goes on. Early in the month "
    "the day before counts, too, and the figure is low.",
    red="Above 100 %: the tenant will be refused before the month ends. Tell it now.",
    queries=(
        Query(
            f"max by (tenant, limit) (predict_linear({MONTHLY}[1d], {MONTH_LEFT_S}))",
            "{{tenant}} {{limit}}",
        ),
    ),
    unit="percentunit",
    steps=above(0.8, 1),
    most=1.5,
    decimals=0,
    runbook="spending#spillgatebudgetnearlyused",
)
TENANTS: Final = Table(
    title="Tenants",
    shows="What each tenant asked, used, spent and saved in the time shown.",
    red="Much refused: see its limits. Much spilled: see its class and share on PTU and spill.",
    queries=(
        Query(CHOSEN.grown(REQUESTS, by=["tenant"]), ""),
        Query(CHOSEN.grown(TOKENS_USED, by=["tenant"]), ""),
        Query(CHOSEN.grown(TOKENS_USED, OUTPUT, by=["tenant"]), ""),
        Query(CHOSEN.grown(COST, by=["tenant"]), ""),
        Query(CHOSEN.grown(SPILL_COST, by=["tenant"]), ""),
        Query(CHOSEN.grown(CACHE_SAVED_COST, by=["tenant"]), ""),
        Query(CHOSEN.grown(QUOTA_REFUSALS, by=["tenant"]), ""),
    ),
    columns=(
        Column("tenant", "Tenant"),
        Column("Value #A", "Requests", "short", decimals=0),
        Column("Value #B", "Tokens", "short"),
        Column("Value #C", "of it output", "short"),
        Column("Value #D", "Cost", "currencyUSD"),
        Column("Value #E", "of it spilled", "currencyUSD"),
        Column("Value #F", "Saved", "currencyUSD"),
        Column("Value #G", "Refused", "short", decimals=0),
    ),
    sort="Cost",
    width=12,
)
REFUSED: Final = Graph(
    title="Refused by tenant and limit",
    shows="Requests per second that were refused for a limit of their tenant, or by an input "
    "policy; the latter are those of all tenants.",
    red="A steady line is a caller that does not wait as it is told: SDKs do, by `retry-after-ms`. "
    "Ask whose retries are its own.",
    queries=(
        Query(CHOSEN.rate(QUOTA_REFUSALS, by=["tenant", "limit"]), "{{tenant}} {{limit}}"),
        Query(CHOSEN.rate(POLICY_FINDINGS, 'action="block"', by=["kind"]), "policy: {{kind}}"),
    ),
    unit="reqps",
    stacked=True,
    runbook="spending#spillgatebudgetnearlyused",
)
SPILLED: Final = Graph(
    title="Spilling per day by tenant",
    shows="Dollars that each tenant spends on requests that left their first tier, as if it went "
    "on for a day.",
    red="Give the tenant a share, a lower class or a budget: `spillgate tenant update NAME "
    "--spill …`.",
    queries=(Query(f"{DAY_S} * {CHOSEN.rate(SPILL_COST, by=['tenant'])}", "{{tenant}}"),),
    unit="currencyUSD",
    stacked=True,
    runbook="spending#spillgatespillspending",
)
LENGTHS: Final = Graph(
    title="Tokens of a request, p95",
    shows="Of 100 requests 95 had a prompt and an answer of at most so many tokens.",
    red="It has no threshold. Longer prompts cost more and begin later. `spillgate usage --by "
    "tenant` says whose they are.",
    queries=(
        Query(CHOSEN.quantile(0.95, INPUT_TOKENS), "input"),
        Query(CHOSEN.quantile(0.95, OUTPUT_TOKENS), "output"),
    ),
    unit="short",
    logarithmic=True,
    least=None,
)
ANOMALIES: Final = Graph(
    title="Far off its own history",
    shows="How far a tenant's last hour is from the same hour of earlier weeks, in robust standard "
    "deviations; without three weeks of history from that hour of its days. The first week has "
    "none.",
    red="Above: a new use, a loop or a stolen key; `spillgate usage` by key tells which. Below: "
    "callers that cannot reach us.",
    queries=(Query(CHOSEN.now(ANOMALY, by=["tenant", "measure"]), "{{tenant}} {{measure}}"),),
    unit="short",
    least=None,
    steps=above(5),
    runbook="spending#spillgatetenantanomaly",
)

TENANTS_AND_COST: Final = Board(
    uid="spillgate-tenants",
    title="Spillgate / Tenants and cost",
    question="Who spends what, and how near is everybody to the limits?",
    variables=("model", "tenant", "region", "deployment"),
    rows=(
        Row("In the time shown", (SPENT, A_MONTH, PER_THOUSAND, SPILL_PART, SAVED, REFUSALS)),
        Row("Where it goes", (BY_TENANT, BY_MODEL, BY_KIND, PER_MILLION)),
        Row("Who, and how near to the limits", (TENANTS, LIMITS, AT_MONTHS_END)),
        Row("What stands out", (REFUSED, SPILLED, LENGTHS, ANOMALIES)),
    ),
)
