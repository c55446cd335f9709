"""A whole body, told as the stream that a caller asked for."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from app.domain.call.request import Operation
from app.wire.cache.told import Told
from app.wire.cache.unfolding_choices import tell_choices
from app.wire.cache.unfolding_response import tell_response


def unfold(operation: Operation, body: bytes, *, include_usage: bool = False) -> Iterator[Told]:
    """The frames of a stream that folds to `body`, which was found worth keeping.

    Each is made when it is asked for: a large answer takes no time at once. `include_usage` is what
    the caller asked for; a response always tells its usage. Not for embeddings.
    """
    answer = msgspec.json.decode(body)
    if operation is Operation.RESPONSES:
        yield from tell_response(answer)
    else:
        yield from tell_choices(operation, answer, include_usage=include_usage)
