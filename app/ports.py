"""What the stages need from outside, as Protocols; adapters and the HTTP layer provide them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Protocol

from app.domain.cache.entry import Entry, Neighbour
from app.domain.cache.error_rate import Comparison
from app.domain.cache.kept import KeptPage, KeptTotals, Selection
from app.domain.cache.measured import MeasuredError, WrongHit
from app.domain.calendar import CalendarWindow
from app.domain.capacity import Place
from app.domain.completion import Receipt
from app.domain.demand import Load
from app.domain.deployment import Deployment
from app.domain.directory import Actor, AuditRecord, Change, Directory, InForce
from app.domain.errand import Answered, Errand
from app.domain.limit import Limit
from app.domain.request import InferenceRequest, Route
from app.domain.reservation import Ask, Charge, Refusal, Reservation
from app.domain.room import Room
from app.domain.tenant import Principal, Tenant
from app.errors import ClientGone, ShuttingDown, SpillgateError


class Clock(Protocol):
    """Time, in seconds."""

    def now(self) -> float:
        """Monotonic time: what holds, deadlines and durations are measured on."""
        ...

    def unix(self) -> float:
        """Time of day as Unix time: only ever recorded."""
        ...


class Call(Protocol):
    """One HTTP request as it came in."""

    @property
    def request_id(self) -> str:
        """The id in `x-request-id`, the record and the logs."""
        ...

    @property
    def route(self) -> Route:
        """What its method and path name. Raises UnknownRoute or MethodNotAllowed."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, names in lower case."""
        ...

    @property
    def interruption(self) -> ClientGone | ShuttingDown | None:
        """What cut the request short from outside, if anything did."""
        ...

    async def body(self) -> bytes:
        """The whole body. Raises BodyTooLarge, BodyTimeout, UnsupportedEncoding, ClientGone."""
        ...


class Reply(Protocol):
    """The answer on its way to the client. Sending raises ClientGone once nobody reads it."""

    @property
    def status(self) -> int | None:
        """The status that was sent; None before."""
        ...

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send status and headers."""
        ...

    async def send(self, data: bytes) -> None:
        """Send a part of the body; returns once there is room for more."""
        ...

    async def finish(self) -> None:
        """End the body."""
        ...

    async def break_off(self, error: SpillgateError) -> None:
        """End an answer that cannot be completed, so that the client notices.

        An event stream ends with an error event; any other body by dropping the connection,
        because nothing else tells the client that what it has is not whole.
        """
        ...


class KeyDirectory(Protocol):
    """Who a key belongs to; in memory."""

    def find(self, key: str) -> Principal | None:
        """The principal of a key, None for any other text; the work does not depend on which."""
        ...


class DirectoryStore(Protocol):
    """Tenants, keys and administrators, the same on all replicas."""

    @property
    def current(self) -> Directory:
        """The directory as this worker has it; in memory."""
        ...

    async def change(self, changes: Sequence[Change], actor: Actor) -> InForce:
        """Make all of the changes in one step, or none, with a line each in the audit log.

        Returns once they are in force on every live worker, or after a bounded wait. Raises
        VersionConflict where an entry is not at its expected version, StoreUnavailable.
        """
        ...

    async def audit(self, after: int, count: int) -> list[AuditRecord]:
        """Records of the audit log from number `after` + 1 on. Raises StoreUnavailable."""
        ...


class CallerTokens(Protocol):
    """Who an Entra ID access token speaks for."""

    async def find(self, token: str) -> Principal | None:
        """The principal of a token that was verified, None for any other text.

        Raises StoreUnavailable where that cannot be told.
        """
        ...


class HoldBoard(Protocol):
    """Until when each deployment asked not to be asked; shared by all replicas."""

    def holds(self) -> Mapping[str, float]:
        """By deployment, the end of its hold on this process's monotonic clock."""
        ...

    def hold(self, deployment: str, until: float) -> None:
        """Hold a deployment; a longer hold that is known stays. Told to other replicas at once."""
        ...


class Capacity(Protocol):
    """What deployments have room for, as far as it can be told from outside; shared by replicas.

    Times are on the clock of whoever asks. Nothing waits.
    """

    def rooms(self, names: Iterable[str], load: Load, now: float) -> Mapping[str, Room]:
        """By deployment, when there is room; nothing of those that nothing is known of."""
        ...

    def take(self, deployment: str, load: Load, now: float) -> Place | None:
        """Take what a request may need that is sent now; None where nothing is counted."""
        ...


class ResponseOwners(Protocol):
    """Which deployment holds a tenant's stored response."""

    async def owner(self, tenant: str, response_id: str) -> str | None:
        """The deployment's name; None if the tenant has no such response.

        Raises StoreUnavailable where that cannot be told.
        """
        ...

    async def claim(self, tenant: str, response_id: str, deployment: str) -> None:
        """Remember the owner. Never raises: a lost claim costs a later 404, not this answer."""
        ...


class Accounts(Protocol):
    """What every tenant has used and holds; shared by all replicas, exact."""

    async def reserve(self, ask: Ask, tenant: Tenant) -> Reservation | Refusal:
        """Take the ask in every scope in one step, or nothing.

        Raises QuotaUnavailable where the account is out of reach and the tenant's policy is to
        refuse then.
        """
        ...

    def settle(self, reservation: Reservation, charge: Charge) -> None:
        """Charge what was used instead of what was reserved, once; nobody waits for it."""
        ...

    async def read(
        self,
        tenant: str,
        limits: Sequence[Limit],
        days: Sequence[CalendarWindow],
        months: Sequence[CalendarWindow],
    ) -> tuple[int, ...]:
        """How much of each limit is used or held. Raises StoreUnavailable."""
        ...

    def record(self, tenant: str, row: bytes) -> None:
        """Have a row in the ledger for what reserved nothing; nobody waits for it."""
        ...


class Countable(Protocol):
    """Text that is put together and counted when somebody asks."""

    def tokens(self, count: Callable[[str], int]) -> int:
        """Its tokens, by `count`; takes time with its length."""
        ...


class TokenEstimator(Protocol):
    """Token counts where no upstream has told any."""

    async def prompt(self, request: InferenceRequest, model: str) -> int:
        """Tokens of the input as `model`, a base model, reads it; never much too few."""
        ...

    def output(self, tenant: str, model: str) -> int:
        """Tokens that 95 of 100 of this tenant's answers from `model` do not exceed."""
        ...

    def typical_output(self, tenant: str, model: str) -> int:
        """Tokens of this tenant's answers from `model` on average."""
        ...

    def observe(self, tenant: str, model: str, tokens: int) -> None:
        """Take note of the length of one answer that ended by itself."""
        ...

    async def relayed(self, text: Countable, model: str) -> int:
        """Tokens of what was relayed of an answer."""
        ...


class Observer(Protocol):
    """Whoever is told of every request, once, when it is over: logs, metrics."""

    def observe(self, receipt: Receipt) -> None:
        """Take note; must neither block nor raise."""
        ...


class AnswerCache(Protocol):
    """Answers that are kept, by tenant; shared by all replicas.

    Every call is bounded in time and raises StoreUnavailable where the store is out of reach.
    ValueError is for an empty tenant, fingerprint or partition: nothing is ever looked for
    everywhere.
    """

    async def find(self, tenant: str, fingerprint: bytes) -> Entry | None:
        """The answer to this very request; what was damaged or evicted is none."""
        ...

    async def nearest(
        self, tenant: str, partition: bytes, vector: bytes, count: int
    ) -> Sequence[Neighbour]:
        """Answers to what means nearly the same, nearest first; `vector` is little-endian f32.

        Empty where nothing can be found by meaning, for want of an index or of a fit vector.
        """
        ...

    async def keep(self, tenant: str, entry: Entry, ttl_s: float, vector: bytes | None) -> None:
        """Have an answer kept for `ttl_s` seconds; nobody waits for it, and it may be lost.

        With a vector it can also be found by meaning. Without one its question is kept without
        partition and prompt. It is not kept if the tenant's answers were evicted since the request
        began, which is the entry's `seconds` ago.
        """
        ...


class KeptAnswers(Protocol):
    """What an AnswerCache has, for those who look after it. All raise StoreUnavailable."""

    async def evict(self, tenant: str, selection: Selection) -> int:
        """Have answers served no more, on any replica; how many there were.

        When it returns they are gone, also those whose keeping was under way. When it raises, some
        may be left.
        """
        ...

    async def entries(self, tenant: str, cursor: str, limit: int) -> KeptPage:
        """Up to `limit` of them, those that end last first. The empty cursor is the beginning.

        Raises ValueError for a cursor that is no page's.
        """
        ...

    async def totals(self, tenant: str) -> KeptTotals:
        """How many there are, and how large."""
        ...


class HitEvidence(Protocol):
    """What comparisons of kept answers with fresh ones came to; shared by all replicas.

    Nothing waits, and nothing raises: what is known is what was known last.
    """

    def threshold(self, tenant: str, model: str) -> float:
        """The largest cosine distance at which an answer by meaning may be served; 0: none."""
        ...

    def record(self, tenant: str, model: str, distance: float, comparison: Comparison) -> None:
        """Count one comparison, of answers whose prompts are so far apart."""
        ...


class MeasuredErrors(Protocol):
    """The same for those who look after the cache."""

    async def listed(self, tenant: str) -> Sequence[MeasuredError]:
        """Of each model of which anything was compared within the last 30 days, by name.

        As of the last look while the store is away; raises StoreUnavailable where there was none.
        """
        ...


class WrongHits(Protocol):
    """Where somebody who knows tells of an answer that was wrong."""

    async def told_wrong(
        self, tenant: str, *, request_id: str = "", fingerprint: bytes = b""
    ) -> WrongHit:
        """Have the answer served no more, and count it as a false hit, once.

        Named is the request that was answered wrongly, or the answer's own fingerprint. Raises
        UnknownEntry where neither names anything, StoreUnavailable.
        """
        ...


class Embedder(Protocol):
    """Text as a point: near to what means the same."""

    @property
    def name(self) -> str:
        """Which one it is: lower case letters, digits, `-`; part of the index's name."""
        ...

    @property
    def dimensions(self) -> int:
        """Numbers in a vector."""
        ...

    async def embed(self, text: str, tenant: str) -> bytes:
        """The vector, of length 1, as little-endian f32.

        `tenant` is whose text it is: only for it may the vector be remembered, and only where its
        data may be processed may the text go.

        Raises EmbedderUnavailable, also where it would take too long.
        """
        ...


class Errands(Protocol):
    """Whoever runs requests of the gateway's own."""

    async def run(self, errand: Errand) -> Answered:
        """The whole answer; reserved, routed and settled like any request, by its tenant's rules.

        Raises SpillgateError: RequestError where a deployment refused the request itself. May be
        cancelled at any time.
        """
        ...


class Aside(Protocol):
    """Work that nobody waits for."""

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Have it done in the background; False where too much is under way, or all is ending."""
        ...


class UpstreamResponse(Protocol):
    """An upstream's answer, its body still to be read."""

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, names in lower case."""
        ...

    async def read(self, patience_s: float) -> bytes:
        """The next bytes of the body, as they come; empty at its end.

        Raises TimeoutError after `patience_s` seconds of silence (reading may then go on),
        UpstreamDisconnected when the connection broke first.
        """
        ...

    def close(self) -> None:
        """Let go of the connection; an unread body ends it, so that the upstream stops working."""
        ...


class Upstream(Protocol):
    """All deployments, reachable: URLs, credentials and connections are its business."""

    async def open(
        self, deployment: Deployment, request: InferenceRequest, headers: Mapping[str, str]
    ) -> UpstreamResponse:
        """Send a request and return once the answer's headers are here; the caller closes it.

        Raises UpstreamUnreachable, UpstreamDisconnected, UpstreamTimeout, UpstreamProtocolError.
        """
        ...
