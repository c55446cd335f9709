"""Every metric that Spillgate exports; dashboards, alerts and docs name these and no others.

`llm_` families are about what tenants ask and deployments answer, `spillgate_` and `process_` ones
about the gateway itself. The former count requests of the data plane; what the gateway asks for
itself (errands) is in families of its own, so that requests are not callers' that no caller sent,
while dollars and tokens of both together are the ledger's.

Label values are closed sets or configured names. `tenant` has at most `metrics.most_tenants` values
and `other` for the rest; what names no configured model is `other`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.adapters.metrics.buckets import (
    DISTANCE,
    FIRST_TOKEN_S,
    LAG_S,
    LATENCY_S,
    OUTPUT_TOKEN_S,
    OVERHEAD_S,
    RETRY_AFTER_S,
    TOKENS,
    WAIT_S,
)
from app.adapters.metrics.family import Family, Merge, counter, gauge, histogram

#: Requests: is it up, is it fast.
REQUESTS: Final = counter(
    "llm_requests_total",
    "Requests by the status sent; 499: the client left before any was.",
    "model", "tenant", "status",
)  # fmt: skip
ERRORS: Final = counter(
    "llm_errors_total",
    "Requests that failed; fault: client, policy (a limit or rule of ours), capacity (Azure had "
    "none), upstream, gateway.",
    "model", "error_type", "fault",
)  # fmt: skip
LATENCY: Final = histogram(
    "llm_request_latency_seconds",
    "From the request's headers to the last byte, of requests that were answered whole with 2xx.",
    "model",
    buckets=LATENCY_S,
)
FIRST_TOKEN: Final = histogram(
    "llm_time_to_first_token_seconds",
    "From the request's headers to the first token handed to the client, of streams that a "
    "deployment answered.",
    "model", "deployment",
    buckets=FIRST_TOKEN_S,
)  # fmt: skip
OUTPUT_TOKEN: Final = histogram(
    "llm_time_per_output_token_seconds",
    "From the first token to the last byte by the tokens after the first, of finished streams.",
    "model", "deployment",
    buckets=OUTPUT_TOKEN_S,
)  # fmt: skip
OVERHEAD: Final = histogram(
    "llm_gateway_overhead_seconds",
    "From the request's headers to the first attempt, without waiting in line.",
    buckets=OVERHEAD_S,
)
IN_FLIGHT: Final = gauge(
    "llm_requests_in_flight", "Requests that are being served.", merge=Merge.SUM
)

#: Tokens and dollars: who spends what.
TOKENS_USED: Final = counter(
    "llm_tokens_total",
    "Tokens charged; types are disjoint: input, cached_input, output, reasoning.",
    "model", "tenant", "type",
)  # fmt: skip
DEPLOYMENT_TOKENS: Final = counter(
    "llm_deployment_tokens_total",
    "The same tokens by the deployment that served them.",
    "deployment", "type",
)  # fmt: skip
COST: Final = counter(
    "llm_cost_dollars_total", "What requests cost, by the price table.", "model", "tenant"
)
DEPLOYMENT_COST: Final = counter(
    "llm_deployment_cost_dollars_total",
    "The same dollars by the deployment that served them.",
    "deployment", "kind",
)  # fmt: skip
SPILL_COST: Final = counter(
    "llm_spill_cost_dollars_total", "What requests cost that left their first tier.", "tenant"
)
INPUT_TOKENS: Final = histogram(
    "llm_request_input_tokens", "Prompt tokens of one request, cached ones included.",
    "model",
    buckets=TOKENS,
)  # fmt: skip
OUTPUT_TOKENS: Final = histogram(
    "llm_request_output_tokens", "Output tokens of one request, reasoning included.",
    "model",
    buckets=TOKENS,
)  # fmt: skip
ESTIMATED: Final = counter(
    "llm_usage_estimated_total",
    "Answers whose upstream did not tell their usage: charged by an estimate.",
    "deployment",
)

#: Routing: how full are the PTUs, why does it spill.
SPILL: Final = counter(
    "llm_spill_total", "Answered requests that left their first tier.", "model", "reason"
)
CLASS_REQUESTS: Final = counter(
    "llm_class_requests_total",
    "Answered requests by class and why they spilled; none: they did not.",
    "class", "spill",
)  # fmt: skip
ATTEMPTS: Final = counter(
    "llm_attempts_total",
    "Deployments asked; verdict: accept, throttled, failed, misconfigured, too_long, hedged.",
    "deployment", "verdict",
)  # fmt: skip
THROTTLES: Final = counter(
    "llm_throttles_total",
    "429s of deployments; reason: tokens, calls, lowered, provisioned, peak_load.",
    "deployment", "reason",
)  # fmt: skip
RETRY_AFTER: Final = histogram(
    "llm_retry_after_seconds", "How long deployments asked to be left alone.",
    "deployment",
    buckets=RETRY_AFTER_S,
)  # fmt: skip
PTU_UTILIZATION: Final = gauge(
    "llm_ptu_utilization_ratio",
    "How full the gateway believes a PTU deployment to be; 1 is all of it.",
    "deployment",
    merge=Merge.MAX,
)
PTU_REPORTED: Final = gauge(
    "llm_ptu_reported_utilization_ratio",
    "How full a deployment said that it is; absent where no answer of the last minute told.",
    "deployment",
    merge=Merge.MAX,
)
PTU_SHARE: Final = gauge(
    "llm_ptu_share_ratio",
    "What part of a PTU deployment a tenant that asked within a minute is entitled to, by its "
    "ptu_share and ptu_weight and those of the others; not what it uses.",
    "deployment", "tenant",
    merge=Merge.MAX,
)  # fmt: skip
HOLD: Final = gauge(
    "llm_deployment_hold_seconds", "For how long a deployment will not be asked; 0: it may be.",
    "deployment",
    merge=Merge.MAX,
)  # fmt: skip
HEALTH: Final = gauge(
    "llm_deployment_health_state",
    "1 for the state: healthy, ejected, half_open, ramping; the sum of workers that think so.",
    "deployment", "state",
    merge=Merge.SUM,
)  # fmt: skip
DEPLOYMENT_INFO: Final = gauge(
    "llm_deployment_info", "1 for each configured deployment.",
    "deployment", "kind", "model", "region", "data_zone",
    merge=Merge.MAX,
)  # fmt: skip
CAPACITY: Final = gauge(
    "llm_deployment_capacity_tokens_per_minute",
    "What a deployment can take: of a PTU by Azure's sizing table, of PAYGO its quota, or what "
    "Azure grants of it for now.",
    "deployment",
    merge=Merge.MIN,
)
PTU_PRICE: Final = gauge(
    "llm_ptu_cost_dollars_per_hour",
    "What a PTU deployment costs an hour, used or not: its PTUs by their price.",
    "deployment",
    merge=Merge.MAX,
)
QUEUE: Final = gauge("llm_queue_length", "Requests that wait for room.", merge=Merge.SUM)
QUEUE_WAIT: Final = histogram(
    "llm_queue_wait_seconds", "How long requests waited for room, of those that waited.",
    "class",
    buckets=WAIT_S,
)  # fmt: skip

#: Quotas and budgets.
QUOTA_USED: Final = gauge(
    "llm_quota_used_ratio",
    "How much of a tenant's limit is used and held, in its fullest scope (tenant, key, model); "
    "1 and more where it refuses, or is soft. Rates fade in silence, budgets stay until their "
    "window ends; limit: as configured, and spill_usd_per_day, spill_usd_per_hour.",
    "tenant", "limit",
    merge=Merge.MAX,
)  # fmt: skip
QUOTA_REFUSALS: Final = counter(
    "llm_quota_refusals_total", "Requests refused for a limit of their tenant.", "tenant", "limit"
)
POLICY_FINDINGS: Final = counter(
    "llm_policy_findings_total",
    "Rules of input policies that requests broke; action: block, flag.",
    "kind", "action",
)  # fmt: skip
DEGRADED: Final = counter(
    "llm_degraded_requests_total",
    "Requests granted without the account; policy: local_share, fail_open.",
    "tenant", "policy",
)  # fmt: skip
ANOMALY: Final = gauge(
    "llm_tenant_anomaly_score",
    "How far a tenant's last whole hour is from its own history, in deviations by median and MAD, "
    "or the hour under way where that is far above it; measure: requests, tokens, dollars.",
    "tenant", "measure",
    merge=Merge.MAX,
)  # fmt: skip

#: The cache: what does it save.
CACHE_REQUESTS: Final = counter(
    "llm_cache_requests_total", "Requests by where their answer came from: exact, semantic, miss, "
    "bypass.", "result",
)  # fmt: skip
CACHE_REASONS: Final = counter(
    "llm_cache_decisions_total",
    "Why requests were bypassed or missed, or how they hit, where there is more to say of it.",
    "result", "reason",
)  # fmt: skip
CACHE_SAVED_COST: Final = counter(
    "llm_cache_saved_dollars_total", "What hits would have cost.", "model", "tenant"
)
CACHE_SAVED_TOKENS: Final = counter(
    "llm_cache_saved_tokens_total", "Tokens that hits did not use.", "model", "type"
)
CACHE_SAVED_TIME: Final = counter(
    "llm_cache_saved_seconds_total", "What hits would have taken longer.", "model"
)
CACHE_DISTANCE: Final = histogram(
    "llm_cache_nearest_distance", "Cosine distance of the nearest kept question.",
    "result",
    buckets=DISTANCE,
)  # fmt: skip
CACHE_ERROR: Final = gauge(
    "llm_cache_false_hit_ratio",
    "Wrong ones of answers by meaning, by samples; bound: estimate, upper (95 %), allowed.",
    "bound",
    merge=Merge.MAX,
)
CACHE_COMPARISONS: Final = counter(
    "llm_cache_comparisons_total", "Hits by meaning against a fresh answer; given_up: none came.",
    "result",
)  # fmt: skip
CACHE_KEPT: Final = counter(
    "llm_cache_kept_total", "Answers that were to be kept, by what came of it.", "result"
)
CACHE_DAMAGED: Final = counter(
    "llm_cache_damaged_total", "Kept answers that could not be read, and were not served."
)

#: What the gateway asked for itself.
ERRANDS: Final = counter(
    "spillgate_errands_total", "Requests of the gateway's own, by purpose and how they ended; "
    "of hedges those that are paid for in vain: given_up.",
    "purpose", "outcome",
)  # fmt: skip
ERRAND_TOKENS: Final = counter(
    "spillgate_errand_tokens_total", "Tokens charged for them.", "purpose", "type"
)
ERRAND_COST: Final = counter("spillgate_errand_cost_dollars_total", "What they cost.", "purpose")

#: Dependencies: which fail, and which policy is in force meanwhile.
DEPENDENCY_UP: Final = gauge(
    "spillgate_dependency_up",
    "Whether a dependency answers: redis, accounts, ledger, cache, embedder, webhook, entra, "
    "content_safety, usage_export.",
    "dependency",
    merge=Merge.MIN,
)
DEPENDENCY_FAILURES: Final = counter(
    "spillgate_dependency_failures_total",
    "Failures of a dependency and the policy that held: local_share, fail_open, fail_closed, "
    "bypass (go on without), retry (kept and sent again), drop (counted and left out).",
    "dependency", "policy",
)  # fmt: skip
LEDGER_WAITING: Final = gauge(
    "spillgate_ledger_waiting_rows", "Charges that Redis has not confirmed yet.", merge=Merge.SUM
)
LEDGER_DROPPED: Final = counter(
    "spillgate_ledger_dropped_rows_total", "Rows in no ledger; kind: refusal (never a charge), "
    "refused (Redis will not have it), unspooled (in memory alone until Redis has it, or lost).",
    "kind",
)  # fmt: skip
BACKGROUND_CHARGES: Final = counter(
    "spillgate_background_charges_total", "Charges of responses in the background; result: kept "
    "until their usage is told, corrected by it, or lost: these stay as reserved.", "result",
)  # fmt: skip
LEDGER_DRIFT: Final = gauge(
    "spillgate_ledger_drift_dollars", "The largest difference between an account and the sum of "
    "its ledger, of tenants' last whole day.", merge=Merge.MAX,
)  # fmt: skip
LEASES: Final = counter(
    "spillgate_leases_total", "Times that room was to be taken ahead, for keys and models that are "
    "asked for often; result: taken, strict (little is left), refused, lost.", "result",
)  # fmt: skip
ARCHIVE_AGE: Final = gauge(
    "spillgate_archive_copied_timestamp_seconds", "Up to when the ledger is copied to its archive, "
    "as Unix time.", merge=Merge.MAX,
)  # fmt: skip
EXPORT_AGE: Final = gauge(
    "spillgate_export_timestamp_seconds",
    "Up to when a sink has the ledger, as Unix time; sink: files, otlp. Of files it is the end of "
    "the last hour or day that was written.",
    "sink",
    merge=Merge.MAX,
)
LOST: Final = counter(
    "spillgate_telemetry_lost_total",
    "What was not told: explanation, span, log_record, budget_alert, anomaly, usage_row.",
    "kind",
)

#: The process.
LOOP_LAG: Final = histogram(
    "spillgate_event_loop_lag_seconds", "How late the event loop woke up, looked at regularly.",
    buckets=LAG_S,
)  # fmt: skip
CONNECTIONS: Final = gauge(
    "spillgate_upstream_connections", "Connections to upstreams; state: active, idle.",
    "state",
    merge=Merge.SUM,
)  # fmt: skip
CLIENTS: Final = gauge(
    "spillgate_client_connections", "Connections of clients; listener: data, admin.",
    "listener",
    merge=Merge.SUM,
)  # fmt: skip
CLIENTS_REFUSED: Final = counter(
    "spillgate_client_connections_refused_total",
    "Connections of clients that were not let in, because limits.max_connections were open.",
    "listener",
)
CERTIFICATE_OK: Final = gauge(
    "spillgate_tls_last_reload_successful", "0 where a listener's files could not be put in force.",
    "listener", merge=Merge.MIN,
)  # fmt: skip
CONFIG_GENERATION: Final = gauge(
    "spillgate_config_generation", "How often a configuration was put in force, of each worker.",
    merge=Merge.MIN,
)  # fmt: skip
CONFIG_HASH: Final = gauge(
    "spillgate_config_hash",
    "The file in force, as the first 48 bits of its SHA-256: equal where replicas have the same.",
    merge=Merge.MAX,
)
CONFIG_RELOAD_OK: Final = gauge(
    "spillgate_config_last_reload_successful", "0 where the file in place could not be put in "
    "force.", merge=Merge.MIN,
)  # fmt: skip
WORKERS: Final = gauge("spillgate_workers", "Workers that tell.", merge=Merge.SUM)
WORKER_ENDS: Final = counter(
    "spillgate_worker_ends_total",
    "Workers that ended by themselves, and were started again; how: status, signal.",
    "how",
)
WORKER_SILENT: Final = counter(
    "spillgate_worker_silent_total",
    "How often a worker did not tell within a second; one that hangs is killed.",
)
BACKGROUND_FAILURES: Final = counter(
    "spillgate_background_failures_total",
    "How often work that never ends did, and was begun again; work: as the log has it.",
    "work",
)
DRAINING: Final = gauge("spillgate_draining", "1 while it says no at /readyz.", merge=Merge.MAX)
EXPIRY: Final = gauge(
    "spillgate_expiry_timestamp_seconds",
    "When something that has to be renewed ends, as Unix time; kind: token (Entra ID, renewed by "
    "itself), certificate, retirement (of a deployment's model).",
    "kind", "name",
    merge=Merge.MIN,
)  # fmt: skip
BUILD_INFO: Final = gauge(
    "spillgate_build_info", "1; the version that runs.", "version", "python", merge=Merge.MAX
)

#: The same as every Prometheus client tells of its process, under the same names.
CPU: Final = counter("process_cpu_seconds_total", "Processor time, of user and system.")
MEMORY: Final = gauge("process_resident_memory_bytes", "Resident memory.", merge=Merge.SUM)
OPEN_FILES: Final = gauge("process_open_fds", "Open file descriptors.", merge=Merge.SUM)
MOST_FILES: Final = gauge(
    "process_max_fds", "How many file descriptors may be open.", merge=Merge.SUM
)
STARTED: Final = gauge(
    "process_start_time_seconds", "When the oldest process started, as Unix time.", merge=Merge.MIN
)

#: All of them, in the order of this page.
FAMILIES: Final[tuple[Family, ...]] = tuple(
    value for value in tuple(globals().values()) if isinstance(value, Family)
)
BY_NAME: Final[Mapping[str, Family]] = MappingProxyType({each.name: each for each in FAMILIES})
