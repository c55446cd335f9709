"""Looking by meaning, within a time; whole stories are in test_consulting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from app.domain.cache.entry import Neighbour, Question
from app.domain.cache.policy import CachePolicy, SemanticPolicy
from app.domain.call.request import Accounting, InferenceRequest, Operation, Route
from app.stages.caching.asked import Asked
from app.stages.caching.meaning import ByMeaning, Judgement, Limits
from app.wire.cache.directives import Directives
from tests.fakes.answer_cache import FakeAnswerCache
from tests.fakes.clock import FakeClock
from tests.fakes.embedder import FakeEmbedder, at_angle
from tests.fakes.entries import an_entry
from tests.fakes.house import Near

PROMPT = "What is the capital of France?"
ASKED = Asked(
    "acme",
    InferenceRequest(Route(Operation.CHAT_COMPLETIONS, "POST", Accounting.TOKENS), "gpt-4o", b""),
    Question(b"a" * 16, b"p" * 16, PROMPT),
    CachePolicy(semantic=SemanticPolicy(enabled=True)),
    Directives(),
)


class Scene:
    """Two answers that are near, one a little nearer."""

    def __init__(self, **limits: float) -> None:
        self.clock = FakeClock()
        self.cache = FakeAnswerCache(self.clock)
        angles = {PROMPT: 0.0, "nearer": 0.1, "near": 0.2}
        points = {text: at_angle(angle) for text, angle in angles.items()}
        self.embedder = FakeEmbedder(points, patience_s=30.0)
        self.refused: set[str] = set()
        self.limits = Limits(patience_s=limits.get("patience_s", 30.0), widest=0.1)
        self.lookups = ByMeaning(
            self.cache, self.embedder, self._judge, clock=self.clock, limits=self.limits
        )

    def _judge(self, asked: str, kept: str, distance: float, widest: float) -> Near:
        assert asked == PROMPT
        serves = kept not in self.refused and distance <= widest
        return Near(serves=serves, refused_by="" if serves else f"not {kept}")

    async def keep(self) -> None:
        for name in ("nearer", "near"):
            question = Question(name.ljust(16).encode(), b"p" * 16, name)
            vector = await self.embedder.embed(name)
            await self.cache.keep("acme", an_entry(question=question), 60, vector)


async def test_the_nearest_that_may_serve_serves() -> None:
    """Where a guard refuses the nearest the next is looked at; the reason is the nearest's."""
    scene = Scene()
    await scene.keep()
    found = await scene.lookups.find(ASKED)
    assert found.entry is not None
    assert found.entry.question.prompt == "nearer"
    scene.refused = {"nearer"}
    found = await scene.lookups.find(ASKED)
    assert found.entry is not None
    assert found.entry.question.prompt == "near"
    scene.refused = {"nearer", "near"}
    found = await scene.lookups.find(ASKED)
    assert (found.entry, found.reason) == (None, "not nearer")
    assert found.vector is not None


async def test_long_prompts_are_judged_where_nobody_waits_for_it() -> None:
    """In a thread; what comes out is the same."""
    scene, threads = Scene(), set[bool]()
    await scene.keep()
    name = "x" * 1500
    question = Question(name.encode()[:16], b"p" * 16, name)
    await scene.cache.keep(
        "acme", an_entry(question=question), 60, await scene.embedder.embed(PROMPT)
    )
    judge = scene.lookups._judge  # noqa: SLF001  # the scene's own

    def judged(asked: str, kept: str, distance: float, widest: float) -> Judgement:
        threads.add(threading.current_thread() is threading.main_thread())
        return judge(asked, kept, distance, widest)

    scene.lookups._judge = judged  # noqa: SLF001
    found = await scene.lookups.find(ASKED)
    assert found.entry is not None
    assert found.entry.question.prompt == name
    assert threads == {False}


async def test_nothing_near_says_so() -> None:
    """And how far the nearest is, if there is one."""
    found = await Scene().lookups.find(ASKED)
    assert (found.entry, found.reason, found.distance) == (None, "nothing_near", None)


@pytest.mark.parametrize("part", ["embedder", "index", "store"])
async def test_a_frozen_dependency_is_given_up(part: str) -> None:
    """In time, with the vector where there is one: the answer can still be kept by meaning."""
    scene = Scene(patience_s=0.02)
    await scene.keep()

    async def frozen(*_: object) -> Sequence[Neighbour]:
        await asyncio.Event().wait()
        raise AssertionError

    name = {"embedder": "embed", "index": "nearest", "store": "find"}[part]
    setattr(scene.embedder if part == "embedder" else scene.cache, name, frozen)
    found = await scene.lookups.find(ASKED)
    assert (found.entry, found.reason) == (None, "slow")
    assert (found.vector is None) is (part == "embedder")


async def test_a_measured_error_tightens() -> None:
    """For the tenant and model whose hits were wrong; what is withheld is found to be measured."""
    scene = Scene()
    await scene.keep()
    tightened = {("acme", "gpt-4o"): 0.001}
    tight = Limits(30.0, 0.1, lambda tenant, model: tightened[tenant, model])
    lookups = ByMeaning(scene.cache, scene.embedder, scene._judge, clock=scene.clock, limits=tight)  # noqa: SLF001  # the scene's own
    found = await lookups.find(ASKED)
    assert (found.withheld, found.reason, found.entry is not None) == (True, "tightened", True)
    tightened["acme", "gpt-4o"] = 0.01
    assert not (await lookups.find(ASKED)).withheld


async def test_a_threshold_of_nothing_withholds_the_nearest() -> None:
    """Even the very same words."""
    scene = Scene()
    vector = await scene.embedder.embed(PROMPT)
    await scene.cache.keep("acme", an_entry(question=ASKED.question), 60, vector)
    off = Limits(30.0, 0.1, lambda _tenant, _model: 0.0)
    lookups = ByMeaning(scene.cache, scene.embedder, scene._judge, clock=scene.clock, limits=off)  # noqa: SLF001  # the scene's own
    assert (await lookups.find(ASKED)).withheld


async def test_what_the_index_takes_from_another_partition_is_not_served() -> None:
    """An index that is wrong about a filter serves nobody's answer."""
    scene = Scene()

    async def wrong(*_: object) -> Sequence[Neighbour]:
        return [Neighbour("acme", b"q" * 16, b"f" * 16, PROMPT, 0.0, scene.clock.unix())]

    scene.cache.nearest = wrong  # type: ignore[assignment,method-assign]  # an index gone wrong
    await scene.cache.keep("acme", an_entry(), 60, None)
    assert (await scene.lookups.find(ASKED)).entry is None
