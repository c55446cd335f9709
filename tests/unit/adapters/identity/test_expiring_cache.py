"""What is kept, and until when."""

from __future__ import annotations

from app.adapters.identity.expiring_cache import ExpiringCache


def test_a_value_is_there_until_it_ends() -> None:
    """To the second, and is then forgotten."""
    cache: ExpiringCache[str] = ExpiringCache(2)
    cache.put(b"a", "value", 10.0)
    assert cache.get(b"a", 9.9) == "value"
    assert cache.get(b"a", 10.0) is None
    assert len(cache) == 0


def test_the_least_recently_used_goes_first() -> None:
    """Never more than the limit is kept, and what is asked for stays."""
    cache: ExpiringCache[int] = ExpiringCache(2)
    for number, name in enumerate((b"a", b"b")):
        cache.put(name, number, 10.0)
    cache.get(b"a", 0.0)
    cache.put(b"c", 2, 10.0)
    assert [cache.get(name, 0.0) for name in (b"a", b"b", b"c")] == [0, None, 2]
    assert len(cache) == 2


def test_a_value_put_again_is_one_entry() -> None:
    """The last one counts."""
    cache: ExpiringCache[int] = ExpiringCache(2)
    cache.put(b"a", 1, 10.0)
    cache.put(b"a", 2, 20.0)
    assert (cache.get(b"a", 15.0), len(cache)) == (2, 1)
    cache.clear()
    assert cache.get(b"a", 0.0) is None
