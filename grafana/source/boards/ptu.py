"""How full are the PTUs, and why does it spill?"""

from __future__ import annotations

from typing import Final

from app.adapters.metrics.families import (
    ATTEMPTS,
    CAPACITY,
    CLASS_REQUESTS,
    DEPLOYMENT_INFO,
    DEPLOYMENT_TOKENS,
    HEALTH,
    HOLD,
    PTU_REPORTED,
    PTU_SHARE,
    PTU_UTILIZATION,
    QUEUE,
    QUEUE_WAIT,
    RETRY_AFTER,
    SPILL,
    SPILL_COST,
    THROTTLES,
)
from grafana.source.panel import Bars, Board, Column, Graph, Heatmap, Row, Stat, Table, above
from grafana.source.query import Query, Scope, of_all, or_zero

CHOSEN: Final = Scope.of("model", "tenant", "deployment")
UTILIZATION: Final = CHOSEN.now(PTU_UTILIZATION, by=["deployment"])
TOKENS_PER_MINUTE: Final = f"60 * {CHOSEN.rate(DEPLOYMENT_TOKENS, by=['deployment'])}"
#: By class it is known of how many answers those that spilled are a part.
ANSWERED: Final = CHOSEN.grown(CLASS_REQUESTS)
DID_SPILL: Final = 'spill!="none"'
SPILLED: Final = CHOSEN.grown(CLASS_REQUESTS, DID_SPILL)
SPILLED_OF_CLASS: Final = of_all(
    CHOSEN.rate(CLASS_REQUESTS, DID_SPILL, by=["class"]), CHOSEN.rate(CLASS_REQUESTS, by=["class"])
)
IS_HEALTHY: Final = 'state="healthy"'
HEALTHY: Final = (
    f"{CHOSEN.now(HEALTH, IS_HEALTHY, by=['deployment'])} / {CHOSEN.now(HEALTH, by=['deployment'])}"
)
ITS_FAULT: Final = 'verdict=~"failed|misconfigured"'
FAILING: Final = of_all(
    CHOSEN.rate(ATTEMPTS, ITS_FAULT, by=["deployment"]), CHOSEN.rate(ATTEMPTS, by=["deployment"])
)
REGIONS: Final = f"max by (deployment, region) ({CHOSEN.series(DEPLOYMENT_INFO)})"


def _time_above(part: float) -> str:
    """The part of the time shown for which a PTU was fuller than `part`."""
    return f"avg_over_time(({UTILIZATION} > bool {part})[$__range:])"


FULLEST: Final = Stat(
    title="Fullest PTU",
    shows="How full the gateway believes the fullest PTU to be. 100 % is where Azure refuses.",
    red="At 100 % for long the PTU is too small for its load. Compare what spilling costs, to the "
    "right, with the price of more PTUs before you buy.",
    queries=(Query(CHOSEN.now(PTU_UTILIZATION), "fullest"),),
    unit="percentunit",
    decimals=0,
    steps=above(0.9, 1),
    runbook="ptu#spillgateptusaturated",
)
NEARLY_FULL: Final = Stat(
    title="Time above 90 %",
    shows="The part of the time shown in which the fullest PTU was above 90 %.",
    red="A few percent is a PTU well used. A third and more is one that most peaks do not fit in.",
    queries=(Query(f"max({_time_above(0.9)})", "above 90 %"),),
    unit="percentunit",
    decimals=1,
    steps=above(0.33, 0.66),
    runbook="ptu#spillgateptusaturated",
)
FULL: Final = Stat(
    title="Time at 100 %",
    shows="The part of the time shown in which the fullest PTU had no room at all.",
    red="Everything asked meanwhile was spilled, made to wait or refused. Buy PTUs, give shares "
    "to who matters, or move batch work to the night.",
    queries=(Query(f"max({_time_above(0.99)})", "at 100 %"),),
    unit="percentunit",
    decimals=1,
    steps=above(0.1, 0.33),
    runbook="ptu#spillgateptusaturated",
)
SPILL_SHARE: Final = Stat(
    title="Spilled",
    shows="Of the answers in the time shown, those that left their first tier.",
    red="*Why it spills* has the reason. `error` and `unhealthy` are faults to mend; the others "
    "are want of room.",
    queries=(Query(of_all(SPILLED, ANSWERED), "spilled"),),
    unit="percentunit",
    decimals=1,
    steps=above(0.2, 0.5),
    runbook="spending#spillgatespillspending",
)
SPILL_SPENT: Final = Stat(
    title="Spent on spilling",
    shows="What requests cost that left their first tier, in the time shown.",
    red="It has no threshold of its own: tenants have, as `spill: {usd_per_day: …}`. Compare it "
    "with what one more PTU costs.",
    queries=(Query(or_zero(CHOSEN.grown(SPILL_COST)), "spilled"),),
    unit="currencyUSD",
    runbook="spending#spillgatespillspending",
)
WAITING: Final = Stat(
    title="Waiting for room",
    shows="Requests in line at this moment.",
    red="They wait for seconds at most (`routing.wait_s`) and are then spilled or refused. A line "
    "that never empties is a PTU that is too small.",
    queries=(Query(CHOSEN.now(QUEUE), "waiting"),),
    unit="short",
    steps=above(20, 100),
    runbook="process#spillgatequeuelong",
)

FULLNESS: Final = Graph(
    title="Utilisation, believed and reported",
    shows="How full each PTU is: believed by the gateway (solid), and as the deployment last "
    "reported it (dashed).",
    red="At 100 %: buy PTUs or spread the load. Where both lines part for minutes somebody else "
    "uses the PTU, too, or its `ptus` in the configuration are wrong.",
    queries=(
        Query(UTILIZATION, "{{deployment}}"),
        Query(CHOSEN.now(PTU_REPORTED, by=["deployment"]), "{{deployment}} reported"),
    ),
    unit="percentunit",
    width=9,
    steps=above(1),
    most=1.1,
    dashed="/ reported$/",
    runbook="ptu#spillgateptusaturated",
)
SHARES: Final = Graph(
    title="Whose the PTUs are",
    shows="To what part of each PTU a tenant is entitled while it asks: its `ptu_share`, and by "
    "`ptu_weight` a part of the rest. It is not what it uses. Who has not asked for a minute has "
    "none.",
    red="It has no threshold. A tenant that spills with reason `share` has used up its part: raise "
    "its share with `spillgate tenant update NAME --ptu-share`.",
    queries=(Query(CHOSEN.now(PTU_SHARE, by=["deployment", "tenant"]), "{{tenant}}"),),
    unit="percentunit",
    width=7,
    stacked=True,
    most=1,
)
AGAINST_CAPACITY: Final = Bars(
    title="Tokens per minute, of capacity",
    shows="Tokens of the last minute by what a deployment can take: of pay-as-you-go its quota, "
    "of a PTU input tokens by Azure's sizing table, of which an output token takes several.",
    red="Pay-as-you-go near 100 % refuses next: raise its quota in Azure, or add a deployment to "
    "its tier. How full a PTU is says its utilisation.",
    queries=(
        Query(f"{TOKENS_PER_MINUTE} / {CHOSEN.now(CAPACITY, by=['deployment'])}", "{{deployment}}"),
    ),
    unit="percentunit",
    width=8,
    steps=above(0.8, 0.95),
    most=1,
    runbook="deployments#spillgatemodelwithoutcapacity",
)

WHY: Final = Graph(
    title="Why it spills",
    shows="Answers per second that left their first tier. Throttled: refused by the deployment. "
    "Held: left alone after a refusal. Predicted: believed to be full. Share: the tenant's part "
    "is used. Size: too large at once. Error, unhealthy: failing. Policy: a rule.",
    red="`error`, `unhealthy`: see *attempts by verdict*. `share`: see *whose the PTUs are*. "
    "Others: the PTU is full.",
    queries=(Query(CHOSEN.rate(SPILL, by=["reason"]), "{{reason}}"),),
    unit="reqps",
    stacked=True,
    runbook="spending#spillgatespillspending",
)
BY_CLASS: Final = Graph(
    title="Spilled by class",
    shows="Of each class's answers, those that spilled. Higher classes should spill less.",
    red="`critical` as high as `batch` means that nobody gives way: check the classes of tenants "
    "with `spillgate tenant list`.",
    queries=(Query(SPILLED_OF_CLASS, "{{class}}"),),
    unit="percentunit",
    most=1,
    runbook="spending#spillgatespillspending",
)
VERDICTS: Final = Graph(
    title="Attempts by verdict",
    shows="Deployments asked per second, by what came of it.",
    red="`failed`: an outage or network fault, see the table below for where. `misconfigured`: a "
    "key, name or api-version is wrong; `spillgate check --probe` says which.",
    queries=(Query(CHOSEN.rate(ATTEMPTS, by=["verdict"]), "{{verdict}}"),),
    unit="reqps",
    stacked=True,
    colors=(("accept", "green"), ("throttled", "orange"), ("failed", "red")),
    runbook="deployments#spillgatedeploymentejected",
)
REFUSED: Final = Graph(
    title="Throttled by deployment and reason",
    shows="429s of deployments per second. Tokens, calls: a quota per minute. Lowered: Azure "
    "grants less for now. Provisioned: a full PTU. Peak load: Azure itself is full.",
    red="`tokens`, `calls`: raise the quota. `provisioned` often: the belief above is too low, "
    "somebody else uses the PTU.",
    queries=(
        Query(CHOSEN.rate(THROTTLES, by=["deployment", "reason"]), "{{deployment}} {{reason}}"),
    ),
    unit="reqps",
    stacked=True,
    runbook="deployments#spillgatepaygolimitlowered",
)

DEPLOYMENTS: Final = Table(
    title="Deployments",
    shows="How each one is: the part of workers that think it healthy, for how long it will not "
    "be asked, what it serves, and how much of what is asked fails.",
    red="Not healthy or failing: ask it past the gateway, see its page in Azure, and look for its "
    "name in the log. It comes back by itself.",
    queries=(
        Query(f"max by (deployment, kind, region) ({CHOSEN.series(DEPLOYMENT_INFO)})", ""),
        Query(HEALTHY, ""),
        Query(CHOSEN.now(HOLD, by=["deployment"]), ""),
        Query(CHOSEN.rate(ATTEMPTS, 'verdict="accept"', by=["deployment"]), ""),
        Query(FAILING, ""),
    ),
    columns=(
        Column("deployment", "Deployment"),
        Column("kind", "Kind"),
        Column("region", "Region"),
        Column("Value #B", "Healthy", "percentunit", ((None, "red"), (1, "green")), decimals=0),
        Column("Value #C", "Held for", "s", above(1, 30), decimals=1),
        Column("Value #D", "Serves", "reqps"),
        Column("Value #E", "Fails", "percentunit", above(0.01, 0.1), decimals=1),
    ),
    sort="Serves",
    width=9,
    runbook="deployments#spillgatedeploymentejected",
)
RETRY_AFTERS: Final = Heatmap(
    title="Retry-after",
    shows="How long deployments asked to be left alone, and how often.",
    red="Milliseconds come from PTUs, whole seconds from quotas. Whole minutes: see Azure's quota "
    "page of the subscription.",
    queries=(Query(CHOSEN.heat(RETRY_AFTER), "{{le}}"),),
    width=5,
    unit="s",
    runbook="deployments#spillgatemodelwithoutcapacity",
)
QUEUE_WAITS: Final = Graph(
    title="Waited in line, p95",
    shows="How long requests waited for room, by class, of those that waited.",
    red="Near `routing.wait_s` waiting is in vain: requests wait and are then refused. Buy PTUs, "
    "allow tenants to spill, or shorten the patience of their class.",
    queries=(Query(CHOSEN.quantile(0.95, QUEUE_WAIT, by=["class"]), "{{class}}"),),
    width=5,
    unit="s",
    runbook="ptu#spillgateptusaturated",
)
BY_REGION: Final = Graph(
    title="Tokens per minute by region",
    shows="Where what callers ask is processed.",
    red="It has no threshold. Where tenants may be served is their policy and never left; a "
    "region that grows here takes what spills.",
    queries=(
        Query(
            f"sum by (region) ({TOKENS_PER_MINUTE} * on (deployment) group_left (region)"
            f" {REGIONS})",
            "{{region}}",
        ),
    ),
    width=5,
    unit="short",
    stacked=True,
)

PTU: Final = Board(
    uid="spillgate-ptu",
    title="Spillgate / PTU and spill",
    question="How full are the PTUs, and why does it spill?",
    variables=("model", "tenant", "region", "deployment"),
    rows=(
        Row("Now", (FULLEST, NEARLY_FULL, FULL, SPILL_SHARE, SPILL_SPENT, WAITING)),
        Row("How full are they?", (FULLNESS, SHARES, AGAINST_CAPACITY)),
        Row("Why does it spill?", (WHY, BY_CLASS, VERDICTS, REFUSED)),
        Row("Who can be asked?", (DEPLOYMENTS, RETRY_AFTERS, QUEUE_WAITS, BY_REGION)),
    ),
)
