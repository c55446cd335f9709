"""Entra ID access tokens that callers show: verified once, then remembered until they end.

A token is kept as the SHA-256 of all of it, and neither logged nor shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final

import jwt
import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.types import Options

from app.adapters.identity.expiring_cache import ExpiringCache
from app.adapters.identity.signing_keys import SigningKeys
from app.domain.identity.caller_token import Caller, CallerRules, Lifetime, Refusal
from app.domain.identity.tenant import Principal
from app.ports import Clock

#: The one algorithm of Entra ID's access tokens; what a token's header says is never obeyed.
ALGORITHM: Final = "RS256"
MAX_TOKEN_CHARS: Final = 16 * 1024
MAX_ACCEPTED: Final = 10_000
MAX_REFUSED: Final = 1_000
REFUSED_FOR_S: Final = 10.0

#: PyJWT reads the system's clock for times; ours is asked instead, in `Lifetime`.
_OPTIONS: Final[Options] = {
    "require": ["exp", "iss", "aud"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}


class Expected(msgspec.Struct, frozen=True):
    """What a token must say; `directory` is compared with `tid` where that is there."""

    directory: str
    issuers: tuple[str, ...]
    audiences: tuple[str, ...]


class EntraCallerTokens:
    """The callers of one configuration snapshot."""

    def __init__(
        self,
        keys: SigningKeys,
        expected: Expected,
        rules: Callable[[], CallerRules],
        clock: Clock,
    ) -> None:
        """`keys` may be shared between snapshots; what was verified is not.

        `rules` are those in force: they are asked for each request, also for one whose token is
        remembered, so that a change of them waits for nothing.
        """
        self._keys = keys
        self._generation = keys.generation
        self._expected = expected
        self._rules = rules
        self._clock = clock
        self._accepted: ExpiringCache[Caller] = ExpiringCache(MAX_ACCEPTED)
        self._refused: ExpiringCache[bool] = ExpiringCache(MAX_REFUSED)
        self._told: ExpiringCache[bool] = ExpiringCache(MAX_REFUSED)
        self.verifications = 0
        """How many signatures were checked."""

    async def find(self, token: str) -> Principal | None:
        """The principal of a token that was verified, None for any other text.

        Waits only where the token names a signing key that is not known. Raises StoreUnavailable
        where that key is out of reach; nothing is remembered then.
        """
        digest = _digest(token)
        if digest is None:
            return None
        caller = self._remembered(digest)
        if caller is None and not self._refused.get(digest, self._clock.unix()):
            key_id = _key_id(token)
            key = await self._keys.find(key_id) if key_id else None
            # While it waited, another request may have shown the same token.
            caller = self._remembered(digest) or self._judged(token, digest, key)
        return self._principal(caller, digest) if caller else None

    def _principal(self, caller: Caller, digest: bytes) -> Principal | None:
        """Whose the caller is now; who is nobody's is told of once in a while."""
        found = self._rules().principal(caller)
        if isinstance(found, Principal):
            return found
        if not self._told.get(digest, self._clock.unix()):
            self._told.put(digest, True, self._clock.unix() + REFUSED_FOR_S)  # noqa: FBT003  # a value
            _tell(found, caller.application, caller.object_id)
        return None

    def _remembered(self, digest: bytes) -> Caller | None:
        if self._generation != self._keys.generation:
            # A key that the directory withdrew takes what it signed along.
            self._generation = self._keys.generation
            self._accepted.clear()
            self._refused.clear()
        return self._accepted.get(digest, self._clock.unix())

    def _judged(self, token: str, digest: bytes, key: RSAPublicKey | None) -> Caller | None:
        claims = self._verified(token, key) if key else None
        if claims is not None:
            lifetime = Lifetime.of(claims)
            outcome = self._outcome(claims, lifetime)
            if lifetime and isinstance(outcome, Caller):
                self._accepted.put(digest, outcome, lifetime.ends)
                return outcome
            _tell(outcome, claims.get("appid", claims.get("azp")), claims.get("oid"))
        self._refused.put(digest, True, self._clock.unix() + REFUSED_FOR_S)  # noqa: FBT003  # a value
        return None

    def _verified(self, token: str, key: RSAPublicKey) -> Mapping[str, Any] | None:
        """The claims of a token that this directory signed for this gateway."""
        self.verifications += 1
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._expected.audiences,
                issuer=self._expected.issuers,
                options=_OPTIONS,
            )
        except jwt.InvalidAudienceError:
            # The issuer was checked before: whoever is of another directory writes no lines here.
            structlog.get_logger().warning(
                "caller token refused", reason="it is made out for another audience"
            )
        except (jwt.PyJWTError, RecursionError):
            structlog.get_logger().debug(
                "caller token refused", reason="it is not this directory's"
            )
        return None

    def _outcome(self, claims: Mapping[str, Any], lifetime: Lifetime | None) -> Caller | Refusal:
        if lifetime is None:
            return Refusal.TIMES
        if refusal := lifetime.refusal(self._clock.unix()):
            return refusal
        if str(claims.get("tid", self._expected.directory)).lower() != self._expected.directory:
            return Refusal.DIRECTORY
        return Caller.of(claims) or Refusal.NO_APPLICATION


def _digest(token: str) -> bytes | None:
    """SHA-256 of the whole token: a part of it would let one caller stand in for another."""
    if len(token) > MAX_TOKEN_CHARS or not token.isascii():
        return None
    return sha256(token.encode()).digest()


def _key_id(token: str) -> str | None:
    """The signing key that the token names, None where it could not be verified with it."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, RecursionError):
        return None
    key_id = header.get("kid")
    return key_id if header.get("alg") == ALGORITHM and isinstance(key_id, str) else None


def _tell(outcome: Caller | Refusal, application: object, object_id: object) -> None:
    """One line for the operator, once in `REFUSED_FOR_S` for each token: ids are no secrets."""
    structlog.get_logger().warning(
        "caller token refused", reason=str(outcome), application=application, object=object_id
    )
