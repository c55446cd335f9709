"""The nodes of a cluster: each with a batch and a breaker of its own, so that none is another's.

A frozen node costs its own tenants a round trip's time and the others nothing, which one client for
the whole cluster cannot do: it waits for the slowest node of a pipeline, and counts one node's
failure as everybody's.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import structlog
from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MovedError

from app.adapters.background import background
from app.adapters.redis.address import Address, address_in, url_at
from app.adapters.redis.batch import Batch, Command, NotSent, batching
from app.adapters.redis.breaker import Breaker, State
from app.adapters.redis.connection import (
    Place,
    batching_client,
    breaker_of,
    subscribed,
    subscribing_client,
)
from app.adapters.redis.subscription import Subscription
from app.errors import StoreUnavailable
from app.ports import Clock

#: How long a start waits for the cluster before it goes on without it.
BOOT_S: Final = 0.5
#: Between two looks whether the slots must be read again; drawn anew each time, so that many
#: workers which saw the same node fail do not ask all at once.
_LOOK_S: Final = (0.25, 0.75)
#: Slots are read again after so long though nothing hints at a change.
_REREAD_S: Final = 60.0
#: Redirections that one command follows.
_MOST_MOVES: Final = 4
#: Where a script's key is in its command: EVALSHA, digest, number of keys, key.
_SCRIPT_KEY: Final = 3


class _Slots(NamedTuple):
    first: int
    last: int
    node: Address


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One server of the cluster, as this worker speaks to it."""

    address: Address
    batch: Batch
    breaker: Breaker
    subscriber: Redis
    lifetime: AsyncExitStack
    hearing: set[Subscription] = field(default_factory=set)

    @property
    def lost(self) -> bool:
        """Whether it did not answer of late."""
        return self.breaker.state is not State.CLOSED


class _NodeLeft(RedisConnectionError):
    """It may answer for ever."""

    def __init__(self) -> None:
        super().__init__("The node left the cluster.")


class Cluster:
    """Who has which slot; open within `clustered`."""

    def __init__(self, place: Place, clock: Clock, name: str) -> None:
        """The URL names one node, or whatever leads to one, and the credentials of all."""
        self._place = place
        self._clock = clock
        self._name = name
        self._nodes: dict[Address, Node] = {}
        self._slots: dict[int, Node] = {}
        self._serving: frozenset[Address] = frozenset()
        self._left: list[Node] = []
        self._turn = asyncio.Lock()
        self._stale = True
        self._read_at = 0.0
        self._trouble = ""

    def node_of(self, key: bytes | str) -> Node:
        """The node that has this key. Raises NotSent where none is known to."""
        node = self._slots.get(key_slot(key.encode() if isinstance(key, str) else key))
        if node is None:
            self._stale = True
            raise NotSent("No node of the gateway's store is known to have this key.")
        return node

    @asynccontextmanager
    async def subscribed(
        self, channel: str, heard: Callable[[bytes], None]
    ) -> AsyncIterator[Subscription]:
        """Hear a channel at a node that answered of late, another each time: all tell all.

        Raises RedisError, OSError; so does the subscription, once its node has left.
        """
        node = self.any_node()
        async with subscribed(node.subscriber, channel, heard) as subscription:
            if self._nodes.get(node.address) is not node:
                raise _NodeLeft
            node.hearing.add(subscription)
            try:
                yield subscription
            finally:
                node.hearing.discard(subscription)

    def any_node(self) -> Node:
        """One that has slots and answered of late, if any did; the configured one at least."""
        serving = [self._nodes[address] for address in self._serving]
        nodes = serving or list(self._nodes.values())
        return random.choice([each for each in nodes if not each.lost] or nodes)  # noqa: S311  # no secret

    def batches(self) -> list[Batch]:
        """Of all nodes that have slots."""
        return [self._nodes[address].batch for address in self._serving]

    def hurry(self) -> None:
        """Ask lost nodes again at once."""
        for node in self._nodes.values():
            node.breaker.hurry()

    async def moved(self, slot: int, address: Address) -> None:
        """A slot is known to be elsewhere now; there may be more of them."""
        self._stale = True
        async with self._turn:
            self._slots[slot] = await self._node_at(address)

    async def open(self) -> None:
        """Have a node to ask, and ask it, at most BOOT_S."""
        await self._node_at(address_in(self._place.url))
        with suppress(TimeoutError):
            async with asyncio.timeout(BOOT_S):
                while not self._slots:
                    await self._look()
                    await asyncio.sleep(0 if self._slots else _LOOK_S[0] / 5)

    async def keep_following(self) -> None:
        """Read the slots again whenever something hints at a change."""
        while True:
            await asyncio.sleep(random.uniform(*_LOOK_S))  # noqa: S311  # no secret
            await self._look()

    async def close(self) -> None:
        """Leave all nodes."""
        nodes = [*self._nodes.values(), *self._left]
        self._slots.clear()
        await asyncio.gather(*(node.lifetime.aclose() for node in nodes))

    async def _look(self) -> None:
        due = self._clock.now() - self._read_at > _REREAD_S
        if self._stale or due or any(self._nodes[each].lost for each in self._serving):
            try:
                await self._read()
            except StoreUnavailable as error:
                self._note(str(error.__cause__ or error))
            else:
                self._note("")

    async def _read(self) -> None:
        """Take the word of the first node that answers. Raises StoreUnavailable."""
        nodes = random.sample(list(self._nodes.values()), len(self._nodes))
        error = StoreUnavailable("The gateway's store does not answer.")
        for node in sorted(nodes, key=lambda each: each.lost):
            self._stale = False
            try:
                answer = await node.batch.call(("CLUSTER", "SLOTS"))
            except StoreUnavailable as failed:
                error = failed
                continue
            if answer:  # a server that was replaced knows nothing yet
                return await self._adopt(list(_slots(answer, node.address.host)))
        self._stale = True
        raise error

    async def _adopt(self, ranges: Sequence[_Slots]) -> None:
        """Nodes that left are closed when the slots are read next: calls to them have ended."""
        async with self._turn:
            found: dict[int, Node] = {}
            for first, last, address in ranges:
                found |= dict.fromkeys(range(first, last + 1), await self._node_at(address))
            self._slots, self._serving = found, frozenset(each.node for each in ranges)
            kept = self._serving | {address_in(self._place.url)}
            ended, self._left = self._left, []
            for address in [each for each in self._nodes if each not in kept]:
                self._left.append(left := self._nodes.pop(address))
                for each in left.hearing:  # it may answer for ever, and hear nothing
                    each.end(_NodeLeft())
            self._read_at = self._clock.now()
        await asyncio.gather(*(node.lifetime.aclose() for node in ended))

    async def _node_at(self, address: Address) -> Node:
        if address not in self._nodes:
            self._nodes[address] = await self._opened(address)
        return self._nodes[address]

    async def _opened(self, address: Address) -> Node:
        place = replace(self._place, url=url_at(self._place.url, address))
        lifetime = AsyncExitStack()
        name = f"{self._name} {address}"
        breaker = lifetime.enter_context(breaker_of(place, self._clock, name))
        client = await lifetime.enter_async_context(batching_client(place))
        batch = await lifetime.enter_async_context(
            batching(client, breaker, patience_s=place.patience_s, login=place.login)
        )
        subscriber = await lifetime.enter_async_context(subscribing_client(place))
        return Node(address, batch, breaker, subscriber, lifetime)

    def _note(self, trouble: str) -> None:
        """Log where it changed what keeps the slots from being read."""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        log = structlog.get_logger()
        if trouble:
            log.error("cluster_not_read", store=self._name, error=trouble)
        else:
            log.info("cluster_read_again", store=self._name)


class ClusterBatch(Batch):
    """Batches of all nodes as one: each command goes to the node that has its key."""

    def __init__(self, cluster: Cluster) -> None:  # the base's own parts are each node's
        self._cluster = cluster

    async def call(self, command: Command, *, as_told: bool = False) -> Any:
        """The answer to one command, whose first key decides where it goes; see Batch.

        Raises StoreUnavailable while that key's node is lost, and while its slot is being moved key
        by key: a script would find some of its keys here and some there.
        """
        for _ in range(_MOST_MOVES):
            node = self._cluster.node_of(_key(command))
            try:
                return await node.batch.call(command, as_told=as_told)
            except StoreUnavailable as refused:
                if not isinstance(refused.__cause__, MovedError):
                    raise
                moved = refused.__cause__
            address = Address(moved.host or node.address.host, moved.port)
            await self._cluster.moved(moved.slot_id, address)
        raise NotSent("The nodes of the gateway's store send each other a key in circles.")

    async def call_all(self, commands: Sequence[Command]) -> list[Any]:
        """See Batch; each goes to its own node."""
        return await asyncio.gather(*map(self.call, commands), return_exceptions=True)


@asynccontextmanager
async def clustered(place: Place, clock: Clock, *, name: str) -> AsyncIterator[Cluster]:
    """The cluster that the URL leads to, which need not answer yet, nor always."""
    cluster = Cluster(place, clock, name)
    try:
        await cluster.open()
        async with background("cluster", cluster.keep_following):
            yield cluster
    finally:
        await cluster.close()


def _key(command: Command) -> bytes | str:
    at = _SCRIPT_KEY if command[0] in {"EVALSHA", "EVAL"} else 1
    key = command[at]
    return key if isinstance(key, bytes | str) else str(key)


def _slots(answer: Iterable[Sequence[Any]], asked: str) -> Iterable[_Slots]:
    """CLUSTER SLOTS: first, last, primary, replicas…; a node without a host is at the asked one."""
    for first, last, (host, port, *_), *_ in answer:
        yield _Slots(int(first), int(last), Address((host or b"").decode() or asked, int(port)))
