"""Requests that no honest client sends: each is refused in OpenAI's shape, and the next is served.

After every one of them the same gateway answers a usual request, and the tenant's key is nowhere:
not in the answer, not in a receipt, not in the log.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
import pytest

from app.adapters.logs import configure_logs
from app.cli.key import new_key
from tests.e2e.canned import canned, whole
from tests.e2e.raw import CHAT_PATH, RawAnswer, chat, connected, exchange, read_answer, request
from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack

MIB = 1024 * 1024
#: Stands for the tenant's key in the tables below.
KEY = "<key>"
OTHER = new_key("test")
Headers = tuple[tuple[str, str], ...]
AUTH: Headers = (("api-key", KEY),)


@dataclass(slots=True)
class Hostile:
    """A stack with its log, and what every refusal must be like."""

    team: Stack
    log: io.StringIO
    answers: int = 0

    async def refused(self, payload: bytes, status: int, code: str | None) -> RawAnswer:
        """Send it; the answer is this refusal, and the gateway goes on."""
        answer = await self.answer(payload)
        self.looks_right(answer, status, code)
        assert "x-request-id" in answer.headers
        await self.still_serves()
        return answer

    async def answer(self, payload: bytes) -> RawAnswer:
        """Send it with the tenant's key in it; count the answer."""
        answer = await exchange(self.team, payload.replace(KEY.encode(), self.team.key.encode()))
        self.answers += "x-request-id" in answer.headers
        return answer

    def looks_right(self, answer: RawAnswer, status: int, code: str | None) -> None:
        """A refusal in OpenAI's shape."""
        assert answer.status == status, answer
        assert answer.headers["content-type"] == "application/json"
        assert set(answer.error) == {"message", "type", "param", "code"}
        assert answer.error["type"] == "invalid_request_error"
        assert answer.error["message"]
        assert answer.error["code"] == code
        assert self.team.key.encode() not in answer.body

    async def still_serves(self) -> None:
        """A usual request is answered."""
        assert (await self.answer(request(chat(), headers=AUTH))).status == 200

    async def keeps_the_key(self) -> None:
        """No record of what was done here holds the key; asked last."""
        await eventually(lambda: len(self.team.receipts.kept) >= self.answers)
        # Lines are written by a thread.
        await eventually(lambda: self.log.getvalue().count('"event":"request"') >= self.answers)
        records = msgspec.json.encode(self.team.receipts.kept).decode() + self.log.getvalue()
        assert self.team.key not in records
        assert self.team.key[-20:] not in records


@asynccontextmanager
async def hostile(redis_url: str) -> AsyncIterator[Hostile]:
    """A stack whose log is kept, and looked through at the end."""
    log = io.StringIO()
    configure_logs("debug", log)
    try:
        async with stack(redis_url, ptu_and_paygo) as team:
            host = Hostile(team, log)
            yield host
            await host.keeps_the_key()
    finally:
        configure_logs("critical")


def body_of(inside: bytes) -> bytes:
    """A chat completion's body with more in it."""
    return chat()[:-1] + b", " + inside + b"}"


BODIES: dict[str, tuple[bytes, str, str | None]] = {
    "nothing": (b"", "invalid_json", None),
    "not json": (b"hello", "invalid_json", None),
    "half": (chat()[:-1], "invalid_json", None),
    "two": (chat() + chat(), "invalid_json", None),
    "an array": (b"[1]", "invalid_json", None),
    "null": (b"null", "invalid_json", None),
    "a bom": (b"\xef\xbb\xbf" + chat(), "invalid_json", None),
    "utf-16": (chat().decode().encode("utf-16"), "invalid_json", None),
    "latin-1": (body_of(b'"user": "\xe9"'), "invalid_json", None),
    "trailing comma": (body_of(b'"n": 1,'), "invalid_json", None),
    "NaN": (body_of(b'"temperature": NaN'), "invalid_json", None),
    "Infinity": (body_of(b'"temperature": -Infinity'), "invalid_json", None),
    "1e400": (body_of(b'"temperature": 1e400'), "invalid_json", None),
    "lone surrogate": (body_of(b'"user": "\\ud800"'), "invalid_json", None),
    "raw surrogate": (body_of(b'"user": "\xed\xa0\x80"'), "invalid_json", None),
    "control character": (body_of(b'"user": "\x00"'), "invalid_json", None),
    "two models": (body_of(b'"model": "gpt-5"'), "duplicate_key", "model"),
    "two models, escaped": (body_of(b'"mod\\u0065l": "gpt-5"'), "duplicate_key", "model"),
    "twice further down": (body_of(b'"metadata": {"a": 1, "a": 2}'), "duplicate_key", "a"),
    "depth 100": (body_of(b'"x": ' + b"[" * 100 + b"]" * 100), "json_too_deep", None),
    "depth 10^5": (body_of(b'"x": ' + b"[" * 10**5 + b"]" * 10**5), "json_too_deep", None),
    "depth 10^5, open": (b"[" * 10**5, "invalid_json", None),
    "depth 10^5, objects": (b'{"a":' * 10**5 + b"1" + b"}" * 10**5, "json_too_deep", None),
    "depth 10^6": (body_of(b'"x": ' + b"[" * 10**6 + b"]" * 10**6), "json_too_deep", None),
    "no model": (b'{"messages": []}', "missing_required_parameter", "model"),
    "stream as text": (body_of(b'"stream": "true"'), "invalid_value", "stream"),
    "stream as a number": (body_of(b'"stream": 1'), "invalid_value", "stream"),
    "options as text": (body_of(b'"stream_options": "all"'), "invalid_value", "stream_options"),
} | {
    f"model {wrong.decode()[:9]}": (
        b'{"messages": [], "model": ' + wrong + b"}",
        "invalid_value",
        "model",
    )
    for wrong in (b"1", b"1.5", b"true", b"[]", b"{}", b'""', b'["gpt-4o"]', b'"%s"' % (b"m" * 999))
}


async def test_bodies(redis_url: str, subtests: pytest.Subtests) -> None:
    """What two readers could understand differently, or one not at all, is a 400 naming it."""
    async with hostile(redis_url) as host:
        for name, (body, code, param) in BODIES.items():
            with subtests.test(name):
                answer = await host.refused(request(body, headers=AUTH), 400, code)
                assert answer.error["param"] == param
        # Only the usual ones in between reached an upstream.
        rows = await host.team.served()
        assert len(rows) == len(BODIES)
        assert {row["outcome"] for row in rows} == {"complete"}


async def test_a_number_of_many_digits_is_an_answer(redis_url: str) -> None:
    """Python refuses integers of 5000 digits with an error of its own; nobody gets a 500."""
    async with hostile(redis_url) as host:
        payload = request(body_of(b'"seed": ' + b"7" * 5000), headers=AUTH)
        assert (await host.answer(payload)).status in {200, 400}
        await host.still_serves()


KEYS: dict[str, Headers] = {
    "none": (),
    "empty": (("api-key", ""),),
    "empty bearer": (("authorization", "Bearer"),),
    "blank bearer": (("authorization", "Bearer   "),),
    "basic": (("authorization", "Basic c3BnOnNwZw=="),),
    "no scheme": (("authorization", KEY),),
    "other scheme": (("authorization", f"Token {KEY}"),),
    "unknown": (("api-key", "spg_test_0000000000_" + "0" * 49),),
    "half": (("api-key", "spg_test_"),),
    "non-ascii": (("api-key", "clé-é\xff"),),
    "non-ascii bearer": (("authorization", "Bearer \xe9\xe8"),),
    "8 KB": (("api-key", "k" * 8192),),
    "8 KB bearer": (("authorization", "Bearer " + "k" * 8192),),
    "sql": (("api-key", "' OR '1'='1"),),
    "glob": (("api-key", "*"),),
    "pipe": (("api-key", "a|b{}"),),
    "twice": (("api-key", KEY), ("api-key", KEY)),
    "bearer twice": (("authorization", f"Bearer {KEY}"), ("authorization", f"Bearer {KEY}")),
    "two keys": (("api-key", "other"), ("authorization", f"Bearer {KEY}")),
    "another's beside": (("api-key", KEY), ("authorization", f"Bearer {OTHER}")),
    "longer": (("api-key", f"{KEY}x"),),
    "in two": (("api-key", f"{KEY} {KEY}"),),
    "underscore": (("api_key", KEY),),
    "another header": (("x-api-key", KEY),),
}


async def test_keys(redis_url: str, subtests: pytest.Subtests) -> None:
    """Whatever is not exactly one known key is a 401, and reaches nobody."""
    async with hostile(redis_url) as host:
        for name, headers in KEYS.items():
            with subtests.test(name):
                await host.refused(request(chat(), headers=headers), 401, "invalid_api_key")
        assert len(await host.team.served()) == len(KEYS)


async def test_a_key_is_read_as_sdks_send_it(redis_url: str, subtests: pytest.Subtests) -> None:
    """In either header, in both at once as AzureOpenAI does, the scheme in any case."""
    accepted: tuple[Headers, ...] = (
        AUTH,
        (("authorization", f"Bearer {KEY}"),),
        (("Authorization", f"bearer {KEY}"),),
        (("API-Key", KEY), ("authorization", f"Bearer {KEY}")),
    )
    async with hostile(redis_url) as host:
        for headers in accepted:
            with subtests.test(str(headers)):
                assert (await host.answer(request(chat(), headers=headers))).status == 200


async def test_a_key_in_the_query_is_none_and_is_not_repeated(redis_url: str) -> None:
    """Azure would take it there; URLs end up in logs."""
    async with hostile(redis_url) as host:
        for path in ("/v1/chat/completions", "/v1/models", "/openai/v1/responses/resp_1"):
            method = "POST" if path.endswith("completions") else "GET"
            payload = request(chat(), method=method, path=f"{path}?api-key={KEY}")
            await host.refused(payload, 401, "invalid_api_key")
        await host.refused(
            request(method="GET", path=f"/v1/unknown?api-key={KEY}"), 404, "unknown_url"
        )


PATHS: dict[str, tuple[str, str, int, str]] = {
    "trailing slash": ("POST", "/v1/chat/completions/", 404, "unknown_url"),
    "doubled slash": ("POST", "//v1/chat/completions", 404, "unknown_url"),
    "doubled inside": ("POST", "/v1//chat/completions", 404, "unknown_url"),
    "capitals": ("POST", "/V1/Chat/Completions", 404, "unknown_url"),
    "encoded": ("POST", "/v1/chat%2Fcompletions", 404, "unknown_url"),
    "encoded letter": ("POST", "/v1/ch%61t/completions", 404, "unknown_url"),
    "dots": ("POST", "/v1/models/../chat/completions", 404, "unknown_url"),
    "encoded dots": ("POST", "/v1/%2e%2e/chat/completions", 404, "unknown_url"),
    "semicolon": ("POST", "/v1/chat/completions;x=1", 404, "unknown_url"),
    "backslash": ("POST", "/v1\\chat\\completions", 404, "unknown_url"),
    "null": ("POST", "/v1/chat/completions%00", 404, "unknown_url"),
    "root": ("GET", "/", 404, "unknown_url"),
    "unknown": ("POST", "/v1/audio/speech", 404, "unknown_url"),
    "admin": ("GET", "/admin/v1/deployments", 404, "unknown_url"),
    "metrics": ("GET", "/metrics", 404, "unknown_url"),
    "long": ("GET", "/v1/" + "a" * 4000, 404, "unknown_url"),
    "get": ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
    "put": ("PUT", "/v1/chat/completions", 405, "method_not_allowed"),
    "delete": ("DELETE", "/v1/models", 405, "method_not_allowed"),
    "options": ("OPTIONS", "/v1/chat/completions", 405, "method_not_allowed"),
    "slash in a name": (
        "POST",
        "/openai/deployments/gpt-4o%2F..%2Fother/chat/completions",
        404,
        "model_not_found",
    ),
    "dots as a name": ("POST", "/openai/deployments/../chat/completions", 404, "model_not_found"),
    "dots, encoded": (
        "POST",
        "/openai/deployments/%2e%2e/chat/completions",
        404,
        "model_not_found",
    ),
    "an unknown name": (
        "POST",
        "/openai/deployments/other/chat/completions",
        404,
        "model_not_found",
    ),
    "query in a name": (
        "POST",
        "/openai/deployments/gpt-4o%3Fa=b/chat/completions",
        404,
        "model_not_found",
    ),
    "response of nobody": ("GET", "/v1/responses/resp_unknown", 404, "response_not_found"),
    "response with a slash": ("GET", "/v1/responses/..%2Fmodels", 404, "unknown_url"),
}


async def test_paths(redis_url: str, subtests: pytest.Subtests) -> None:
    """What is not in the table of routes is a 404, never a redirect; a name stays a name."""
    async with hostile(redis_url) as host:
        for name, (method, path, status, code) in PATHS.items():
            with subtests.test(name):
                told = None if code == "response_not_found" else code
                payload = request(chat(), method=method, path=path, headers=AUTH)
                answer = await host.refused(payload, status, told)
                assert "location" not in answer.headers


async def test_head_has_no_body(redis_url: str) -> None:
    """A refusal of HEAD is headers only, or the next answer on the connection would be its body."""
    async with hostile(redis_url) as host, connected(host.team) as (reader, writer):
        writer.write(request(method="HEAD", path="/v1/models", headers=AUTH))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        assert head.startswith(b"HTTP/1.1 405 ")
        models = request(method="GET", path="/v1/models", headers=(("api-key", host.team.key),))
        writer.write(models)
        assert (await asyncio.wait_for(read_answer(reader), 20)).status == 200


async def test_eleven_mebibytes_announced(redis_url: str) -> None:
    """Refused by its length, before a byte of it is sent."""
    async with hostile(redis_url) as host:
        answer = await host.refused(
            request(b"", headers=AUTH, length=11 * MIB), 413, "request_too_large"
        )
        assert answer.headers["connection"] == "close"


async def test_eleven_mebibytes_sent_anyway(redis_url: str) -> None:
    """A client that does not wait for the answer can still read it."""
    async with hostile(redis_url) as host:
        payload = request(b"x" * (11 * MIB), headers=AUTH)
        await host.refused(payload, 413, "request_too_large")


async def test_eleven_mebibytes_in_chunks(redis_url: str) -> None:
    """Counted as they come."""
    async with hostile(redis_url) as host:
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        head = request(headers=(*AUTH, ("transfer-encoding", "chunked")))
        await host.refused(head + chunk * 176 + b"0\r\n\r\n", 413, "request_too_large")


async def test_compressed_bodies(redis_url: str, subtests: pytest.Subtests) -> None:
    """Not read, whatever is in them."""
    async with hostile(redis_url) as host:
        for encoding in ("gzip", "br", "deflate", "identity, gzip", "unknown"):
            with subtests.test(encoding):
                headers = (*AUTH, ("content-encoding", encoding))
                payload = request(b"\x1f\x8b" + b"\0" * 99, headers=headers)
                answer = await host.refused(payload, 415, "unsupported_content_encoding")
                assert answer.headers["connection"] == "close"


async def test_fields_that_would_steer_are_only_fields(redis_url: str) -> None:
    """A body cannot say where it is sent: nobody connects to the address it names."""
    async with hostile(redis_url) as host, canned(whole(b"{}")) as elsewhere:
        names = ("api_base", "base_url", "endpoint", "azure_endpoint", "deployment", "resourceName")
        fields = dict.fromkeys(names, elsewhere.url)
        headers = (
            *AUTH,
            ("x-upstream-host", elsewhere.url),
            ("x-forwarded-host", elsewhere.url),
            ("x-ms-spillover-deployment", "other"),
        )
        answer = await host.answer(request(chat(**fields), headers=headers))
        assert answer.status == 200
        assert answer.headers["x-spillgate-deployment"] == host.team.name("ptu")
        assert elsewhere.heads == []


REQUEST_IDS = {
    "plain": ("a-Z_0.9", True),
    "64": ("a" * 64, True),
    "65": ("a" * 65, False),
    "empty": ("", False),
    "space": ("a b", False),
    "encoded line end": ("a%0d%0ax-evil: 1", False),
    "non-ascii": ("\xe9", False),
    "markup": ("<script>", False),
}


async def test_request_ids(redis_url: str, subtests: pytest.Subtests) -> None:
    """A plain one is kept, any other replaced; the receipt has what the client was told."""
    async with hostile(redis_url) as host:
        for name, (given, kept) in REQUEST_IDS.items():
            with subtests.test(name):
                answer = await host.answer(
                    request(chat(), headers=(*AUTH, ("x-request-id", given)))
                )
                told = answer.headers["x-request-id"]
                assert answer.status == 200
                assert (told == given) == kept
                assert kept or re.fullmatch(r"req_[0-9a-f]{24}", told)
                assert (await host.team.receipt(told)).status == 200


async def test_a_line_end_in_a_request_id_makes_no_header(redis_url: str) -> None:
    """It ends the header on its way in, so that it cannot come out."""
    async with hostile(redis_url) as host:
        headers = (*AUTH, ("x-request-id", "a\r\nset-cookie: b=c"))
        answer = await host.answer(request(chat(), headers=headers))
        assert answer.headers["x-request-id"] == "a"
        assert "set-cookie" not in answer.headers


AS_A_MODEL = {
    "in the body": (CHAT_PATH, {"model": KEY}, 404, "model_not_found"),
    "in a deployment's URL": (
        f"/openai/deployments/{KEY}/chat/completions",
        {},
        404,
        "model_not_found",
    ),
    "before a response that is nobody's": (
        "/v1/responses",
        {"model": KEY, "input": "Hi", "previous_response_id": "resp_7"},
        400,
        "previous_response_not_found",
    ),
    "in a path that is none": (f"/v1/{KEY}/completions", {}, 404, "unknown_url"),
}


async def test_a_key_given_as_the_model(redis_url: str, subtests: pytest.Subtests) -> None:
    """The refusal does not repeat it, and it is in no record; both are looked through as ever."""
    async with hostile(redis_url) as host:
        for name, (path, fields, status, code) in AS_A_MODEL.items():
            with subtests.test(name):
                key = host.team.key  # put in here, because the body's length counts it
                body = chat(**fields).replace(KEY.encode(), key.encode())
                payload = request(body, path=path.replace(KEY, key), headers=AUTH)
                answer = await host.refused(payload, status, code)
                if code != "unknown_url":
                    receipt = await host.team.receipt(answer.headers["x-request-id"])
                    assert receipt.model == "(unknown)"
        path = f"/v1/models/{host.team.key}"
        await host.refused(request(method="GET", path=path, headers=AUTH), 404, "model_not_found")


def _line(line: bytes) -> Callable[[bytes], bytes]:
    return lambda usual: usual.replace(b"host: gateway\r\n", b"host: gateway\r\n" + line + b"\r\n")


JUNK: dict[str, Callable[[bytes], bytes]] = {
    "not http": lambda _: b"hello there\r\n\r\n",
    "tls": lambda _: bytes.fromhex("16030100c8010000c40303") + b"\r\n\r\n",
    "http/9": lambda usual: usual.replace(b"HTTP/1.1", b"HTTP/9.9"),
    "space before colon": _line(b"x-a : b"),
    "no name": _line(b": b"),
    "null in a value": _line(b"x-a: \x00"),
    "escape in a value": _line(b"x-request-id: \x1b[31m"),
    "negative length": lambda usual: re.sub(rb"content-length: \d+", b"content-length: -1", usual),
    "length of letters": lambda usual: re.sub(rb"content-length: \d+", b"content-length: x", usual),
    "two lengths": _line(b"content-length: 1"),
    "length and chunks": _line(b"transfer-encoding: chunked"),
    "two hosts": _line(b"host: elsewhere"),
    "the same host twice": _line(b"Host: gateway"),
    "no host": lambda usual: usual.replace(b"host: gateway\r\n", b""),
    "two hosts in http/1.0": lambda usual: _line(b"host: x")(usual).replace(b"/1.1", b"/1.0"),
    "bad chunk": lambda _: request(headers=(*AUTH, ("transfer-encoding", "chunked"))) + b"zz\r\n",
}


async def test_http_that_is_none(redis_url: str, subtests: pytest.Subtests) -> None:
    """400 in OpenAI's shape, and the connection is over: nothing after it is read as a request."""
    async with hostile(redis_url) as host:
        usual = request(chat(), headers=AUTH)
        smuggled = request(method="GET", path="/v1/models", headers=AUTH)
        for name, spoil in JUNK.items():
            with subtests.test(name):
                payload = spoil(usual).replace(KEY.encode(), host.team.key.encode())
                rest = smuggled.replace(KEY.encode(), host.team.key.encode())
                async with asyncio.timeout(20), connected(host.team) as (reader, writer):
                    writer.write(payload + rest)
                    answer = await read_answer(reader)
                    host.looks_right(answer, 400, "invalid_http")
                    assert await _rest(reader) == b""
                told = answer.headers["x-request-id"]
                lines = [line for line in host.log.getvalue().splitlines() if told in line]
                assert len(lines) == 1, "one line of ours"
                assert msgspec.json.decode(lines[0])["error"] == "invalid_http"
                await host.still_serves()


async def test_http_1_0_is_answered_without_chunks(redis_url: str) -> None:
    """A body of unknown length ends with its connection; one of known length is as ever."""
    async with hostile(redis_url) as host:
        for stream in (True, False):
            asked = request(chat(stream=stream), headers=(*AUTH, ("connection", "keep-alive")))
            payload = asked.replace(b"HTTP/1.1", b"HTTP/1.0")
            async with asyncio.timeout(20), connected(host.team) as (reader, writer):
                writer.write(payload.replace(KEY.encode(), host.team.key.encode()))
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            assert b"connection: close" in head
            assert b"transfer-encoding" not in head
            assert (b"content-length" in head) is not stream
            if stream:
                assert body.startswith(b"data: {")
                assert body.endswith(b"\n\ndata: [DONE]\n\n")
            else:
                assert msgspec.json.decode(body)["object"] == "chat.completion"
            host.answers += 1
        await host.still_serves()


async def test_http_1_0_needs_no_host(redis_url: str) -> None:
    """Old probes send none."""
    async with hostile(redis_url) as host:
        payload = f"GET /v1/models HTTP/1.0\r\napi-key: {KEY}\r\n\r\n"
        assert (await host.answer(payload.encode())).status == 200
        await host.still_serves()


ODD: dict[str, Callable[[bytes], bytes]] = {
    "http/1.0": lambda usual: usual.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "bare line feeds": lambda usual: usual.replace(b"\r\n", b"\n"),
    "folded header": _line(b"x-a: b\r\n c"),
    "upgrade": _line(b"connection: upgrade\r\nupgrade: h2c"),
    "expect": _line(b"expect: 100-continue"),
    "absolute form": lambda usual: usual.replace(b" /v1", b" http://elsewhere/v1"),
    "authority in the path": lambda usual: usual.replace(b" /v1", b" //elsewhere/v1"),
    "chunk extension": lambda _: (
        request(headers=(*AUTH, ("transfer-encoding", "chunked")))
        + b"%x;a=b\r\n%s\r\n0\r\n\r\n" % (len(chat()), chat())
    ),
    "trailers": lambda _: (
        request(headers=(*AUTH, ("transfer-encoding", "chunked")))
        + b"%x\r\n%s\r\n0\r\napi-key: other\r\n\r\n" % (len(chat()), chat())
    ),
}


async def test_odd_http_has_one_reading(redis_url: str, subtests: pytest.Subtests) -> None:
    """One request goes in, at most one upstream is asked, one answer comes out."""
    async with hostile(redis_url) as host:
        for name, bend in ODD.items():
            with subtests.test(name):
                await host.team.reset()
                host.answers = 0
                bent = bend(request(chat(), headers=(*AUTH, ("connection", "close"))))
                payload = bent.replace(KEY.encode(), host.team.key.encode())
                async with asyncio.timeout(20), connected(host.team) as (reader, writer):
                    writer.write(payload)
                    everything = await _until_quiet(reader)
                assert everything.count(b"HTTP/1.1 ") - everything.count(b"HTTP/1.1 100") == 1
                assert b"HTTP/1.1 5" not in everything
                assert len(await host.team.served()) <= 1
                await host.still_serves()


async def _until_quiet(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection ends, or for half a second after the last bytes."""
    parts = [await reader.read(65536)]
    try:
        while data := await asyncio.wait_for(reader.read(65536), 0.5):
            parts.append(data)
    except (TimeoutError, ConnectionResetError):
        pass
    return b"".join(parts)


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


async def test_headers_without_end_are_not_collected(redis_url: str) -> None:
    """Refused after 64 KiB and a read more, long before their time is up."""
    async with hostile(redis_url) as host:
        endless = b"GET /v1/models HTTP/1.1\r\nhost: gateway\r\nx-a: " + b"a" * (1024 * 1024)
        # Before there is a request: no receipt either.
        host.looks_right(await exchange(host.team, endless), 431, "headers_too_large")
        await host.still_serves()


async def test_trailers_are_no_headers(redis_url: str) -> None:
    """A proxy that filters headers does not see them: they authenticate nobody."""
    async with hostile(redis_url) as host:
        chunked = (("transfer-encoding", "chunked"),)
        chunks = b"%x\r\n%b\r\n0\r\n" % (len(chat()), chat())
        trailer = f"authorization: Bearer {host.team.key}\r\n\r\n".encode()
        answer = await exchange(host.team, request(headers=chunked) + chunks + trailer)
        assert answer.status == 401
        await host.answer(request(chat(), headers=AUTH))
        host.answers += 1


async def test_an_upgrade_leaves_no_body_behind(redis_url: str) -> None:
    """What was declared as a body is not run as the next request."""
    async with hostile(redis_url) as host:
        upgrade = (("connection", "upgrade, http2-settings"), ("upgrade", "h2c"))
        inner = request(method="GET", path="/v1/models", headers=AUTH)
        async with connected(host.team) as (reader, writer):
            writer.write(request(inner, headers=(*AUTH, *upgrade)))
            said = await reader.read()
        assert said.startswith(b"HTTP/1.1 400 ")
        assert said.count(b"HTTP/1.1") == 1
        assert b"upgrade_not_supported" in said
        await host.still_serves()
