"""What does the answer cache save, and is it right?"""

from __future__ import annotations

from typing import Final

from app.adapters.metrics.families import (
    CACHE_COMPARISONS,
    CACHE_DAMAGED,
    CACHE_DISTANCE,
    CACHE_ERROR,
    CACHE_KEPT,
    CACHE_REASONS,
    CACHE_REQUESTS,
    CACHE_SAVED_COST,
    CACHE_SAVED_TIME,
    CACHE_SAVED_TOKENS,
    ERRAND_COST,
    ERRANDS,
    TOKENS_USED,
)
from grafana.source.panel import Board, Graph, Heatmap, Row, Stat, above
from grafana.source.query import Query, Scope, of_all, or_zero

CHOSEN: Final = Scope.of("model", "tenant")
DAY_S: Final = 86_400
HITS: Final = 'result=~"exact|semantic"'
#: Bypassed requests were never looked up.
LOOKED_UP: Final = 'result!="bypass"'
IS_ON: Final = 'reason!="off"'
EXACT: Final = 'result="exact"'
SEMANTIC: Final = 'result="semantic"'
RESULT_COLORS: Final = (
    ("exact", "green"),
    ("semantic", "purple"),
    ("miss", "orange"),
    ("bypass", "blue"),
)

HIT_RATIO: Final = Stat(
    title="Hit ratio",
    shows="Of the requests that were looked up in the time shown, those that the cache answered.",
    red="It has no threshold: a tenth is much for free text, nine tenths little for a form. After "
    "a sudden fall look at *why not* for what changed.",
    queries=(
        Query(
            of_all(CHOSEN.grown(CACHE_REQUESTS, HITS), CHOSEN.grown(CACHE_REQUESTS, LOOKED_UP)),
            "hits",
        ),
    ),
    unit="percentunit",
    decimals=1,
)
SAVED_DOLLARS: Final = Stat(
    title="Dollars saved",
    shows="What hits would have cost, in the time shown.",
    red="It has no threshold. Compare it with *own requests* below, which is what it costs.",
    queries=(Query(or_zero(CHOSEN.grown(CACHE_SAVED_COST)), "saved"),),
    unit="currencyUSD",
)
SAVED_TOKENS: Final = Stat(
    title="Tokens saved",
    shows="Tokens that hits did not use, in the time shown: room on the PTUs for others.",
    red="It has no threshold. Little with many hits: what is asked again is short, and its cache "
    "costs more than it saves.",
    queries=(Query(or_zero(CHOSEN.grown(CACHE_SAVED_TOKENS)), "saved"),),
    unit="short",
)
SAVED_TIME: Final = Stat(
    title="Waiting saved",
    shows="By how much longer callers would have waited, all hits together, in the time shown.",
    red="It has no threshold. Where it is near nothing, hits are replayed as slowly as they were "
    "made: raise `cache.replay_tokens_per_s`.",
    queries=(Query(or_zero(CHOSEN.grown(CACHE_SAVED_TIME)), "saved"),),
    unit="s",
)
WRONG: Final = Stat(
    title="Wrong by meaning, at most",
    shows="The part of answers by meaning that may be wrong: with 95 % confidence it is below "
    "this, by samples that were compared with fresh answers.",
    red="Above the bound the gateway lowers the threshold by itself, and answers less. Look at the "
    "comparisons in the log, and set `--cache semantic=shadow` for the tenant if in doubt.",
    queries=(Query(CHOSEN.now(CACHE_ERROR, 'bound="upper"'), "at most"),),
    unit="percentunit",
    decimals=1,
    steps=above(0.02, 0.05),
    runbook="cache#spillgatecacheerrorboundexceeded",
)
DAMAGED: Final = Stat(
    title="Damaged",
    shows="Kept answers that could not be read, in the time shown. They were not served.",
    red="Another version or another program writes to the same Redis, or its memory is faulty. "
    "Nothing wrong was served; find out who else has its address.",
    queries=(Query(or_zero(CHOSEN.grown(CACHE_DAMAGED)), "damaged"),),
    unit="short",
    decimals=0,
    steps=above(1),
    runbook="cache#spillgatecacheerrorboundexceeded",
)

RESULTS: Final = Graph(
    title="Where answers came from",
    shows="Requests per second: the same request (exact), one that means the same (semantic), "
    "asked upstream (miss), or not looked up (bypass).",
    red="All `bypass`: the cache is off for these tenants, or their requests forbid it. *Why not* "
    "has the reason.",
    queries=(Query(CHOSEN.rate(CACHE_REQUESTS, by=["result"]), "{{result}}"),),
    unit="reqps",
    stacked=True,
    colors=RESULT_COLORS,
)
RATIOS: Final = Graph(
    title="Hit ratio, exact and by meaning",
    shows="Of the requests that were looked up, those answered by each cache.",
    red="Exact falls: callers put something that changes into their requests, such as a date. "
    "Semantic falls: measured errors have lowered a threshold.",
    queries=(
        Query(
            of_all(CHOSEN.rate(CACHE_REQUESTS, EXACT), CHOSEN.rate(CACHE_REQUESTS, LOOKED_UP)),
            "exact",
        ),
        Query(
            of_all(CHOSEN.rate(CACHE_REQUESTS, SEMANTIC), CHOSEN.rate(CACHE_REQUESTS, LOOKED_UP)),
            "semantic",
        ),
    ),
    unit="percentunit",
    stacked=True,
    most=1,
    colors=RESULT_COLORS,
)
REASONS: Final = Graph(
    title="Why not",
    shows="Requests per second that the cache did not answer although it is on, by the reason, "
    "where there is more to say than that nothing was kept.",
    red="`embedder_unavailable`, `store_unavailable`: see Gateway internals. Names of what the "
    "nearest differs in (`number`, `name`, `question`) are as it should be.",
    queries=(Query(CHOSEN.rate(CACHE_REASONS, IS_ON, by=["reason"]), "{{reason}}"),),
    unit="reqps",
    stacked=True,
)
SAVINGS: Final = Graph(
    title="Dollars saved per day by tenant",
    shows="What hits would have cost, as if it went on for a day.",
    red="It has no threshold. A tenant without savings that asks the same often: switch the exact "
    "cache on for it.",
    queries=(Query(f"{DAY_S} * {CHOSEN.rate(CACHE_SAVED_COST, by=['tenant'])}", "{{tenant}}"),),
    unit="currencyUSD",
    stacked=True,
)

DISTANCES: Final = Heatmap(
    title="How near the nearest is",
    shows="Cosine distance of the nearest kept question, of all that were compared. Hits are below "
    "the threshold, which is between 0.02 and 0.3 by embedder.",
    red="A band just above the threshold are paraphrases that are asked anew: look at some with "
    "`spillgate explain` before raising it.",
    queries=(Query(CHOSEN.heat(CACHE_DISTANCE), "{{le}}"),),
    unit="short",
)
ERROR: Final = Graph(
    title="Wrong answers by meaning",
    shows="Measured by samples: the estimate, what it is with 95 % confidence at most, and what is "
    "allowed (dashed).",
    red="The upper line above the dashed one for an hour: semantics does not suit these prompts. "
    "Switch it to shadow for the tenants concerned.",
    queries=(Query(CHOSEN.now(CACHE_ERROR, by=["bound"]), "{{bound}}"),),
    unit="percentunit",
    colors=(("estimate", "blue"), ("upper", "orange"), ("allowed", "red")),
    dashed="/allowed/",
    runbook="cache#spillgatecacheerrorboundexceeded",
)
COMPARISONS: Final = Graph(
    title="Comparisons",
    shows="Answers by meaning that were held against fresh ones, per second, by what came of it.",
    red="given_up, or none at all while there are semantic hits: the budget for samples is used "
    "up, or the deployment that judges does not answer. See *own requests*.",
    queries=(Query(CHOSEN.rate(CACHE_COMPARISONS, by=["result"]), "{{result}}"),),
    unit="ops",
    stacked=True,
    runbook="cache#spillgatecacheerrorboundexceeded",
)
TOKENS: Final = Graph(
    title="Tokens, used and saved",
    shows="Tokens per second that were used (below) and that hits did not use (above).",
    red="It has no threshold. Where nothing is saved although the same is asked often, look at "
    "*why not*.",
    queries=(
        Query(CHOSEN.rate(TOKENS_USED), "used"),
        Query(CHOSEN.rate(CACHE_SAVED_TOKENS), "saved"),
    ),
    unit="short",
    stacked=True,
    colors=(("used", "orange"), ("saved", "green")),
)
OWN: Final = Graph(
    title="Own requests",
    shows="What the gateway asked for itself per second, by purpose and outcome: embeddings, "
    "samples, judgements.",
    red="Outcomes other than `finished`: the model for it is not configured, throttled or failing. "
    "The log has the request ids.",
    queries=(Query(CHOSEN.rate(ERRANDS, by=["purpose", "outcome"]), "{{purpose}} {{outcome}}"),),
    unit="reqps",
    stacked=True,
    width=8,
)
OWN_COST: Final = Graph(
    title="Dollars per day for own requests",
    shows="What they cost, as if it went on for a day: the price of knowing that hits are right.",
    red="Lower `sample_rate` or `sample_usd_per_day` in `cache.semantic` where it comes near what "
    "the cache saves.",
    queries=(Query(f"{DAY_S} * {CHOSEN.rate(ERRAND_COST, by=['purpose'])}", "{{purpose}}"),),
    unit="currencyUSD",
    stacked=True,
    width=8,
)
KEPT: Final = Graph(
    title="Answers kept",
    shows="Answers that were to be kept per second, by what came of it; *evicted* while they were.",
    red="*server_full* or *no_room*: new answers find no place, see the server's `maxmemory`. "
    "*crowded_out* or *no_store*: the cache's Redis is slow or away. *too_large*: see "
    "`max_entry_bytes`.",
    queries=(Query(CHOSEN.rate(CACHE_KEPT, by=["result"]), "{{result}}"),),
    unit="ops",
    stacked=True,
    width=8,
)

CACHE: Final = Board(
    uid="spillgate-cache",
    title="Spillgate / Cache",
    question="What does the answer cache save, and is it right?",
    variables=("model", "tenant"),
    rows=(
        Row(
            "In the time shown",
            (HIT_RATIO, SAVED_DOLLARS, SAVED_TOKENS, SAVED_TIME, WRONG, DAMAGED),
        ),
        Row("What does it save?", (RESULTS, RATIOS, REASONS, SAVINGS)),
        Row("Is it right?", (DISTANCES, ERROR, COMPARISONS, TOKENS)),
        Row("What does it cost?", (OWN, OWN_COST, KEPT)),
    ),
)
