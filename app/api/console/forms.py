"""What a form sent, and whether it was one of ours that sent it."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from app.api.console.sessions import Session
from app.errors import BodyTooLarge, MalformedRequest, NotAllowed, UnsupportedEncoding

#: Bytes of a form, a prompt of the playground included.
MOST: Final = 256 * 1024
_MOST_FIELDS: Final = 1000
_FORM: Final = "application/x-www-form-urlencoded"
TOKEN: Final = "csrf"  # noqa: S105  # the name of a field
_OURS: Final = frozenset({"same-origin", "none"})
_UNTOLD: Final = "null"
_NOT_OURS: Final = "This form did not come from the console, or from a session that has ended."


class Form:
    """Fields by name; one that was not sent is empty."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> str:
        return next((value for key, value in self._fields if key == name), "").strip()

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self._fields)

    def raw(self, name: str) -> str:
        """As it was sent, white space at its ends included."""
        return next((value for key, value in self._fields if key == name), "")

    def all(self, name: str) -> list[str]:
        """Every value of a field that is there several times; empty ones left out."""
        return [value.strip() for key, value in self._fields if key == name and value.strip()]

    def words(self, name: str) -> list[str]:
        """What is written with commas or white space between."""
        return self[name].replace(",", " ").split()


async def form_of(request: Request) -> Form:
    """The form in a request's body. Raises BodyTooLarge, UnsupportedEncoding, MalformedRequest."""
    if request.headers.get("content-type", _FORM).partition(";")[0].strip().lower() != _FORM:
        raise UnsupportedEncoding(f"A form is sent as {_FORM}.")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST:
            raise BodyTooLarge(f"The form has more than {MOST} bytes.")
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise MalformedRequest("The form cannot be read.") from None
    return Form(fields)


def check_origin(request: Request) -> None:
    """Raise NotAllowed where the browser says that another site sent this.

    Browsers say so by themselves, and pages cannot change it (Fetch Metadata, W3C; RFC 6454). To
    plain HTTP from another machine they tell no `Sec-Fetch-Site`, and the origin of pages without
    referrers is `null`: then the form's token is what tells, and the cookie's `SameSite`.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site not in _OURS:
            raise NotAllowed(_NOT_OURS)
        return
    origin = request.headers.get("origin", _UNTOLD)
    if origin != _UNTOLD and urlsplit(origin).netloc != request.headers.get("host"):
        raise NotAllowed(_NOT_OURS)


def check_token(form: Form, session: Session) -> None:
    """Raise NotAllowed where the form does not bear the session's token."""
    if not session.is_form_of_ours(form[TOKEN]):
        raise NotAllowed(_NOT_OURS)
