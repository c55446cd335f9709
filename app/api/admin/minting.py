"""Fresh keys: shown once, kept as a digest."""

from __future__ import annotations

from typing import NamedTuple

from app.api.admin.services import AdminServices
from app.domain.identity.api_key import ID_BYTES, SECRET_BYTES, ApiKey, digest, mint


class Minted(NamedTuple):
    """A key, and what is kept of it."""

    text: str
    id: str
    digest: str
    last4: str

    def __repr__(self) -> str:
        return f"<Minted {self.id}>"


def minted(services: AdminServices) -> Minted:
    """A key whose id no other key or administrator has."""
    directory = services.store.current
    while True:
        text = mint(
            environment="live",
            id_bytes=services.randomness(ID_BYTES),
            secret_bytes=services.randomness(SECRET_BYTES),
        )
        key = ApiKey.parse(text)
        if key is None:
            raise AssertionError("a minted key is well-formed")
        if key.id not in directory.keys and key.id not in directory.admins:
            return Minted(text, key.id, digest(services.pepper(), text).hex(), key.last4)
