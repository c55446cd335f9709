"""A listener's certificate: what is wrong with its files is said; renewed ones take their place."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from structlog.testing import capture_logs

from app.api.certificate import BadCertificate, Certificate
from app.api.tls import TlsFiles
from tests.fakes.certificates import Authority

DAY_S = 86_400.0


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def put(authority: Authority, directory: Path, *, days: float = 30) -> TlsFiles:
    """Files of a new certificate in a directory, over what is there."""
    directory.mkdir(exist_ok=True)
    certificate, key = authority.issued("127.0.0.1", days=days)
    (directory / "tls.crt").write_bytes(certificate)
    (directory / "tls.key").write_bytes(key)
    return TlsFiles("listen.tls", directory / "tls.crt", directory / "tls.key")


def encrypted(pem: bytes) -> bytes:
    key = load_pem_private_key(pem, None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


SPOILT: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "an empty certificate": ("tls.crt", lambda _: b"", "listen.tls.cert: .* no PEM file of certif"),
    "half a certificate": ("tls.crt", lambda pem: pem[:99], "listen.tls.cert: .* no PEM file of c"),
    "an empty key": ("tls.key", lambda _: b"", "listen.tls.key: .* no PEM file of a private key"),
    "half a key": ("tls.key", lambda pem: pem[:99], "listen.tls.key: .* no PEM file of a private"),
    "a key with a password": ("tls.key", encrypted, "listen.tls.key: .* is encrypted"),
}


@pytest.mark.parametrize(("name", "spoil", "said"), SPOILT.values(), ids=SPOILT)
def test_a_file_that_is_none_is_named(
    authority: Authority, tmp_path: Path, name: str, spoil: Callable[[bytes], bytes], said: str
) -> None:
    """By the key of the configuration; nothing of what is in it is repeated."""
    files = put(authority, tmp_path / "tls")
    path = tmp_path / "tls" / name
    content = path.read_bytes()
    path.write_bytes(spoil(content))
    with pytest.raises(BadCertificate, match=said) as caught:
        Certificate(files)
    assert content.decode().splitlines()[1][:20] not in str(caught.value)


def test_a_file_that_is_missing_is_named(authority: Authority, tmp_path: Path) -> None:
    """With the system's own words."""
    files = put(authority, tmp_path / "tls")
    files.key.unlink()
    with pytest.raises(BadCertificate, match=r"listen.tls.key: .*tls.key cannot be read: No such"):
        Certificate(files)


def test_the_key_of_another_is_named(authority: Authority, tmp_path: Path) -> None:
    """Both are whole, and do not belong together."""
    files, other = put(authority, tmp_path / "a"), put(authority, tmp_path / "b")
    mixed = TlsFiles("listen.admin_tls", files.cert, other.key)
    with pytest.raises(BadCertificate, match=r"listen.admin_tls.key: .* is not the key of"):
        Certificate(mixed)


def test_when_it_ends_is_known(authority: Authority, tmp_path: Path) -> None:
    """Of the first in the chain that does."""
    files = put(authority, tmp_path / "tls", days=30)
    files.cert.write_bytes(files.cert.read_bytes() + authority.issued("ca", days=7)[0])
    assert Certificate(files).ends == pytest.approx(time.time() + 7 * DAY_S, abs=60)


def test_one_that_has_ended_is_served_and_told(authority: Authority, tmp_path: Path) -> None:
    """A client that trusts nothing else is not helped by a gateway that does not start."""
    files = put(authority, tmp_path / "tls", days=-0.5)
    with capture_logs() as lines:
        Certificate(files)
    assert [line["event"] for line in lines] == ["certificate has ended"]


def test_a_renewed_one_takes_its_place(authority: Authority, tmp_path: Path) -> None:
    """When nothing changes its files any more: at the second look, or at once when asked."""
    for at_once in (False, True):
        it = Certificate(put(authority, tmp_path / f"{at_once}", days=3))
        before = it.context.current
        put(authority, tmp_path / f"{at_once}", days=60)
        it.look(at_once=at_once)
        assert (it.context.current is before) is not at_once
        it.look()
        assert it.context.current is not before
        assert it.ends > time.time() + 50 * DAY_S
        assert it.is_last


def test_a_broken_renewal_changes_nothing(authority: Authority, tmp_path: Path) -> None:
    """It is told once, until its files are others; then all is well again."""
    files = put(authority, tmp_path / "tls")
    it = Certificate(files)
    before, ends = it.context.current, it.ends
    key = files.key.read_bytes()
    put(authority, tmp_path / "tls", days=60)
    files.key.write_bytes(key)
    with capture_logs() as lines:
        for _ in range(4):
            it.look()
    assert (it.context.current, it.ends, it.is_last) == (before, ends, False)
    (line,) = lines
    assert line["event"] == "certificate not renewed"
    assert "listen.tls.key" in line["problem"]
    put(authority, tmp_path / "tls", days=60)
    it.look(at_once=True)
    assert it.is_last
    assert it.context.current is not before


def test_a_file_that_may_be_read_at_last_is_looked_at_again(
    authority: Authority, tmp_path: Path
) -> None:
    """Else one that came with the wrong mode would be refused until it is written anew."""
    files = put(authority, tmp_path / "tls")
    it = Certificate(files)
    before = it.context.current
    it.look(at_once=True)
    assert it.context.current is before
    files.key.chmod(0o600)
    it.look(at_once=True)
    assert it.context.current is not before


def test_a_swapped_link_is_a_change(authority: Authority, tmp_path: Path) -> None:
    """As Kubernetes replaces a mounted secret: the files stay links to what is behind another."""
    put(authority, tmp_path / "first", days=3)
    put(authority, tmp_path / "second", days=60)
    data = tmp_path / "..data"
    data.symlink_to(tmp_path / "first")
    it = Certificate(TlsFiles("listen.tls", data / "tls.crt", data / "tls.key"))
    (tmp_path / "..new").symlink_to(tmp_path / "second")
    (tmp_path / "..new").rename(data)
    it.look(at_once=True)
    assert it.ends > time.time() + 50 * DAY_S
    shutil.rmtree(tmp_path / "first")
    it.look()
    assert it.is_last
