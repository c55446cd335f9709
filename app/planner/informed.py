"""This router, were Azure to tell all it knows whenever it tells anything.

It decides as the gateway does, by the gateway's own code. What differs is what it hears: each
answer's headers, and each 429, say exactly how full the bucket was when Azure sent them, whatever
the deployment tells others. Between two of these it sees as little as anybody: not what comes to
the deployment from elsewhere.

It is no proof of what is possible: a rule that weighs the same words otherwise may do better. It
says what better words alone are worth, and `cautious` what more caution with them costs.
"""

from __future__ import annotations

from math import sqrt
from typing import Final

from app.domain.capacity.peers import DeploymentNews
from app.domain.capacity.room import Room
from app.planner.shadow import Said, ShadowRouter
from app.planner.strategy import Headers, Site
from app.planner.traffic import Request

#: Sixtieths of the bucket, in which levels and margins are counted.
_FULL: Final = 60.0
_DEVIATIONS: Final = 3.0


class InformedRouter(ShadowRouter):
    """Hears the exact level; all requests are one tenant's.

    `most_margin`, in sixtieths of the bucket: it keeps free what may have come from elsewhere since
    the level was last told, three standard deviations of it, up to so much. The gateway does the
    same up to its own bound, so that less than that changes nothing.
    """

    def __init__(self, site: Site[Said], *, most_margin: float = 0.0) -> None:
        super().__init__(site, fair=False)
        self._depth_s = site.truth.depth_s
        self._most_margin = most_margin
        self._noise = 0.0
        self._told_at = 0.0

    def answered(self, request: Request, headers: Headers, now: float) -> None:
        super().answered(request, self._exactly(headers), now)

    def heard(self, message: Said, now: float) -> None:
        super().heard(message, now)
        self._learn(message.news, now)

    def _exactly(self, headers: Headers) -> Headers:
        wait = None if headers.refused_for is None else headers.over
        return Headers(wait, 1.0 + headers.over / self._depth_s, headers.over)

    def _news(self, now: float) -> DeploymentNews | None:
        news = super()._news(now)
        self._learn(news, now)
        return news

    def _learn(self, news: DeploymentNews | None, now: float) -> None:
        """The level was told, here or elsewhere, and with it how much it is moved by others."""
        if news is not None and news.belief is not None:
            self._noise, self._told_at = news.belief.learnt.noise, now

    def _has_room(self, room: Room, now: float) -> bool:
        if not super()._has_room(room, now):
            return False
        unseen = _DEVIATIONS * sqrt(self._noise * (now - self._told_at))
        used = (room.utilization or 0.0) * _FULL
        return not self._most_margin or used + min(self._most_margin, unseen) <= _FULL
