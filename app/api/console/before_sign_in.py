"""Whether the form of a sign-in came from this page, before there is a session to tell by.

A signed double submit (OWASP, Cross-Site Request Forgery Prevention): a cookie of this site alone,
and in the form what this process makes of it. It needs no script, and no header that browsers tell
by TLS only; a page elsewhere neither reads the cookie nor has it sent.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

COOKIE: Final = "spillgate_sign_in"
_BYTES: Final = 32
#: What 32 bytes come to without padding.
_LENGTH: Final = 43


class SignInForms:
    """Of one process: what it made before it began anew is shown once more."""

    def __init__(self, randomness: Callable[[int], bytes]) -> None:
        """`randomness` gives so many bytes that nobody can guess."""
        self._randomness = randomness
        self._secret = randomness(_BYTES)

    def is_ours(self, request: Request, token: str) -> bool:
        """Whether the token is of the cookie that came with it."""
        cookie = _cookie_of(request)
        given = token.encode("utf-8", "replace")
        return bool(cookie) and hmac.compare_digest(given, self._token(cookie))

    def begin(self, request: Request, render: Callable[[str], Response], path: str) -> Response:
        """The page that `render` makes with a token, and its cookie where there is none yet.

        A cookie that is there stays, so that pages which were opened before it still sign in.
        """
        cookie = _cookie_of(request)
        value = cookie or self._new()
        answer = render(self._token(value).decode())
        if not cookie:
            secure = request.url.scheme == "https"
            answer.set_cookie(
                COOKIE, value, path=path, secure=secure, httponly=True, samesite="strict"
            )
        return answer

    def _new(self) -> str:
        return _text(self._randomness(_BYTES))

    def _token(self, cookie: str) -> bytes:
        return _text(hmac.digest(self._secret, cookie.encode("utf-8", "replace"), sha256)).encode()


def _cookie_of(request: Request) -> str:
    """Empty where there is none, or what cannot be one of ours."""
    cookie = request.cookies.get(COOKIE, "")
    return cookie if len(cookie) == _LENGTH and cookie.isascii() else ""


def _text(made: bytes) -> str:
    return urlsafe_b64encode(made).decode().rstrip("=")
