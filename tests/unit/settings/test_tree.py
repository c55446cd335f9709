"""YAML as values with places."""

from __future__ import annotations

from time import process_time

import pytest

from app.settings.fault import UNREADABLE
from app.settings.tree import Place, UnusableYamlError, read_tree


def test_values_and_keys_remember_where_they_stood() -> None:
    """Lines and columns count from 1."""
    tree = read_tree("a:\n  b: [1, {c: x}]\n", str)
    assert tree.value == {"a": {"b": [1, {"c": "x"}]}}
    assert tree.keys["a", "b"] == Place(2, 3)
    assert tree.places["a", "b", 1, "c"] == Place(2, 14)


def test_dates_versions_and_keys_stay_text() -> None:
    """`2024-10-21` is an API version, and `on` may be a tenant."""
    tree = read_tree("v: 2024-10-21\non: 1\n7: x\n1.5: {~: no}", str)
    assert tree.value == {"v": "2024-10-21", "on": 1, "7": "x", "1.5": {"~": False}}


def test_a_repeated_key_is_a_fault_at_the_second_and_the_first_wins() -> None:
    """Other parsers let the last win, silently."""
    tree = read_tree("a: 1\nb: 2\na: 3\n", str)
    assert tree.value == {"a": 1, "b": 2}
    ((fault, place),) = tree.faults
    assert (fault.path, fault.at_key, place) == (("a",), True, Place(3, 1))


def test_merge_keys_fill_in_what_is_not_given() -> None:
    """Own keys win over merged ones, earlier sources over later ones; places are the origin's."""
    tree = read_tree(
        "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2, <<: {d: 3}}\nz: {a: 0, <<: [*x, *y]}\n", str
    )
    assert isinstance(tree.value, dict)
    assert tree.value["z"] == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert tree.places["z", "c"] == Place(2, 17)
    assert tree.faults == []


def test_an_alias_reads_like_what_it_stands_for() -> None:
    """Anchors are for not repeating oneself."""
    assert read_tree("a: &a [1, 2]\nb: *a\n", str).value == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize("form", ["[{0}]", "{{<<: [{0}]}}"])
def test_a_billion_laughs_are_refused_quickly(form: str) -> None:
    """Nine aliases to nine aliases, twenty times over."""
    lines = ["a0: &a0 " + form.format("{x: 1}")]
    lines += [f"a{n}: &a{n} " + form.format(", ".join([f"*a{n - 1}"] * 9)) for n in range(1, 20)]
    started = process_time()
    with pytest.raises(UnusableYamlError, match="aliases repeat"):
        read_tree("\n".join(lines), str)
    assert process_time() - started < 5


@pytest.mark.parametrize("text", ["a: &a {b: *a}", "a: &a {<<: *a}", "a: &a\n  <<: [*a, *a]"])
def test_what_holds_itself_is_refused(text: str) -> None:
    """Recursion ends at a depth."""
    with pytest.raises(UnusableYamlError, match=r"deeply|repeat"):
        read_tree(text, str)


@pytest.mark.parametrize(
    "text", ["!x 1", "!!python/object:os.system x", "!!binary aGk=", "!!int ''", "!!bool x"]
)
def test_tags_make_no_objects(text: str) -> None:
    """Whatever a tag asks for, the value is unreadable and said to be."""
    tree = read_tree(f"a: {text}", str)
    assert tree.value == {"a": UNREADABLE}
    assert len(tree.faults) == 1


@pytest.mark.parametrize("text", ["!x {a: 1}", "{<<: 5}", "{<<: [5]}", "{? [a] : 1}"])
def test_other_oddities_are_faults(text: str) -> None:
    """Tagged mappings, merges of what is no mapping, keys that are no text."""
    assert len(read_tree(text, str).faults) == 1
