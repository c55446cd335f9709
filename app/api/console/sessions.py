"""Who is signed in: kept in the admin process alone, bounded in number and in time."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from app.api.admin.roles import Authentication, Caller, Standing
from app.domain.identity.directory import Role
from app.errors import InvalidApiKey

#: Without a page opened or a form sent. What refreshes itself does not count.
IDLE_S: Final = 1800.0
#: Whatever was done: a working day.
LONGEST_S: Final = 8 * 3600.0
#: At once, of one key; above that the one of them that was longest idle ends.
MOST_OF_A_KEY: Final = 32
#: At once, of all keys; the same.
MOST: Final = 1024
_BYTES: Final = 32
_NOTICES: Final = 5


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be said on the next page; a `secret` is shown there, and nowhere again."""

    text: str
    secret: str = field(default="", repr=False)
    is_error: bool = False


@dataclass(slots=True)
class Session:
    """One sign-in; moments are on the monotonic clock, in seconds."""

    standing: Standing
    role: Role
    tenant: str | None
    csrf: str = field(repr=False)
    began: float
    seen: float
    notices: list[Notice] = field(default_factory=list, repr=False)

    def tell(self, notice: Notice) -> None:
        """Say it on the next page."""
        self.notices = [*self.notices, notice][-_NOTICES:]

    def told(self) -> list[Notice]:
        """What is to be said, once."""
        told, self.notices = self.notices, []
        return told

    def is_form_of_ours(self, token: str) -> bool:
        """Whether a form bears this session's token."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.csrf.encode())


class Sessions:
    """By a digest of their ids: whoever reads this memory cannot use what is found."""

    def __init__(
        self,
        authentication: Callable[[], Authentication],
        now: Callable[[], float],
        randomness: Callable[[int], bytes],
    ) -> None:
        """`now` is monotonic, in seconds; `randomness` gives so many bytes."""
        self._authentication = authentication
        self._now = now
        self._randomness = randomness
        self._kept: OrderedDict[bytes, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def begin(self, key: str, caller: Caller) -> str:
        """The id of a new session of this caller, who showed that key just now."""
        now, session_id = self._now(), self._text()
        standing = self._authentication().standing(key)
        self._make_room(standing)
        self._kept[_place(session_id)] = Session(
            standing=standing,
            role=caller.actor.role,
            tenant=caller.tenant,
            csrf=self._text(),
            began=now,
            seen=now,
        )
        return session_id

    def find(
        self, session_id: str, request_id: str, *, is_used: bool
    ) -> tuple[Session, Caller] | None:
        """The session and who it is now; None where it has ended, which it does here.

        It ends with its key, and where the key's role or tenant is another one than at the
        beginning: pages that are open would say what is not so.
        """
        place = _place(session_id)
        session = self._kept.get(place)
        caller = self._caller(session, request_id) if session is not None else None
        if session is None or caller is None:
            self._kept.pop(place, None)
            return None
        if is_used:
            session.seen = self._now()
            self._kept.move_to_end(place)
        return session, caller

    def end(self, session_id: str) -> None:
        """Sign out."""
        self._kept.pop(_place(session_id), None)

    def _make_room(self, standing: Standing) -> None:
        """For one more of this key, which signs nobody else out."""
        own = [place for place, each in self._kept.items() if each.standing == standing]
        if len(own) >= MOST_OF_A_KEY:
            del self._kept[own[0]]
        elif len(self._kept) >= MOST:
            self._kept.popitem(last=False)

    def _caller(self, session: Session, request_id: str) -> Caller | None:
        now = self._now()
        if now - session.seen >= IDLE_S or now - session.began >= LONGEST_S:
            return None
        try:
            caller = self._authentication().recall(session.standing, request_id)
        except InvalidApiKey:
            return None
        is_same = (caller.actor.role, caller.tenant) == (session.role, session.tenant)
        return caller if is_same else None

    def _text(self) -> str:
        return urlsafe_b64encode(self._randomness(_BYTES)).decode().rstrip("=")


def _place(session_id: str) -> bytes:
    return sha256(session_id.encode("utf-8", "replace")).digest()
