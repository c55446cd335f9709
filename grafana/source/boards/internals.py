"""Is the gateway itself well, and what it depends on?"""

from __future__ import annotations

from typing import Final

from app.adapters.metrics.families import (
    ARCHIVE_AGE,
    BACKGROUND_FAILURES,
    BUILD_INFO,
    CONFIG_GENERATION,
    CONFIG_HASH,
    CONFIG_RELOAD_OK,
    CONNECTIONS,
    CPU,
    DEGRADED,
    DEPENDENCY_FAILURES,
    DEPENDENCY_UP,
    DRAINING,
    ESTIMATED,
    EXPIRY,
    EXPORT_AGE,
    LEDGER_DRIFT,
    LEDGER_DROPPED,
    LEDGER_WAITING,
    LOOP_LAG,
    LOST,
    MEMORY,
    MOST_FILES,
    OPEN_FILES,
    STARTED,
    WORKERS,
)
from grafana.source.panel import Board, Column, Graph, Row, Stat, Table, above, below
from grafana.source.query import Query, Scope, or_zero
from grafana.source.standard import UP

ALL: Final = Scope.of()
DAY_S: Final = 86_400
BY_INSTANCE: Final = ("instance",)
ARCHIVE_AGE_S: Final = f"time() - {ALL.now(ARCHIVE_AGE)}"
EXPORT_AGE_S: Final = f"time() - {ALL.now(EXPORT_AGE, by=['sink'])}"

REPLICAS: Final = Stat(
    title="Replicas up",
    shows="Replicas that Prometheus reaches, of all that it knows.",
    red="One is down or does not answer in time: see its last log lines. The others go on.",
    queries=(Query(f"sum({ALL.series(UP)}) / count({ALL.series(UP)})", "up"),),
    unit="percentunit",
    width=3,
    decimals=0,
    steps=below(1, 0.5),
    runbook="process#spillgatedown",
)
DEPENDENCIES: Final = Stat(
    title="Dependencies",
    shows="Whether each dependency answers, as the worst replica sees it.",
    red="The policy to the right is in force meanwhile. Mend the dependency; nothing has to be "
    "restarted here when it is back.",
    queries=(Query(ALL.now(DEPENDENCY_UP, by=["dependency"]), "{{dependency}}"),),
    unit="short",
    width=12,
    steps=below(1, 1),
    names=(("0", "down", "red"), ("1", "up", "green")),
    runbook="dependencies#spillgatequotastoredegraded",
)
CONFIGURED: Final = Stat(
    title="Configuration",
    shows="Whether the file in place is in force everywhere.",
    red="The last good one is. `spillgate check --config FILE` says what is wrong with the new "
    "one, with line and column.",
    queries=(Query(ALL.now(CONFIG_RELOAD_OK), "reload"),),
    unit="short",
    width=3,
    steps=below(1, 1),
    names=(("0", "refused", "red"), ("1", "in force", "green")),
    runbook="config#spillgateconfigreloadfailed",
)
CONFIGURATIONS: Final = Stat(
    title="Files in force",
    shows="How many different configurations replicas have in force.",
    red="More than one for longer than a rollout: a replica could not read the file, or has not "
    "been given it. *Replicas* below tells which.",
    queries=(Query(f'count(count_values("hash", {ALL.series(CONFIG_HASH)}))', "files"),),
    unit="short",
    width=3,
    decimals=0,
    steps=above(2),
    runbook="config#spillgateconfigsdiffer",
)
UNWRITTEN: Final = Stat(
    title="Ledger rows lost",
    shows="Rows of the time shown that are in no ledger, or waited in memory alone; those of "
    "refusals left out.",
    red="The log has each that Redis refused with its id and amounts: settle those by hand. What "
    "waits in memory alone is settled when Redis is back, unless its worker ends before.",
    queries=(Query(or_zero(ALL.grown(LEDGER_DROPPED, 'kind!="refusal"')), "lost"),),
    unit="short",
    width=3,
    decimals=0,
    steps=above(1),
    runbook="ledger#spillgateledgerrowsdropped",
)

FAILURES: Final = Graph(
    title="Failures by dependency and policy",
    shows="Failures of dependencies per second, and the policy that held instead.",
    red="`fail_closed` refuses requests, `local_share` grants half of every limit, `drop` loses "
    "what is not essential: the runbook has each.",
    queries=(
        Query(
            ALL.rate(DEPENDENCY_FAILURES, by=["dependency", "policy"]), "{{dependency}} {{policy}}"
        ),
    ),
    unit="ops",
    stacked=True,
    runbook="dependencies#spillgatequotastoredegraded",
)
WITHOUT_ACCOUNT: Final = Graph(
    title="Granted without the account",
    shows="Requests per second that were granted while the quota store was out of reach.",
    red="Limits hold only roughly meanwhile. What was used is charged when Redis is back.",
    queries=(Query(ALL.rate(DEGRADED, by=["policy"]), "{{policy}}"),),
    unit="reqps",
    stacked=True,
    runbook="dependencies#spillgatequotastoredegraded",
)
LEDGER: Final = Graph(
    title="Ledger: rows waiting, copies' age",
    shows="Charges that Redis has not confirmed, and how many seconds ago the ledger was copied to "
    "its archive and to where it is exported (of files the last whole hour or day).",
    red="Rising: Redis or the archive's disk is away or full. Up to 64 MiB are kept on the disk "
    "and sent again.",
    queries=(
        Query(ALL.now(LEDGER_WAITING), "rows waiting"),
        Query(ARCHIVE_AGE_S, "archive, s"),
        Query(EXPORT_AGE_S, "export to {{sink}}, s"),
    ),
    unit="short",
    runbook="ledger#spillgateledgerdrift",
)
DRIFT: Final = Graph(
    title="Ledger drift",
    shows="The largest difference between an account and the sum of its ledger, as last compared.",
    red="Anything but nothing is a defect or a Redis that lost writes: stop changing accounts by "
    "hand, and follow the runbook.",
    queries=(Query(ALL.now(LEDGER_DRIFT), "drift"),),
    unit="currencyUSD",
    steps=above(0.01),
    runbook="ledger#spillgateledgerdrift",
)

LAG: Final = Graph(
    title="Event-loop lag",
    shows="How late the event loop woke up. Everything that a worker serves is as late.",
    red="Above 20 ms at p99 streams stutter: add workers or replicas. A single peak is a reload "
    "or a large prompt.",
    queries=(
        Query(ALL.quantile(0.5, LOOP_LAG), "p50"),
        Query(ALL.quantile(0.99, LOOP_LAG), "p99"),
    ),
    width=5,
    unit="s",
    steps=above(0.05),
    runbook="process#spillgateeventlooplag",
)
PROCESSOR: Final = Graph(
    title="Processor by replica",
    shows="How many cores each replica uses, its workers together.",
    red="Near the number of workers: add workers where there are cores, else replicas.",
    queries=(Query(ALL.rate(CPU, by=BY_INSTANCE), "{{instance}}"),),
    width=5,
    unit="short",
    runbook="process#spillgateeventlooplag",
)
RESIDENT: Final = Graph(
    title="Memory by replica",
    shows="Resident memory, workers together.",
    red="It grows with open streams and large bodies, and falls again. Growing for days is a leak: "
    "restart the replica (streams are drained), and report it.",
    queries=(Query(ALL.now(MEMORY, by=BY_INSTANCE), "{{instance}}"),),
    width=5,
    unit="bytes",
)
FILES: Final = Graph(
    title="Open files, of those allowed",
    shows="File descriptors in use. Each request has two connections, its own and the upstream's.",
    red="Raise `ulimit -n`: at 100 % nobody can connect any more.",
    queries=(
        Query(
            f"{ALL.now(OPEN_FILES, by=BY_INSTANCE)} / {ALL.now(MOST_FILES, by=BY_INSTANCE)}",
            "{{instance}}",
        ),
    ),
    width=4,
    unit="percentunit",
    steps=above(0.8),
    runbook="process#spillgateeventlooplag",
)
BEGUN_AGAIN: Final = Graph(
    title="Works begun again",
    shows="How often work in the background ended by itself within ten minutes: the five that "
    "lead.",
    red="Again and again: what it does is not done. The log has `background_work_failed` with the "
    "same name, the kind of error and the line.",
    queries=(
        Query(
            f"topk(5, sum by (work) (increase({ALL.series(BACKGROUND_FAILURES)}[10m])))", "{{work}}"
        ),
    ),
    width=5,
    unit="short",
    runbook="process#spillgatebackgroundfailing",
)

CONNECTED: Final = Graph(
    title="Connections to upstreams",
    shows="In use, and kept open for the next request.",
    red="Many active with few requests in flight: upstreams hang. None idle under load: they are "
    "closed after each request, look for a proxy between.",
    queries=(Query(ALL.now(CONNECTIONS, by=["state"]), "{{state}}"),),
    width=5,
    unit="short",
    stacked=True,
)
TOLD: Final = Graph(
    title="Telemetry lost, usage estimated",
    shows="What was to be told per second and is not, by kind; and answers whose upstream did not "
    "tell their usage, or was left before, which are charged by an estimate.",
    red="Spans or log records: the collector is slow or away. Alerts of budgets: the webhook is. "
    "Estimates: see which deployment, and ask for `stream_options`.",
    queries=(
        Query(ALL.rate(LOST, by=["kind"]), "lost {{kind}}"),
        Query(ALL.rate(ESTIMATED, by=["deployment"]), "estimated {{deployment}}"),
    ),
    width=6,
    unit="ops",
    stacked=True,
    runbook="process#spillgatetelemetrylost",
)
GATEWAYS: Final = Table(
    title="Replicas",
    shows="What runs, and with which configuration.",
    red="Two versions or generations for longer than a rollout: one replica was left out.",
    queries=(
        Query(f"max by (instance, version) ({ALL.series(BUILD_INFO)})", ""),
        Query(ALL.now(WORKERS, by=BY_INSTANCE), ""),
        Query(ALL.now(CONFIG_GENERATION, by=BY_INSTANCE), ""),
        Query(ALL.now(DRAINING, by=BY_INSTANCE), ""),
        Query(f"time() - {ALL.now(STARTED, by=BY_INSTANCE)}", ""),
    ),
    columns=(
        Column("instance", "Replica"),
        Column("version", "Version"),
        Column("Value #B", "Workers", "short", decimals=0),
        Column("Value #C", "Config", "short", decimals=0),
        Column("Value #D", "Draining", "bool_yes_no"),
        Column("Value #E", "Up for", "s"),
    ),
    width=8,
)
EXPIRIES: Final = Table(
    title="What ends when",
    shows="Tokens (renewed by themselves), certificates, and models that Azure retires.",
    red="A certificate: renew it, it is read again within a minute. A token: the identity or its "
    "rights are gone. A model: deploy its successor.",
    queries=(Query(f"sort({ALL.now(EXPIRY, by=['kind', 'name'])} - time())", ""),),
    unit="s",
    columns=(
        Column("kind", "Kind"),
        Column("name", "Name"),
        Column("Value", "Ends in", "s", below(30 * DAY_S, 7 * DAY_S)),
    ),
    width=5,
    runbook="config#spillgatecertificateexpiring",
)

INTERNALS: Final = Board(
    uid="spillgate-internals",
    title="Spillgate / Gateway internals",
    question="Is the gateway itself well, and what it depends on?",
    variables=(),
    rows=(
        Row("Now", (REPLICAS, DEPENDENCIES, CONFIGURED, CONFIGURATIONS, UNWRITTEN)),
        Row("What it depends on", (FAILURES, WITHOUT_ACCOUNT, LEDGER, DRIFT)),
        Row("The processes", (LAG, PROCESSOR, RESIDENT, FILES, BEGUN_AGAIN)),
        Row("Connections, versions, and what ends", (CONNECTED, TOLD, GATEWAYS, EXPIRIES)),
    ),
)
