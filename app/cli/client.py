"""The admin API's client: one call in, its answer out, and every failure a line that helps."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:  # loaded by what calls: a command that does not starts without it
    import httpx2

URL_VARIABLE: Final = "SPILLGATE_ADMIN_URL"
KEY_VARIABLE: Final = "SPILLGATE_ADMIN_KEY"
DEFAULT_URL: Final = "http://127.0.0.1:8081"
PREFIX: Final = "/admin/v1/"

CONNECT_TIMEOUT_S: Final = 3.0
#: Between two parts of an answer: a report over a year of the ledger is read from its files.
ANSWER_TIMEOUT_S: Final = 60.0

#: Of a query; a list is the same name several times.
Parameters = Mapping[str, str | list[str]]


class AdminError(Exception):
    """The call failed; the text says in one line why, and what to do."""


class Changed(AdminError):
    """What was to be changed has another version than the one that was read."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where the admin API is, without a slash at the end, and the key it is called with."""

    url: str
    key: str = field(repr=False)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Access:
        """From the two variables. Raises AdminError where one of them cannot be used."""
        url = environment.get(URL_VARIABLE, "").strip() or DEFAULT_URL
        if not _is_address(url):
            raise AdminError(f"{URL_VARIABLE} must be an address such as {DEFAULT_URL}")
        key = environment.get(KEY_VARIABLE, "").strip()
        if not key:
            raise AdminError(f"{KEY_VARIABLE} is not set: export the key of an administrator in it")
        if not (key.isascii() and key.isprintable()):
            raise AdminError(f"{KEY_VARIABLE} holds characters that no key has: copy it again")
        return cls(url.rstrip("/"), key)


class AdminClient:
    """Calls to one admin API; paths are relative to `/admin/v1/`. All raise AdminError."""

    def __init__(self, client: httpx2.Client, url: str) -> None:
        """`client` sends the key; `url` is named in errors."""
        self._client = client
        self._url = url

    def get(self, path: str, parameters: Parameters | None = None) -> Any:
        """Read something."""
        return self._call("GET", path, params=parameters)

    def send(
        self, method: str, path: str, body: object = None, *, version: int | None = None
    ) -> Any:
        """Change something; with a `version`, only if that is the one it has. None: no answer."""
        headers = {} if version is None else {"if-match": f'"{version}"'}
        return self._call(method, path, json=body, headers=headers)

    def pages(
        self, path: str, parameters: Parameters | None = None, *, cursor: str = "cursor"
    ) -> Iterator[list[Any]]:
        """The entries of a list, page by page; `cursor` is the parameter that asks for the next."""
        asked = dict(parameters or {})
        while True:
            answer = self.get(path, asked)
            yield answer["data"]
            following = answer.get("next")
            if following is None or str(following) == asked.get(cursor):
                return
            asked[cursor] = str(following)

    @contextmanager
    def download(self, path: str, parameters: Parameters) -> Iterator[Iterator[bytes]]:
        """An answer that is no JSON, in parts as they come."""
        with self._said(), self._client.stream("GET", path, params=parameters) as answer:
            if answer.status_code != HTTPStatus.OK:
                raise refusal(self._url, answer.status_code, answer.read())
            yield answer.iter_bytes()

    def _call(self, method: str, path: str, **rest: Any) -> Any:
        with self._said():
            answer = self._client.request(method, path, **rest)
        if not answer.is_success:
            raise refusal(self._url, answer.status_code, answer.content)
        if not answer.content:
            return None
        found = _object_in(answer.content)
        if found is None:
            raise _not_ours(self._url, answer.status_code)
        return found

    @contextmanager
    def _said(self) -> Iterator[None]:
        """What the transport raises, in our words: its own may hold what was sent."""
        import httpx2  # noqa: PLC0415  # as above

        try:
            yield
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            raise AdminError(
                f"nothing listens at {self._url}: start the gateway, or set {URL_VARIABLE} to the "
                "address of its admin listener"
            ) from None
        except httpx2.TimeoutException:
            raise AdminError(
                f"no answer from {self._url} within {ANSWER_TIMEOUT_S:.0f} s: try again, or ask "
                "for a shorter period"
            ) from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise AdminError(
                f"the connection to {self._url} failed ({type(error).__name__}): see that "
                f"{URL_VARIABLE} is the admin listener, with http or https as it is configured"
            ) from None


@contextmanager
def admin_client(
    access: Access, transport: httpx2.BaseTransport | None = None
) -> Iterator[AdminClient]:
    """A client and its connections; redirects are not followed, proxies not taken."""
    import httpx2  # noqa: PLC0415  # as above

    headers = {"authorization": f"Bearer {access.key}", "accept-encoding": "identity"}
    with httpx2.Client(
        base_url=access.url + PREFIX,
        headers=headers,
        timeout=httpx2.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
        follow_redirects=False,
        trust_env=False,
        transport=transport,
    ) as client:
        yield AdminClient(client, access.url)


def path_to(*parts: str) -> str:
    """A path of these parts, each a name that may hold any character. Raises AdminError."""
    if any(part in {"", ".", ".."} for part in parts):
        raise AdminError("a name or id cannot be empty, '.' or '..'")
    return "/".join(quote(part, safe="") for part in parts)


def refusal(url: str, status: int, body: bytes) -> AdminError:
    """What an answer that is none says, and what to do about it."""
    error = (_object_in(body) or {}).get("error")
    if status == HTTPStatus.UNAUTHORIZED:
        return AdminError(
            f"{url} does not accept the key in {KEY_VARIABLE}: set it to the gateway's admin.key "
            "or to an administrator's key"
        )
    if not isinstance(error, dict) or error.get("code") == "unknown_url":
        return _not_ours(url, status)
    message = str(error.get("message") or f"status {status}")
    parameter = error.get("param")
    if parameter and f"{parameter}:" not in message:
        message = f"{parameter}: {message}"
    conflict = status in {HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED}
    return (Changed if conflict else AdminError)(message)


def _not_ours(url: str, status: int) -> AdminError:
    return AdminError(
        f"{url} does not answer as the admin API does (status {status}): set {URL_VARIABLE} to "
        "the admin listener of a gateway of this version"
    )


def _object_in(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises for a port that is none
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
