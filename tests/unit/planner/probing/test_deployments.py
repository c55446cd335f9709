"""What a refusal says of a deployment."""

from __future__ import annotations

import json

import pytest

from app.domain.routing.deployment import Api, Deployment, Kind
from app.planner.probing.deployments import Answer, judged, question
from app.planner.probing.finding import State


def deployment(kind: Kind = Kind.PTU, api: Api = Api.V1) -> Deployment:
    return Deployment("east", kind, "https://x.openai.azure.com", api, "gpt-4o-ptu", "gpt-4o")


@pytest.mark.parametrize(
    ("status", "code", "state", "said"),
    [
        (400, "invalid_value", State.OK, "gpt-4o-ptu is there and the credential is accepted"),
        (422, None, State.OK, "gpt-4o-ptu is there and the credential is accepted"),
        (429, "429", State.OK, "gpt-4o-ptu is there; the PTU is full at the moment"),
        (401, "401", State.FAILED, "the credential is not accepted: 401, so it said"),
        (403, "403", State.FAILED, "a role is missing, or this network is not allowed: 403,"),
        (404, "DeploymentNotFound", State.FAILED, "there is no deployment 'gpt-4o-ptu' at this"),
        (
            404,
            "404",
            State.FAILED,
            "nothing is at this path; look at endpoint, api and",
        ),
        (503, "busy", State.FAILED, "it answered: 503 busy, so it said"),
        (200, None, State.WARNING, "it answered what Azure refuses: an empty request"),
    ],
)
def test_what_an_answer_says(status: int, code: str | None, state: State, said: str) -> None:
    """A refusal of the body proves all that comes before it; any other names what is wrong."""
    found = judged(deployment(), Answer(status, code, "so it\n said"))
    assert found[0] is state
    assert found[1].startswith(said)


def test_what_other_servers_and_kinds_mean() -> None:
    """A 404 of a server that is no Azure is about the model; a quota is no PTU."""
    other = deployment(Kind.PAYGO, Api.OPENAI)
    assert "there is no deployment" in judged(other, Answer(404, "model_not_found", ""))[1]
    assert "its quota is used up" in judged(other, Answer(429, None, ""))[1]


def test_that_an_upstreams_novel_is_cut() -> None:
    """A page of HTML does not fill a terminal."""
    assert len(judged(deployment(), Answer(500, None, "x" * 5000))[1]) < 250


@pytest.mark.parametrize(("embeds", "field"), [(False, "messages"), (True, "input")])
def test_that_nothing_can_be_generated_of_the_question(embeds: bool, field: str) -> None:  # noqa: FBT001  # parametrized
    """It names the deployment as Azure does, and asks for nothing."""
    assert json.loads(question(deployment(), embeds=embeds).body) == {
        "model": "gpt-4o-ptu",
        field: [],
    }
