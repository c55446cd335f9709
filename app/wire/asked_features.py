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
_SEARCHES: Final = re.compile(
    r"web_?search|search_?(?:the_?)?(?:web|internet)|internet_?search|web_?fetch|x_search"
    r"|google_?search|(?<![a-z])bing(?![a-z])|browser_automation"
)
#: Parameters that ask for a search by themselves: OpenAI's, and those of other servers.
_SEARCH_PARAMETERS: Final = ("web_search_options", "web_search", "search_parameters")
_SEARCH_SWITCH: Final = "enable_search"
_OF_SEARCHES: Final = (Feature.TOOLS, Feature.HOSTED_TOOLS, Feature.WEB_SEARCH)
_NO_WORD: Final = re.compile(r"[\W_]+")

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
    if _is_search(chosen := body.get("tool_choice")) or any(map(_is_search, _entries(chosen))):
        yield from ((each, "tool_choice") for each in _OF_SEARCHES)
    for field in (*_SEARCH_PARAMETERS, _SEARCH_SWITCH):
        if body.get(field) not in (None, False):
            yield from ((each, field) for each in _OF_SEARCHES)


def _of_definitions(field: str, tools: object) -> Found:
    for tool in _entries(tools):
        if not _OWN_TOOLS.issuperset(_kinds(tool)):
            yield Feature.HOSTED_TOOLS, field
        if _is_search(tool):
            yield Feature.WEB_SEARCH, field


def _entries(tools: object) -> Iterator[Json]:
    """Every tool that is defined there: those of namespaces, and those allowed by a choice, too."""
    for tool in tools if isinstance(tools, list) else [tools]:
        if isinstance(tool, dict):
            yield tool
            for name in ("tools", "allowed_tools"):
                for inner in named(tool, name):
                    yield from _entries(inner)


def _kinds(tool: Json) -> list[str]:
    """Nearly always one."""
    return [_plain(str(kind)) for kind in named(tool, "type")] or _named_kinds(tool)


def _named_kinds(tool: Json) -> list[str]:
    """Of a tool without a type: a function, or what a member that is an object says."""
    names = [_plain(name) for name, value in tool.items() if isinstance(value, dict)]
    return [name for name in names if _SEARCHES.search(name)] or ["function"]


def _is_search(tool: object) -> bool:
    """Of the web, by its type; a server of tools by whatever it or one of its tools is called."""
    if not isinstance(tool, dict):
        return False
    kinds = _kinds(tool)
    said = (_plain(text) for text in _strings(tool)) if "mcp" in kinds else ()
    return any(map(_SEARCHES.search, kinds)) or any(map(_SEARCHES.search, said))


def _plain(text: str) -> str:
    """In lower case, with one underscore in place of what is no letter or digit."""
    return _NO_WORD.sub("_", text).lower()


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)


def _of_answers(operation: Operation, body: Json) -> Found:
    for field in ("n", "best_of"):
        if body.get(field) not in (None, 1):
            yield Feature.SEVERAL_ANSWERS, field
    for field in ("top_logprobs", "logprobs"):
        # Of completions 0 asks for those of the tokens that were chosen.
        if body.get(field) is not None and body[field] is not False:
            yield Feature.LOGPROBS, field
    if any("logprobs" in each.lower() for each in _words(body.get("include"))):
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
            names = {name.lower() for name in part}
            yield from ((feature, place) for feature in _of_part(part, names))
            if "tools" in names and field == "input":
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
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
