"""Is it up, and is it fast? The first page to look at, and the one to leave on a wall."""

from __future__ import annotations

from typing import Final

from app.adapters.metrics.families import (
    ERRORS,
    FIRST_TOKEN,
    IN_FLIGHT,
    LATENCY,
    OUTPUT_TOKEN,
    OVERHEAD,
    REQUESTS,
    TOKENS_USED,
)
from grafana.source.panel import (
    Bars,
    Board,
    Graph,
    Heatmap,
    Row,
    Stat,
    above,
    below,
)
from grafana.source.query import Query, Scope, or_zero, quantiles

CHOSEN: Final = Scope.of("model", "tenant", "deployment")
#: Errors are not told by tenant, so what they are a part of must not be narrowed to one either.
ALL_TENANTS: Final = Scope.of("model")
#: Ours to answer for: callers' mistakes and refusals by rule are answers, not failures.
OURS: Final = 'fault=~"capacity|upstream|gateway"'
THEIRS: Final = 'fault=~"client|policy"'
#: Recorded by the rules for objectives, which know no instance.
REMAINING: Final = 'slo:period_error_budget_remaining:ratio{job=~"$job"}'
FAULT_COLORS: Final = (
    ("client", "blue"),
    ("policy", "yellow"),
    ("capacity", "orange"),
    ("upstream", "red"),
    ("gateway", "dark-red"),
)

REQUEST_RATE: Final = Stat(
    title="Requests",
    shows="Requests per second, whatever came of them.",
    red="It has no threshold. A sudden fall to nothing is callers that cannot reach the gateway: "
    "try `/healthz` from where they are, then look at DNS, certificates and the ingress.",
    queries=(Query(CHOSEN.rate(REQUESTS), "requests"),),
    unit="reqps",
    width=3,
)
SUCCESS: Final = Stat(
    title="Success, all tenants",
    shows="Of the requests in the time shown that were ours to serve, those that did not fail for "
    "want of capacity, by an upstream or by us. The objective is 99.9 %.",
    red="Look at *Errors by whose fault* for where it breaks, then follow the runbook.",
    queries=(
        Query(
            f"1 - {or_zero(ALL_TENANTS.grown(ERRORS, OURS))} / (({ALL_TENANTS.grown(REQUESTS)}"
            f" - {or_zero(ALL_TENANTS.grown(ERRORS, THEIRS))}) > 0)",
            "success",
        ),
    ),
    unit="percentunit",
    width=3,
    decimals=2,
    steps=below(0.999, 0.99),
    runbook="error-budget#spillgateerrorbudgetburnfast",
)
BUDGET_LEFT: Final = Stat(
    title="Error budget left",
    shows="What is left of the failures that 30 days may have: of availability, of the time to "
    "first token (2.5 s for 95 of 100) and of overhead, of the worst model each.",
    red="Below nothing: no risky change until it recovers, and find what used it up: set the time "
    "shown to 30 days.",
    queries=(Query(f"min by (slo) ({REMAINING})", "{{slo}}"),),
    unit="percentunit",
    width=5,
    decimals=0,
    steps=below(0.25, 0),
    runbook="error-budget#spillgateerrorbudgetburnslow",
)
FIRST_TOKEN_NOW: Final = Stat(
    title="First token, p95",
    shows="Within this time 95 of 100 streams had their first token.",
    red="Look at *First token by deployment*. One that is slow alone is Azure's: lower its weight. "
    "All of them slow with a high *overhead* is ours: look at Gateway internals.",
    queries=(Query(CHOSEN.quantile(0.95, FIRST_TOKEN), "p95"),),
    unit="s",
    width=3,
    steps=above(1, 2.5),
    runbook="slow-answers#spillgatefirsttokenslow",
)
OUTPUT_TOKEN_NOW: Final = Stat(
    title="Per output token, p95",
    shows="From the first token to the last byte by the tokens after the first.",
    red="Azure's targets are 10 to 50 ms by model. Above 100 ms people see it stutter: compare "
    "deployments, one at a time, at the top of the page.",
    queries=(Query(CHOSEN.quantile(0.95, OUTPUT_TOKEN), "p95"),),
    unit="s",
    width=3,
    steps=above(0.05, 0.1),
    runbook="slow-answers#spillgateoutputtokenregression",
)
LATENCY_NOW: Final = Stat(
    title="Latency, p95",
    shows="From the request's headers to the last byte, of answered requests.",
    red="It has no threshold, because long answers are long. Compare it with the time to first "
    "token and the time per output token, which do not depend on how long answers are.",
    queries=(Query(CHOSEN.quantile(0.95, LATENCY), "p95"),),
    unit="s",
    width=3,
)
THROUGHPUT_NOW: Final = Stat(
    title="Output tokens/s",
    shows="What all deployments together generate, reasoning included.",
    red="It has no threshold. Falling while *in flight* rises means that upstreams stall: look at "
    "the time per output token by deployment.",
    queries=(Query(CHOSEN.rate(TOKENS_USED, 'type=~"output|reasoning"'), "output tokens/s"),),
    unit="short",
    width=2,
)
IN_FLIGHT_NOW: Final = Stat(
    title="In flight",
    shows="Requests that are being served at this moment, streams included.",
    red="It has no threshold. What counts for scaling is this by replica: add replicas while the "
    "event loop lags, not because of the number alone.",
    queries=(Query(CHOSEN.now(IN_FLIGHT), "in flight"),),
    unit="short",
    width=2,
)

BY_STATUS: Final = Graph(
    title="Requests by status",
    shows="Requests per second by the status that was sent; 499 is a client that left before any.",
    red="429 is a limit or want of capacity, 5xx a failure: *Errors by type* tells which.",
    queries=(Query(CHOSEN.rate(REQUESTS, by=["status"]), "{{status}}"),),
    unit="reqps",
    stacked=True,
    colors=(("200", "green"), ("429", "orange"), ("499", "blue")),
)
BY_FAULT: Final = Graph(
    title="Errors by whose fault",
    shows="Failed requests per second. Client: a bad request. Policy: a limit or rule of ours. "
    "Capacity: Azure had none. Upstream: Azure failed. Gateway: we did.",
    red="Capacity: go to PTU and spill. Upstream: look at *attempts by verdict* there, and at "
    "Azure's status page. Gateway: look at Gateway internals and the log.",
    queries=(Query(ALL_TENANTS.rate(ERRORS, by=["fault"]), "{{fault}}"),),
    unit="reqps",
    stacked=True,
    colors=FAULT_COLORS,
    runbook="error-budget#spillgateerrorbudgetburnfast",
)
BY_TYPE: Final = Graph(
    title="Errors by type",
    shows="The same failures by the type that callers are told, limits and bad requests included.",
    red="Take a request id from the log line of that type and run `spillgate explain ID`: it says "
    "what was tried and why it ended so.",
    queries=(Query(ALL_TENANTS.rate(ERRORS, by=["error_type"]), "{{error_type}}"),),
    unit="reqps",
    stacked=True,
)
BY_MODEL: Final = Graph(
    title="Requests by model",
    shows="Requests per second by the model that callers ask for; `other` names none that is "
    "configured.",
    red="It has no threshold. Much `other` is a caller with a wrong model name, who gets 404.",
    queries=(Query(CHOSEN.rate(REQUESTS, by=["model"]), "{{model}}"),),
    unit="reqps",
    stacked=True,
)

FIRST_TOKENS: Final = Graph(
    title="Time to first token",
    shows="From the request's headers to the first token handed to the client, of streams.",
    red="The dots are traces: open a slow one and see which stage took the time. Waiting in line "
    "and retries before the first token show there as spans of their own.",
    queries=quantiles(CHOSEN, FIRST_TOKEN, 0.5, 0.95, 0.99),
    unit="s",
    traces=True,
    runbook="slow-answers#spillgatefirsttokenslow",
)
OUTPUT_TOKENS: Final = Graph(
    title="Time per output token",
    shows="From the first token to the last byte by the tokens after the first.",
    red="Azure's targets are 10 to 50 ms by model. Above them the deployment is overloaded, or "
    "the client reads slowly: compare deployments.",
    queries=quantiles(CHOSEN, OUTPUT_TOKEN, 0.5, 0.95),
    unit="s",
    traces=True,
)
LATENCIES: Final = Graph(
    title="Latency",
    shows="From the request's headers to the last byte, of requests answered with 2xx.",
    red="Where both figures to the left are as ever, answers have become longer: look at the "
    "tokens below.",
    queries=quantiles(CHOSEN, LATENCY, 0.5, 0.95, 0.99),
    unit="s",
    traces=True,
)
OVERHEADS: Final = Graph(
    title="What the gateway adds",
    shows="From the request's headers to the first attempt, without waiting in line: "
    "authentication, quota, cache and routing.",
    red="A slow Redis adds its round trips, a busy process its loop lag: both are on Gateway "
    "internals. Add replicas when the loop lags.",
    queries=(
        Query(CHOSEN.quantile(0.5, OVERHEAD), "p50"),
        Query(CHOSEN.quantile(0.99, OVERHEAD), "p99"),
    ),
    unit="s",
    steps=above(0.05),
    runbook="process#spillgateeventlooplag",
)
BY_TOKEN_TYPE: Final = Graph(
    title="Tokens per second by type",
    shows="Tokens charged; the types are disjoint.",
    red="It has no threshold. Much input that is not cached is a prompt that changes at its "
    "beginning: put what stays the same first.",
    queries=(Query(CHOSEN.rate(TOKENS_USED, by=["type"]), "{{type}}"),),
    unit="short",
    stacked=True,
)
FIRST_TOKEN_BY_DEPLOYMENT: Final = Bars(
    title="First token by deployment, p95",
    shows="Which deployment is slow to begin.",
    red="One that is slow alone: see Azure's metrics of it, lower its weight in `models`, or take "
    "it out of its tier until it recovers.",
    queries=(Query(CHOSEN.quantile(0.95, FIRST_TOKEN, by=["deployment"]), "{{deployment}}"),),
    unit="s",
    steps=above(1, 2.5),
    runbook="slow-answers#spillgatefirsttokenslow",
)
FIRST_TOKEN_HEAT: Final = Heatmap(
    title="First tokens",
    shows="How many streams had their first token after how long. Two bands are two kinds of "
    "request, or of deployment.",
    red="A new band above the usual one is a deployment or a tenant with much longer prompts: "
    "choose one at the top of the page after the other.",
    queries=(Query(CHOSEN.heat(FIRST_TOKEN), "{{le}}", exemplars=True),),
    unit="s",
    traces=True,
)
IN_FLIGHT_COURSE: Final = Graph(
    title="In flight by replica",
    shows="Requests that are being served, by replica.",
    red="One replica far above the others keeps connections that balancers do not move: restart "
    "callers' pools, or balance by request instead of by connection.",
    queries=(Query(CHOSEN.now(IN_FLIGHT, by=["instance"]), "{{instance}}"),),
    unit="short",
)


OVERVIEW: Final = Board(
    uid="spillgate-overview",
    title="Spillgate / Overview",
    question="Is it up, and is it fast?",
    variables=("model", "tenant", "region", "deployment"),
    rows=(
        Row(
            "Now",
            (
                REQUEST_RATE,
                SUCCESS,
                BUDGET_LEFT,
                FIRST_TOKEN_NOW,
                OUTPUT_TOKEN_NOW,
                LATENCY_NOW,
                THROUGHPUT_NOW,
                IN_FLIGHT_NOW,
            ),
        ),
        Row("Is it up?", (BY_STATUS, BY_FAULT, BY_TYPE, BY_MODEL)),
        Row("Is it fast?", (FIRST_TOKENS, OUTPUT_TOKENS, LATENCIES, OVERHEADS)),
        Row(
            "How much, and where",
            (BY_TOKEN_TYPE, FIRST_TOKEN_BY_DEPLOYMENT, FIRST_TOKEN_HEAT, IN_FLIGHT_COURSE),
        ),
    ),
)
