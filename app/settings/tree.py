"""YAML read as plain values that remember where they stood.

PyYAML's composer is used without its constructor: the constructor forgets places, lets a
repeated key win silently, and turns dates such as `2024-10-21` into objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from app.settings.fault import UNREADABLE, Fault, Path

MAX_DEPTH: Final = 40
MAX_REPEATED_NODES: Final = 10_000
"""How many nodes aliases may add: more than any real file, far fewer than an attack."""

_TAG: Final = "tag:yaml.org,2002:"
_MERGE: Final = _TAG + "merge"
_TEXT_TAGS: Final = frozenset({_TAG + "str", _TAG + "timestamp", _TAG + "value"})
_SCALARS: Final[dict[str, Callable[[SafeConstructor, Any], object]]] = {
    _TAG + "null": SafeConstructor.construct_yaml_null,
    _TAG + "bool": SafeConstructor.construct_yaml_bool,
    _TAG + "int": SafeConstructor.construct_yaml_int,
    _TAG + "float": SafeConstructor.construct_yaml_float,
}


class Place(NamedTuple):
    """Where something begins; both count from 1."""

    line: int
    column: int


class UnusableYamlError(Exception):
    """The text as a whole cannot be read; `place` is where reading stopped."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place
        self.message = message


@dataclass(slots=True)
class Tree:
    """The values, the places of values and keys by path, and what was wrong on the way."""

    value: object = None
    places: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    faults: list[tuple[Fault, Place]] = field(default_factory=list)


def read_tree(text: str, resolve: Callable[[str], str]) -> Tree:
    """Read one YAML document; `resolve` is applied to each string and may raise ValueError.

    UnusableYamlError when the text is not YAML, nests too deeply, or its aliases expand too far.
    """
    try:
        node = yaml.SafeLoader(text).get_single_node()
    except yaml.YAMLError as error:
        raise _unusable(error, text) from None
    except RecursionError:
        raise UnusableYamlError(Place(1, 1), "is nested too deeply") from None
    reader = _Reader(resolve)
    if node is not None:
        reader.tree.value = reader.read(node, ())
    return reader.tree


class _Reader:
    """Walks the composed nodes once, expanding aliases within a budget."""

    def __init__(self, resolve: Callable[[str], str]) -> None:
        self.tree = Tree()
        self._resolve = resolve
        self._seen: set[int] = set()
        self._repeated = 0

    def read(self, node: Node, path: Path) -> object:
        self._spend(node, len(path))
        self.tree.places[path] = _place(node)
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _spend(self, node: Node, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise UnusableYamlError(_place(node), "is nested too deeply")
        self._repeated += id(node) in self._seen
        self._seen.add(id(node))
        if self._repeated > MAX_REPEATED_NODES:
            message = f"aliases repeat more than {MAX_REPEATED_NODES} nodes"
            raise UnusableYamlError(_place(node), message)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, object]:
        result: dict[str, object] = {}
        for key, value in self._pairs(node, path):
            name = self._key(key, path)
            if name is None:
                continue
            if name in result:
                self._fault(Fault((*path, name), "is given twice", at_key=True), key)
                continue
            self.tree.keys[*path, name] = _place(key)
            result[name] = self.read(value, (*path, name))
        return result | self._merged(node, path, frozenset(result))

    def _pairs(self, node: MappingNode, path: Path) -> Iterator[tuple[Node, Node]]:
        if node.tag != _TAG + "map":
            self._fault(Fault(path, "has a YAML tag; tags are not supported"), node)
        return ((key, value) for key, value in node.value if key.tag != _MERGE)

    def _merged(
        self, node: MappingNode, path: Path, taken: frozenset[str], depth: int = 0
    ) -> dict[str, object]:
        """What `<<` adds to the keys already `taken`; of several sources the first wins."""
        result: dict[str, object] = {}
        for source in self._sources(node, path):
            self._spend(source, len(path) + depth)
            for key, value in self._pairs(source, path):
                name = self._key(key, path)
                if name is not None and name not in taken and name not in result:
                    self.tree.keys[*path, name] = _place(key)
                    result[name] = self.read(value, (*path, name))
            result |= self._merged(source, path, taken | frozenset(result), depth + 1)
        return result

    def _sources(self, node: MappingNode, path: Path) -> Iterator[MappingNode]:
        for key, value in node.value:
            if key.tag != _MERGE:
                continue
            for source in value.value if isinstance(value, SequenceNode) else [value]:
                if isinstance(source, MappingNode):
                    yield source
                else:
                    self._fault(Fault((*path, "<<"), "must merge mappings"), source)

    def _key(self, node: Node, path: Path) -> str | None:
        if isinstance(node, ScalarNode):
            return str(node.value)
        self._fault(Fault(path, "has a key that is not text"), node)
        return None

    def _scalar(self, node: Node, path: Path) -> object:
        try:
            if node.tag in _TEXT_TAGS:
                return self._resolve(node.value)
            if node.tag in _SCALARS:
                return _SCALARS[node.tag](SafeConstructor(), node)
        except ValueError as error:
            message = str(error) if node.tag in _TEXT_TAGS else "is malformed for its YAML type"
            self._fault(Fault(path, message), node)
        except (LookupError, OverflowError):
            self._fault(Fault(path, "is malformed for its YAML type"), node)
        else:
            self._fault(Fault(path, "has a YAML tag; tags are not supported"), node)
        return UNREADABLE

    def _fault(self, fault: Fault, node: Node) -> None:
        self.tree.faults.append((fault, _place(node)))


def _place(node: Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _unusable(error: yaml.YAMLError, text: str) -> UnusableYamlError:
    """PyYAML's error in one line; what it quotes from the file is left out."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        return UnusableYamlError(place, f"is not valid YAML: {_plain(error.problem or '')}")
    before = text[: getattr(error, "position", 0)]
    place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
    return UnusableYamlError(place, "is not valid YAML: it holds a control character")


def _plain(problem: str) -> str:
    """The parser's words up to what it quotes: an alias or a tag may be somebody's password."""
    words = problem.split("'", 1)[0].split('"', 1)[0].strip(" ,;:(")
    return next((hint for start, hint in _HINTS if words.startswith(start)), words or "?")


_HINTS: Final = (
    ("found undefined alias", "an alias has no anchor (quote text that begins with *)"),
    ("found character", "a character cannot begin a value (tabs do not indent; quote the text)"),
    ("mapping values are not allowed", "a ':' stands where no key is expected"),
    ("but found another document", "it holds more than one document"),
    ("found unexpected end of stream", "a quote is not closed"),
    ("expected", "a bracket, a comma or a quote is missing or too many"),
)
