"""What a Redis URL may say; what the client would misread is told by name, and never quoted.

redis-py takes any option for an argument of its own: an unknown one fails every connection, as if
the store were lost; time limits, retries and the protocol are the gateway's to set.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

_UNREADABLE: Final = "is no URL: in a password, `/`, `?`, `#`, `[` and `@` are written as %2F, …"
_NUMBER: Final = "[0-9]{1,9}"
_SWITCH: Final = ("(?i:true|false|yes|no|[tfyn10])", "true or false")
_SOME: Final = ("(?s:.+)", "some text")

_OPTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "db": (_NUMBER, "a number"),
    "client_name": ("[!-~]+", "text without spaces"),
}
_OF_TLS: Final[Mapping[str, tuple[str, str]]] = {
    "ssl_ca_certs": _SOME,
    "ssl_ca_path": _SOME,
    "ssl_cert_reqs": ("none|optional|required", "none, optional or required"),
    "ssl_certfile": _SOME,
    "ssl_check_hostname": _SWITCH,
    "ssl_ciphers": _SOME,
    "ssl_keyfile": _SOME,
    "ssl_min_version": ("771|772", "771 (TLS 1.2) or 772 (TLS 1.3)"),
    "ssl_password": _SOME,
}


def fault_in(url: str) -> str | None:
    """Why no server can be reached by it as its author meant; None: there is no reason.

    Nothing of the URL is in what is said but the names of options.
    """
    if not url.startswith(("redis://", "rediss://", "unix://")):
        return "must begin with redis://, rediss:// or unix://"
    if not _can_be_read(url):
        return _UNREADABLE
    return next(_faults(urlsplit(url)), None)


def database_in(url: str) -> int:
    """The number of its database; the option counts before the path. Raises ValueError."""
    parts = urlsplit(url)
    named = dict(parse_qsl(parts.query)).get("db")
    path = "" if parts.scheme == "unix" else unquote(parts.path).strip("/")
    return int(named or path or 0)


def _can_be_read(url: str) -> bool:
    """Whether it ends where it should. What Python says of it is not told: it may quote a password.

    Where a password has a character that ends a host, the `@` is found after it.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return not parts.fragment and "@" not in parts.path + parts.query


def _faults(parts: SplitResult) -> Iterator[str]:
    path = unquote(parts.path).strip("/")
    if parts.scheme == "unix" and not path:
        yield "names no socket: unix:///PATH"
    if parts.scheme != "unix" and path and not re.fullmatch(_NUMBER, path):
        yield "has a path that is no number of a database"
    given = parse_qsl(parts.query, keep_blank_values=True)
    for name, times in Counter(name for name, _ in given).items():
        if times > 1:
            yield f"has the option `{name}` twice"
    for name, value in given:
        yield from _faults_of_option(parts.scheme, name, value)


def _faults_of_option(scheme: str, name: str, value: str) -> Iterator[str]:
    if name in _OF_TLS and scheme != "rediss":
        yield f"has the option `{name}`, which only rediss:// has"
    known = {**_OPTIONS, **_OF_TLS} if scheme == "rediss" else _OPTIONS
    if name not in known:
        yield f"has the option `{name}`; there are {', '.join(known)}"
        return
    pattern, meaning = known[name]
    if not re.fullmatch(pattern, value):
        yield f"has an option `{name}` that is not {meaning}"
