from __future__ import annotations

import pytest

from app.adapters.embedder.remembering import RememberingEmbedder
from app.errors import EmbedderUnavailable
from tests.fakes.embedder import FakeEmbedder


async def test_a_text_is_embedded_once() -> None:
    """For one tenant, and its vector is the embedder's own."""
    fake = FakeEmbedder()
    embedder = RememberingEmbedder(fake)
    vectors = {await embedder.embed("again", "acme") for _ in range(3)}
    assert vectors == {await fake.embed("again")}
    assert fake.asked == ["again", "again"]
    assert embedder.remembered_total == 2
    assert (embedder.name, embedder.dimensions) == (fake.name, fake.dimensions)


async def test_nobody_profits_from_what_another_tenant_asked() -> None:
    """How fast an answer comes must not tell what others asked; nor may names and texts mix."""
    fake = FakeEmbedder()
    embedder = RememberingEmbedder(fake)
    asked = [("text", "acme"), ("text", "beta"), ("etext", "acm"), ("xt", "acmete")]
    for text, tenant in asked:
        await embedder.embed(text, tenant)
    assert fake.asked == [text for text, _ in asked]


async def test_without_a_tenant_nothing_is_remembered() -> None:
    """Whose it is must be known for it to be kept."""
    fake = FakeEmbedder()
    embedder = RememberingEmbedder(fake)
    for _ in range(2):
        await embedder.embed("whose?")
    assert len(fake.asked) == 2
    assert len(embedder) == 0


async def test_the_least_recently_used_is_forgotten() -> None:
    """Memory is bounded."""
    fake = FakeEmbedder()
    embedder = RememberingEmbedder(fake, most_kept=2)
    for text in ("one", "two", "one", "three", "one", "two"):
        await embedder.embed(text, "acme")
    assert fake.asked == ["one", "two", "three", "two"]
    assert len(embedder) == 2


async def test_failures_are_not_remembered() -> None:
    """The next call tries again."""
    fake = FakeEmbedder()
    embedder = RememberingEmbedder(fake)
    fake.fails = True
    with pytest.raises(EmbedderUnavailable):
        await embedder.embed("text", "acme")
    fake.fails = False
    assert await embedder.embed("text", "acme") == await fake.embed("text")
