"""What the admin API's client says when there is no answer to give."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping

import httpx2
import pytest

from app.cli.client import Access, AdminError, admin_client
from app.cli.session import Surroundings
from tests.fakes.admin_api import ADMIN_KEY, FakeAdminApi, refused
from tests.fakes.command_line import Result, environment_of, run_with

SECRET = "s3cret-of-the-owner"


def _list(environment: Mapping[str, str]) -> Result:
    return run_with(Surroundings(lambda: environment), "tenant", "list")


def _failure(answer: Callable[[httpx2.Request], httpx2.Response]) -> str:
    access = Access("http://127.0.0.1:8081", SECRET)
    with (
        admin_client(access, httpx2.MockTransport(answer)) as client,
        pytest.raises(AdminError) as raised,
    ):
        client.get("tenants")
    assert SECRET not in str(raised.value)
    return str(raised.value)


def test_without_a_key_the_variable_is_named() -> None:
    """Nothing is asked of anybody."""
    result = _list({})
    assert (result.exit_code, result.out) == (1, "")
    assert result.err == (
        "spillgate: SPILLGATE_ADMIN_KEY is not set: export the key of an administrator in it\n"
    )


def test_without_a_server_the_address_and_its_variable_are_named() -> None:
    """In one line."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        result = _list({"SPILLGATE_ADMIN_URL": url, "SPILLGATE_ADMIN_KEY": SECRET})
    assert result.exit_code == 1
    assert result.err == (
        f"spillgate: nothing listens at {url}: start the gateway, or set SPILLGATE_ADMIN_URL to "
        "the address of its admin listener\n"
    )


def test_who_repeats_the_key_is_told_without_it(api: FakeAdminApi) -> None:
    """Another server, say, that tells what it was sent."""
    api.handle("GET", "tenants", lambda _: refused(400, f"not {ADMIN_KEY}", "odd"))
    assert _list(environment_of(api)).err == "spillgate: not [redacted]\n"


def test_a_refused_key_is_told_by_its_variable(api: FakeAdminApi) -> None:
    """And is not shown."""
    result = _list(environment_of(api) | {"SPILLGATE_ADMIN_KEY": SECRET})
    assert result.exit_code == 1
    assert result.err == (
        f"spillgate: {api.url} does not accept the key in SPILLGATE_ADMIN_KEY: set it to the "
        "gateway's admin.key or to an administrator's key\n"
    )


def test_a_key_from_a_file_may_end_in_a_newline(api: FakeAdminApi) -> None:
    """As `$(cat)` leaves none but a mounted secret does; a slash after the address is no matter."""
    api.answer("GET", "tenants", {"data": [], "next": None})
    given = {"SPILLGATE_ADMIN_URL": f"{api.url}/", "SPILLGATE_ADMIN_KEY": f"{ADMIN_KEY}\n"}
    assert _list(given).exit_code == 0


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8081", "ftp://host", "http://", "http://h:port", "http://u:p@h"]
)
def test_an_address_that_is_none_is_named_by_its_variable(url: str) -> None:
    """What it held is not repeated: it may hold a password."""
    with pytest.raises(AdminError, match="SPILLGATE_ADMIN_URL must be an address"):
        Access.read({"SPILLGATE_ADMIN_URL": url, "SPILLGATE_ADMIN_KEY": SECRET})


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines"])
def test_a_key_that_no_header_can_hold_is_not_shown(key: str) -> None:
    """The client's own error would repeat it."""
    with pytest.raises(AdminError, match="characters that no key has") as raised:
        Access.read({"SPILLGATE_ADMIN_KEY": key})
    assert key not in str(raised.value)


def test_the_key_is_not_in_the_accesss_text() -> None:
    """So that no traceback shows it."""
    assert SECRET not in repr(Access.read({"SPILLGATE_ADMIN_KEY": SECRET}))


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, text="<html>welcome</html>"),
        httpx2.Response(200, text="[]"),
        httpx2.Response(503, json={"error": "no upstream"}),
        httpx2.Response(302, headers={"location": "http://elsewhere/"}),
        httpx2.Response(404, text="not found"),
        httpx2.Response(502, json=["bad"]),
        httpx2.Response(404, json={"error": {"message": "x", "code": "unknown_url"}}),
    ],
    ids=lambda answer: f"{answer.status_code}",
)
def test_an_answer_of_something_else_names_the_address(answer: httpx2.Response) -> None:
    """A proxy, a web server, the data plane; nobody is followed elsewhere."""
    said = _failure(lambda _: answer)
    assert said == (
        f"http://127.0.0.1:8081 does not answer as the admin API does (status "
        f"{answer.status_code}): set SPILLGATE_ADMIN_URL to the admin listener of a gateway of "
        "this version"
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx2.ReadTimeout, "no answer from http://127.0.0.1:8081 within 60 s"),
        (httpx2.ConnectTimeout, "nothing listens at http://127.0.0.1:8081"),
        (httpx2.RemoteProtocolError, r"connection .* failed \(RemoteProtocolError\)"),
    ],
)
def test_what_the_transport_raises_is_told_in_our_words(
    error: type[httpx2.TransportError], words: str
) -> None:
    """The library's text may hold what was sent."""

    def fail(_: httpx2.Request) -> httpx2.Response:
        raise error(f"Bearer {SECRET}")

    assert re.search(words, _failure(fail))


def test_the_apis_own_words_are_kept(api: FakeAdminApi) -> None:
    """What is not allowed says so itself."""
    message = "A viewer may not do this."
    api.handle("GET", "tenants", lambda _: refused(403, message, "permission_denied"))
    assert _list(environment_of(api)).err == f"spillgate: {message}\n"


def test_the_field_is_named_once(api: FakeAdminApi) -> None:
    """The API's own words may have named it."""
    for message in ("name: is no name.", "is no name."):
        api.answer("GET", "tenants", refused(400, message, "bad", "name").body, 400)
        assert _list(environment_of(api)).err == "spillgate: name: is no name.\n"


def test_a_cursor_that_does_not_move_ends_the_list() -> None:
    """Rather than asking for ever."""
    asked: list[str] = []

    def same(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(200, json={"data": [1], "next": "c"})

    access = Access("http://127.0.0.1:8081", SECRET)
    with admin_client(access, httpx2.MockTransport(same)) as client:
        assert list(client.pages("tenants")) == [[1], [1]]
    assert asked[1].endswith("/admin/v1/tenants?cursor=c")


def test_an_answer_of_another_version_is_one_line(api: FakeAdminApi) -> None:
    """It names what is missing."""
    api.answer("GET", "tenants", {"data": [{"name": "a"}], "next": None})
    result = _list(environment_of(api))
    assert (result.exit_code, result.out) == (1, "")
    assert result.err == (
        "spillgate: the admin API's answer has no 'disabled': the gateway is of another version "
        "than this command\n"
    )
