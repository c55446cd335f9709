"""What a request's body makes use of: tools, images, several answers and the like.

Names and types are compared without case, wherever they stand: readers upstream may do so. Types of
tools that run upstream are those of openai-python 2 and of Azure's Responses API (2026-11), and
what other servers that speak OpenAI's API call a search.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from app.domain.call.request import Operation
from app.domain.policy.rules import Feature

Json = Mapping[str, Any]

#: Tools that the caller itself runs; all others are run upstream.
_OWN_TOOLS: Final = frozenset({"custom", "function"})
#: These, and what holds tools that may be.
_NO_TOOLS: Final = _OWN_TOOLS | {"allowed_tools", "namespace", "tool_search"}
_SCHEMAS: Final = frozenset({"input_schema", "output_schema", "parameters", "schema"})
_SEARCHES: Final = re.compile(
    r"web_?search|search_?(?:the_?)?(?:web|internet)|internet_?search|web_?fetch|x_search"
    r"|google_?search|(?<![a-z])bing(?![a-z])|browser_automation"
)
#: Parameters that ask for a search by themselves: OpenAI's, and those of other servers.
_SEARCH_PARAMETERS: Final = (
    "web_search_options",
    "web_search",
    "search_parameters",
    "enable_search",
)
_OF_SEARCHES: Final = (Feature.TOOLS, Feature.HOSTED_TOOLS, Feature.WEB_SEARCH)
_NO_WORD: Final = re.compile(r"[\W_]+")

#: Nearly every part of a message has these members and one of these types, and asks for nothing.
_PLAIN_NAMES: Final = frozenset({"content", "name", "role", "text", "type"})
_PLAIN_TYPES: Final = (None, "text", "input_text", "output_text", "message")

Found = Iterator[tuple[Feature, str]]


def features_of(operation: Operation, body: Json) -> dict[Feature, str]:
    """Each with the field that asks for it, the first of them."""
    found: dict[Feature, str] = {}
    for feature, field in _features(operation, body):
        found.setdefault(feature, field)
    return found


def named(item: Json, name: str) -> list[Any]:
    """Members of that name, in whatever case: readers differ on whether they are the same."""
    return [value for key, value in item.items() if key == name or key.lower() == name]


def _features(operation: Operation, body: Json) -> Found:
    yield from _of_tools(body)
    yield from _of_answers(operation, body)
    for field in ("messages", "input"):
        if isinstance(body.get(field), list):
            yield from _of_parts(field, body[field])
    if body.get("audio") or "audio" in _words(body.get("modalities")):
        yield Feature.AUDIO, "audio" if body.get("audio") else "modalities"


def _of_tools(body: Json) -> Found:
    for field in ("tools", "functions"):
        if body.get(field):
            yield Feature.TOOLS, field
    yield from _of_definitions("tools", body.get("tools"))
    if _searches(body.get("tool_choice")):
        yield from ((each, "tool_choice") for each in _OF_SEARCHES)
    for field in _SEARCH_PARAMETERS:
        if body.get(field) not in (None, False):
            yield from ((each, field) for each in _OF_SEARCHES)


def _of_definitions(field: str, tools: object) -> Found:
    if not all(_OWN_TOOLS.issuperset(_kinds(tool)) for tool in _entries(tools)):
        yield Feature.HOSTED_TOOLS, field
    if _searches(tools):
        yield from ((each, field) for each in (Feature.HOSTED_TOOLS, Feature.WEB_SEARCH))


def _entries(tools: object) -> Iterator[Json]:
    """Every tool that is defined there: those of namespaces, and those allowed by a choice, too."""
    if isinstance(tools, list):
        for tool in tools:
            yield from _entries(tool)
    elif isinstance(tools, dict):
        yield tools
        for name in ("tools", "allowed_tools"):
            for inner in named(tools, name):
                yield from _entries(inner)


def _kinds(tool: Json) -> list[str]:
    """Nearly always one; a tool that says none is a function."""
    return [_plain(str(kind)) for kind in named(tool, "type")] or ["function"]


def _searches(value: object, *, is_hosted: bool = False) -> bool:
    """Whether a search of the web is in there; each part is looked at once.

    By a type that says so; in what runs upstream, by whatever it or a part of it is called, too.
    Schemas are the caller's own words.
    """
    if isinstance(value, str):
        return is_hosted and _says_search(value)
    if isinstance(value, list):
        return any(_searches(each, is_hosted=is_hosted) for each in value)
    if not isinstance(value, dict):
        return False
    kinds = named(value, "type")
    if any(_says_search(str(kind)) for kind in kinds) or (not kinds and _is_named_search(value)):
        return True
    is_hosted = is_hosted or not _NO_TOOLS.issuperset(map(_plain, map(str, kinds)))
    return any(
        _searches(inner, is_hosted=is_hosted)
        for name, inner in value.items()
        if name not in _SCHEMAS
    )


def _is_named_search(tool: Json) -> bool:
    """Of a tool without a type, whose one member says what it is."""
    return any(_says_search(name) for name, value in tool.items() if isinstance(value, dict))


def _says_search(text: str) -> bool:
    return _SEARCHES.search(_plain(text)) is not None


def _plain(text: str) -> str:
    """In lower case, with one underscore in place of what is no letter or digit."""
    return _NO_WORD.sub("_", text).lower()


def _of_answers(operation: Operation, body: Json) -> Found:
    for field in ("n", "best_of"):
        if body.get(field) not in (None, 1):
            yield Feature.SEVERAL_ANSWERS, field
    for field in ("top_logprobs", "logprobs"):
        # Of completions 0 asks for those of the tokens that were chosen.
        if body.get(field) is not None and body[field] is not False:
            yield Feature.LOGPROBS, field
    if any("logprobs" in each for each in _words(body.get("include"))):
        yield Feature.LOGPROBS, "include"
    if body.get("background"):
        yield Feature.BACKGROUND, "background"
    # A response is stored unless it says otherwise; a chat is not.
    unsaid = operation is Operation.RESPONSES
    if (body.get("store") is None and unsaid) or body.get("store"):
        yield Feature.STORE, "store"


def _of_parts(field: str, items: Iterable[object]) -> Found:
    for index, item in enumerate(items):
        place = f"{field}[{index}]"
        for part in _mappings(item):
            if _PLAIN_NAMES.issuperset(part) and part.get("type") in _PLAIN_TYPES:
                continue
            names = {name.lower() for name in part}
            yield from ((feature, place) for feature in _of_part(part, names))
            if part is item and field == "input" and "tools" in names:
                yield from _of_more_tools(place, part)


def _of_more_tools(place: str, part: Json) -> Found:
    """Of an item that brings tools, such as what a search of tools has found."""
    for tools in named(part, "tools"):
        if isinstance(tools, list) and tools:
            yield Feature.TOOLS, place
            yield from _of_definitions(place, tools)


def _of_part(part: Json, names: set[str]) -> Iterator[Feature]:
    kind = " ".join(each.lower() for each in named(part, "type") if isinstance(each, str))
    if "image" in kind or "screenshot" in kind or "image_url" in names:
        yield Feature.IMAGES
    if "file" in kind or not names.isdisjoint(("file_data", "file_url")):
        yield Feature.FILES
    if "audio" in kind or "input_audio" in names:
        yield Feature.AUDIO


def _mappings(value: object) -> Iterator[Json]:
    """A message and all that is in it."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            if isinstance(inner, dict | list):
                yield from _mappings(inner)
    elif isinstance(value, list):
        for each in value:
            if isinstance(each, dict | list):
                yield from _mappings(each)


def _words(value: object) -> list[str]:
    """In lower case; one that stands alone counts as a list of it."""
    words = value if isinstance(value, list) else [value]
    return [each.lower() for each in words if isinstance(each, str)]
