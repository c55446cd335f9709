"""Users of a gateway, for Locust: `python -m locust -f loadtest/locustfile.py --host URL`.

    --host http://127.0.0.1:8080   the gateway, without /v1
    LOAD_API_KEY                   a tenant's key

Name classes to run some of them alone (`Chat Embeddings`). `--help` tells the options; each has an
environment variable, `LOAD_` and its name. Statistics of streams: `POST NAME` is the whole answer,
`TTFT NAME` its first token, `TPOT NAME` milliseconds for each further token.
"""

from __future__ import annotations

import time
from random import Random
from typing import Any

import requests
from locust import HttpUser, LoadTestShape, between, constant, events, task

from loadtest.brown_out import faults
from loadtest.conversations import COMMON_QUESTIONS, Agent, Asking, Json, embedding
from loadtest.shapes import SHAPES, Load, rate_of
from loadtest.sse import StreamReader
from loadtest.zipf import Zipf

_CHAT = "/v1/chat/completions"
_EMBEDDINGS = "/v1/embeddings"
_TIMEOUT_S = (10, 300)
_THROTTLED = 429
_RUN_S = 600.0
_POPULARITY = Zipf(COMMON_QUESTIONS)


@events.init_command_line_parser.add_listener
def _options(parser: Any) -> None:
    def option(name: str, default: str, text: str, **more: Any) -> None:
        variable = f"LOAD_{name.upper().replace('-', '_')}"
        parser.add_argument(f"--{name}", env_var=variable, default=default, help=text, **more)

    option("api-key", "", "a tenant's key", is_secret=True)
    option(
        "flood-key", "", "the key of a tenant that floods; without it nobody does", is_secret=True
    )
    option("model", "gpt-4o", "what chats ask for")
    option("embedding-model", "text-embedding-3-small", "what texts are embedded with")
    option("max-tokens", "60", "the most tokens of an answer", type=int)
    option("shape", "steady", "how users come and go", choices=list(SHAPES))
    option("simulator-url", "", "of a simulated Azure: then its PTU browns out now and then")
    option("ptu", "ptu-east", "the deployment that browns out")
    option("seed", "7", "of what is asked", type=int)


@events.init.add_listener
def _leave_out(environment: Any, **_: Any) -> None:
    """Users of what was not given."""
    options = environment.parsed_options
    given = {
        Flooding: options.flood_key,
        Polite: options.flood_key,
        BrownOut: options.simulator_url,
    }
    environment.user_classes = [
        each for each in environment.user_classes if given.get(each, "always")
    ]


class Profile(LoadTestShape):
    """`--shape` with `--users` at its peak, `--spawn-rate` and `--run-time`."""

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        """Users now, and how many may come per second."""
        options = self.runner.environment.parsed_options
        load = Load(options.num_users or 1, options.spawn_rate or 1, options.run_time or _RUN_S)
        shape = SHAPES[options.shape]
        users = shape(load, self.get_run_time())
        return None if users is None else (users, rate_of(shape, load))


class Caller(HttpUser):
    """Asks, and takes the times of what it is told."""

    abstract = True
    key_option = "api_key"

    def on_start(self) -> None:
        """Each user asks something else; a run can be repeated by its seed."""
        self.options = self.environment.parsed_options
        self.rng = Random(f"{self.options.seed} {type(self).__name__} {next(_numbers)}")  # noqa: S311  # what is asked
        self.asking = Asking(self.options.model, self.options.max_tokens)
        key = getattr(self.options, self.key_option)
        self.client.headers["authorization"] = f"Bearer {key}"

    def streamed(self, name: str, body: Json) -> None:
        """Ask for a stream and read it to its end."""
        asked = time.perf_counter()
        reader = StreamReader(asked)
        with self.post(_CHAT, name, body, stream=True) as response:
            if not response.ok:
                self.refused(response, name)
                return
            name = self.named(response, name)
            try:
                for chunk in response.iter_content(chunk_size=None):
                    reader.feed(chunk, time.perf_counter())
            except requests.RequestException as error:
                reader.error = type(error).__name__
            times = reader.times()
            response.request_meta["response_time"] = (time.perf_counter() - asked) * 1000
            response.request_meta["response_length"] = times.output_tokens if times else 0
            if times is None:
                response.failure(reader.error)
                return
            response.success()
        self.measured("TTFT", name, times.ttft_s)
        if times.tpot_s is not None:
            self.measured("TPOT", name, times.tpot_s)

    def whole(self, path: str, name: str, body: Json) -> Json:
        """Ask for an answer in one piece; empty where there is none."""
        with self.post(path, name, body) as response:
            if not response.ok:
                self.refused(response, name)
                return {}
            answer: Json = response.json()
            return answer

    def post(self, path: str, name: str, body: Json, **more: Any) -> Any:
        """A request whose outcome is the caller's to say."""
        return self.client.post(
            path, json=body, name=name, catch_response=True, timeout=_TIMEOUT_S, **more
        )

    def refused(self, response: Any, name: str) -> None:
        """What to make of an answer that is none."""
        code = _code(response)
        response.failure(f"{name}: {response.status_code} {code}".strip())

    def named(self, response: Any, name: str) -> str:
        """The name under which an answer is counted."""
        del response
        return name

    def measured(self, kind: str, name: str, seconds: float) -> None:
        """A statistic of its own."""
        self.environment.events.request.fire(
            request_type=kind,
            name=name,
            response_time=seconds * 1000,
            response_length=0,
            exception=None,
            context={},
        )


class Chat(Caller):
    """Asks, reads the answer, and asks again."""

    weight = 6
    wait_time = between(0.5, 3)

    @task
    def chat(self) -> None:
        """A short question, streamed."""
        self.streamed("chat", self.asking.chat(self.rng))


class LongPrompts(Caller):
    """Has documents summed up."""

    weight = 1
    wait_time = between(2, 8)

    @task
    def sum_up(self) -> None:
        """A document of some thousand tokens."""
        self.streamed("long prompt", self.asking.long_prompt(self.rng))


class Agents(Caller):
    """Programs that have the model call a tool, and do not pause in between."""

    weight = 2
    wait_time = between(0.2, 1)

    @task
    def converse(self) -> None:
        """Two turns: the call of the tool, and the answer to its result."""
        agent = Agent(self.asking, self.rng)
        answer = self.whole(_CHAT, "agent: calls a tool", agent.calls_tool())
        if answer:
            agent.called(answer["choices"][0]["message"])
            self.streamed("agent: answers", agent.answers())


class Embeddings(Caller):
    """Indexes texts."""

    weight = 2
    wait_time = between(0.2, 1)

    @task
    def embed(self) -> None:
        """Up to eight texts."""
        self.whole(_EMBEDDINGS, "embeddings", embedding(self.options.embedding_model, self.rng))


class Repeating(Caller):
    """Asks what others ask as well, a few questions far more often than the rest."""

    weight = 3
    wait_time = between(0.5, 2)

    @task
    def ask_again(self) -> None:
        """Counted by what the gateway's cache made of it."""
        self.streamed("repeated", self.asking.repeated(self.rng, _POPULARITY))

    def named(self, response: Any, name: str) -> str:
        """`repeated (exact)`, `repeated (miss)`."""
        cache = response.headers.get("x-spillgate-cache", "no cache")
        response.request_meta["name"] = f"{name} ({cache})"
        return f"{name} ({cache})"


class Flooding(Caller):
    """A tenant's program gone wild; to be refused is what it is there for."""

    weight = 3
    key_option = "flood_key"
    wait_time = constant(0.02)

    @task
    def flood(self) -> None:
        """As fast as it is let."""
        self.streamed("flood", self.asking.chat(self.rng))

    def refused(self, response: Any, name: str) -> None:
        """Counted apart, and no failure."""
        if response.status_code != _THROTTLED:
            super().refused(response, name)
            return
        response.request_meta["name"] = f"{name} (refused)"
        response.success()


class Polite(Caller):
    """Another tenant beside it, which is not to notice."""

    fixed_count = 1
    wait_time = between(0.5, 1.5)

    @task
    def chat(self) -> None:
        """A short question, streamed."""
        self.streamed("polite", self.asking.chat(self.rng))


class BrownOut(HttpUser):
    """No user: has the simulated PTU refuse, fail and be slow for a few requests at a time."""

    fixed_count = 1
    wait_time = between(5, 8)

    @task
    def arm(self) -> None:
        """The next requests meet it."""
        options = self.environment.parsed_options
        for fault in faults(options.ptu):
            url = f"{options.simulator_url}/_sim/faults"
            self.client.post(url, json=fault, name="(brown-out)")


def _code(response: Any) -> str:
    try:
        return str(response.json()["error"]["code"])
    except (ValueError, LookupError, TypeError):
        return ""


_numbers = iter(range(1_000_000))
