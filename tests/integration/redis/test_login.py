"""Redis that lets in who shows a token: connections, and those that outlast it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from app.adapters.clock import SystemClock
from app.adapters.redis import batch as batches
from app.adapters.redis.embedded_binaries import installed_binaries
from app.adapters.redis.hearing import Hearing
from app.adapters.redis.login import EntraLogin, object_id
from app.adapters.redis.looking import look
from app.adapters.redis.store import Store, opened_store
from app.errors import StoreUnavailable, UpstreamMisconfigured
from tests.fakes.changed import replace
from tests.fakes.patient import PATIENCE_S, patient
from tests.integration.redis.cluster import Server, is_up

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)
IDENTITY = "11111111-2222-4333-8444-555555555555"


def token(of: object = IDENTITY) -> str:
    """As Entra ID makes them, but for the signature; no two are the same."""
    claims = json.dumps({"oid": of, "jti": uuid4().hex}).encode()
    return f"header.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.signature"


@dataclass
class Identity:
    """Whose tokens they are; none where `trouble` says why."""

    token: str
    trouble: str = ""

    async def header(self) -> tuple[str, str]:
        if self.trouble:
            raise UpstreamMisconfigured(self.trouble)
        return "authorization", f"Bearer {self.token}"


@dataclass
class House:
    """A server, its owner's client, and an identity that it lets in."""

    server: Server
    owner: Redis
    identity: Identity

    def let_in(self, held: str) -> None:
        """Take this token from now on, and no other."""
        self.owner.acl_setuser(
            IDENTITY,
            enabled=True,
            reset_passwords=True,
            passwords=[f"+{held}"],
            keys=["*"],
            channels=["*"],
            categories=["+@all"],
        )

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """A gateway's way to it."""
        url = f"redis://127.0.0.1:{self.server.port}"
        place = replace(patient(url), login=EntraLogin(self.identity))
        async with opened_store(place, SystemClock()) as store:
            yield store

    @property
    def signed_in(self) -> int:
        """How often somebody showed a token on a connection that was there."""
        found = self.owner.info("commandstats").get("cmdstat_auth", {"calls": 0})
        return int(found["calls"])


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Nobody but its owner and the identity is let in."""
    binary = installed_binaries().server
    assert binary is not None
    with ExitStack() as stack:
        server = Server(binary, tmp_path, cluster=False)
        server.start()
        stack.callback(server.kill)
        is_up(server)
        owner = stack.enter_context(Redis(port=server.port, decode_responses=True))
        made = House(server, owner, Identity(token()))
        owner.ping()
        made.let_in(made.identity.token)
        owner.acl_setuser("default", enabled=True, passwords=["+of-the-owner"])
        yield made


async def test_a_token_lets_in(house: House) -> None:
    """Commands, subscriptions, and whoever only looks."""
    heard = asyncio.Event()
    async with house.store() as store:
        assert await store.batch.call(("SET", "a", "1")) is True
        hearing = Hearing("news", store.subscribed, lambda _: None, heard.set)
        listening = asyncio.create_task(hearing.keep_hearing())
        async with asyncio.timeout(PATIENCE_S):
            await heard.wait()
        listening.cancel()
    url = f"redis://127.0.0.1:{house.server.port}"
    assert (await look(url, SystemClock(), EntraLogin(house.identity))).role == "master"
    with pytest.raises(StoreUnavailable, match="AuthenticationError"):
        await look(url, SystemClock())


async def test_a_connection_outlasts_its_token(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is shown the next one, and no command notices; the next connection begins with it."""
    monkeypatch.setattr(batches, "LOGIN_LOOK_S", 0.02)
    async with house.store() as store:
        name = ("CLIENT", "ID")
        connection = await store.batch.call(name)
        async with asyncio.timeout(PATIENCE_S):
            while not house.signed_in:
                await asyncio.sleep(0.01)
            before = house.signed_in
            fresh = token()
            house.let_in(fresh)
            house.identity.token = fresh
            while house.signed_in == before:
                await asyncio.sleep(0.01)
        assert await store.batch.call(name) == connection
        house.owner.client_kill_filter(_id=str(connection))
        async with asyncio.timeout(PATIENCE_S):
            while await _id_of(store) in {None, connection}:
                await asyncio.sleep(0.01)


async def _id_of(store: Store) -> int | None:
    try:
        return int(await store.batch.call(("CLIENT", "ID")))
    except StoreUnavailable:
        return None


@pytest.mark.parametrize("trouble", ["", "No token for the upstream: Entra ID is away."])
async def test_without_a_good_token_redis_is_lost_and_comes_back(
    house: House, trouble: str
) -> None:
    """As with any other Redis that does not answer; nothing of a token is in the error."""
    good = house.identity.token
    house.identity.token, house.identity.trouble = token(), trouble
    async with house.store() as store:
        with pytest.raises(StoreUnavailable) as told:
            await store.batch.call(("PING",))
        assert house.identity.token not in f"{told.value} {told.value.__cause__}"
        house.identity.token, house.identity.trouble = good, ""
        async with asyncio.timeout(PATIENCE_S):
            while await _id_of(store) is None:
                await asyncio.sleep(0.05)


def test_who_it_is_comes_out_of_the_token() -> None:
    """Its claim `oid`, which the server verifies; another text names nobody and is not repeated."""
    assert object_id(token("abc")) == "abc"
    for wrong in ("", "a", "a.b", "a.!!.c", "a.e30.c", token(7), token(None)):
        with pytest.raises(AuthenticationError, match="names nobody") as told:
            object_id(wrong)
        assert not wrong.startswith("header") or wrong not in str(told.value)
