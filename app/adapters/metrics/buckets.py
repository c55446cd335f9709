"""Upper bounds of histograms, and why they are where they are."""

from __future__ import annotations

from typing import Final

#: Whole requests, seconds. Cache hits and embeddings take tens of milliseconds, chats seconds,
#: reasoning minutes; Azure ends a request after 10 minutes. 30 s and 60 s are usual client limits.
LATENCY_S: Final = (
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.0,
    4.0,
    8.0,
    15.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
)

#: Time to first token, seconds. Azure's PTU targets are about 1 s for prompts of some thousand
#: tokens; a long prompt or a reasoning model takes much longer.
FIRST_TOKEN_S: Final = (0.05, 0.1, 0.15, 0.25, 0.4, 0.6, 0.8, 1.0, 1.5, 2.5, 5.0, 10.0, 20.0, 60.0)

#: Time per output token, seconds. Azure's latency targets are 20 to 100 tokens/s by model, which is
#: 10 to 50 ms; 4 ms is the fastest that models generate, 200 ms slower than people read.
OUTPUT_TOKEN_S: Final = (
    0.002,
    0.004,
    0.007,
    0.01,
    0.0125,
    0.015,
    0.02,
    0.025,
    0.033,
    0.05,
    0.1,
    0.2,
    0.5,
    1.0,
)

#: What the gateway adds, seconds: one round trip to Redis is a millisecond or less, an embedding
#: some milliseconds, 50 ms is where a store counts as lost.
OVERHEAD_S: Final = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)

#: Waiting in line, seconds: a PTU frees in tens of milliseconds to seconds; `routing.wait_s` bounds
#: it, with 2 to 30 s for its classes.
WAIT_S: Final = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)

#: Retry-after as upstreams ask for it, seconds: milliseconds of a PTU, whole seconds to a minute of
#: a quota, a day where a quota per day is used up.
RETRY_AFTER_S: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 300.0)

#: Tokens of one request: powers of four up to the largest context window.
TOKENS: Final = (16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0)

#: Cosine distance of what was nearest; thresholds lie between 0.02 and 0.3.
DISTANCE: Final = (0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)

#: How late the event loop was, seconds. A millisecond is normal, 20 ms is a frame held up for all.
LAG_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
