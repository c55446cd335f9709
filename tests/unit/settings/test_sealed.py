"""A sealed secret opens in its own place under its own key, and nowhere else."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings.sealed import (
    SEALED,
    MasterKey,
    MasterKeys,
    SealError,
    key_id_of,
    new_master_key,
)

OLD, NEW = MasterKey.of(b"o" * 32), MasterKey.of(b"n" * 32)
RECORD = "deployments.east.auth.api_key"
SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)
RECORDS = st.text("abc.[]0", min_size=1, max_size=20)


@given(secret=SECRETS, record=RECORDS)
def test_what_is_sealed_opens_in_its_place(secret: str, record: str) -> None:
    """And holds nothing of the secret; twice the same is never the same."""
    keys = MasterKeys([NEW])
    sealed = keys.seal(secret, record, os.urandom)
    assert SEALED.fullmatch(sealed)
    assert key_id_of(sealed) == NEW.id
    assert keys.open(sealed, record) == secret
    assert sealed != keys.seal(secret, record, os.urandom)
    encoded = urlsafe_b64encode(secret.encode()).decode().rstrip("=")
    assert len(secret) < 8 or encoded[:10] not in sealed


@given(secret=SECRETS, place=RECORDS, other=RECORDS)
def test_a_value_that_was_moved_does_not_open(secret: str, place: str, other: str) -> None:
    """Whoever may write the file cannot have one record's secret sent as another's."""
    keys = MasterKeys([NEW])
    sealed = keys.seal(secret, place, os.urandom)
    if place != other:
        with pytest.raises(SealError, match="sealed for another place, or changed"):
            keys.open(sealed, other)


@given(at=st.integers(19, 220), with_=st.sampled_from("AZaz09-_"))
def test_a_value_that_was_changed_does_not_open(at: int, with_: str) -> None:
    """Whichever letter: nonce, wrapped key, content or tag."""
    keys = MasterKeys([NEW])
    sealed = keys.seal("a secret of some length", RECORD, lambda count: b"r" * count)
    changed = sealed[:at] + with_ + sealed[at + 1 :]
    if at < len(sealed) - 1 and changed != sealed:  # of the last letter not all bits count
        with pytest.raises(SealError):
            keys.open(changed, RECORD)


def test_a_newer_key_takes_over_without_the_secret_being_sealed_anew() -> None:
    """Only the wrapped data key changes; the old master key is not needed afterwards."""
    sealed = MasterKeys([OLD]).seal("x", RECORD, os.urandom)
    both = MasterKeys([NEW, OLD])
    wrapped = both.rewrap(sealed, RECORD, os.urandom)
    assert key_id_of(wrapped) == NEW.id
    assert wrapped[-38:] == sealed[-38:]  # nonce, content and tag
    assert MasterKeys([NEW]).open(wrapped, RECORD) == "x"
    assert both.rewrap(wrapped, RECORD, os.urandom) == wrapped
    with pytest.raises(SealError, match=f"the master key {NEW.id}, which is not there"):
        MasterKeys([OLD]).open(wrapped, RECORD)
    with pytest.raises(SealError, match="another place"):
        both.rewrap(sealed, "elsewhere", os.urandom)


@pytest.mark.parametrize(
    "text", ["sealed:v1:", "sealed:v2:aaaaaaaa:" + "A" * 90, "sealed:", "sealed:v1:zz:x"]
)
def test_what_is_no_sealed_value_is_told_as_such(text: str) -> None:
    """And never repeated."""
    with pytest.raises(SealError, match="no sealed value") as caught:
        MasterKeys([NEW]).open(text + "canary", RECORD)
    assert "canary" not in str(caught.value)


def test_a_cut_value_is_told_as_such() -> None:
    """However short it is."""
    with pytest.raises(SealError, match="is cut"):
        MasterKeys([NEW]).open("sealed:v1:aaaaaaaa:" + "A" * 80, RECORD)


def test_nothing_can_be_sealed_without_a_key() -> None:
    """It is told where one belongs."""
    with pytest.raises(SealError, match=r"secrets\.master_keys"):
        MasterKeys().seal("x", RECORD, os.urandom)


def test_a_master_key_is_text_that_says_nothing_in_its_repr() -> None:
    """Its id is public; two keys have different ones."""
    key = new_master_key(os.urandom)
    assert MasterKey.parse(key.text) == key
    assert key.text not in repr(key)
    assert repr(key.key) not in repr(key)
    assert OLD.id != NEW.id
    for wrong in ("", "spgm_short", key.text + "A", key.text.upper()):
        with pytest.raises(SealError, match="is no master key"):
            MasterKey.parse(wrong)
