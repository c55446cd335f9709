"""What a generating request asks for, whichever of the three operations it came by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.simulator import refusal
from app.simulator.prompt import Encode, Prompt, chat_prompt, responses_prompt, text_prompts

_MOST_CHOICES: Final = 128
#: No set: a list that stands where a word should cannot be looked up in one.
_NO_EFFORT: Final = ("none", "minimal")
Body = Mapping[str, Any]

LEGACY_MAX_TOKENS: Final = 16
TOOL_MARKER: Final = "[[tool]]"


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call; `parameters` is its JSON Schema."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """Everything that decides what is generated; `cap` is per choice, None when unlimited."""

    prompts: Sequence[Prompt]
    cap: int | None
    n: int = 1
    best_of: int = 1
    stream: bool = False
    include_usage: bool = False
    call: Tool | None = None
    schema: Mapping[str, Any] | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    reasons: bool = True
    seed: int = 0
    cache_key: str = ""

    @property
    def prompt_tokens(self) -> int:
        return sum(len(prompt.tokens) for prompt in self.prompts)

    @property
    def text(self) -> str:
        return "\n".join(prompt.text for prompt in self.prompts)

    @property
    def generations(self) -> int:
        """Choices generated, shown or not."""
        return max(self.n, self.best_of) * len(self.prompts)


def chat_ask(body: Body, encode: Encode) -> Ask:
    """Read a chat completion's body.

    Raises:
        Refusal: 400, naming the parameter.
    """
    prompt = chat_prompt(body, encode)
    cap = _positive(body, "max_completion_tokens") or _positive(body, "max_tokens")
    tools = [
        _tool(each.get("function"), f"tools[{index}].function.name")
        for index, each in enumerate(_objects(body, "tools"))
        if each.get("type") != "custom"
    ]
    format_ = body.get("response_format")
    nested = format_.get("json_schema") if isinstance(format_, Mapping) else None
    return Ask(
        prompts=[prompt],
        cap=cap,
        n=_choices(body, "n") or 1,
        best_of=_choices(body, "n") or 1,
        call=_called(tools, body.get("tool_choice"), prompt),
        schema=_schema(format_, nested),
        logprobs=_top(body.get("top_logprobs")) if body.get("logprobs") else None,
        reasons=body.get("reasoning_effort") not in _NO_EFFORT,
        **_common(body),
    )


def completion_ask(body: Body, encode: Encode) -> Ask:
    """Read a legacy completion's body; as there, 16 tokens is the default cap.

    Raises:
        Refusal: 400, naming the parameter.
    """
    n = _choices(body, "n") or 1
    logprobs = body.get("logprobs")
    return Ask(
        prompts=text_prompts(body.get("prompt"), encode, param="prompt"),
        cap=_positive(body, "max_tokens") or LEGACY_MAX_TOKENS,
        n=n,
        best_of=max(n, _choices(body, "best_of") or 1),
        logprobs=None if logprobs is None else _top(logprobs),
        reasons=False,
        **_common(body),
    )


def responses_ask(body: Body, encode: Encode, *, before: Sequence[int] = ()) -> Ask:
    """Read a response's body; `before` are the tokens of the conversation it continues.

    Raises:
        Refusal: 400, naming the parameter.
    """
    prompt = responses_prompt(body, encode, before=before)
    tools = [
        _tool(each, f"tools[{index}].name")
        for index, each in enumerate(_objects(body, "tools"))
        if each.get("type") == "function"
    ]
    text = body.get("text")
    format_ = text.get("format") if isinstance(text, Mapping) else None
    reasoning = body.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, Mapping) else None
    return Ask(
        prompts=[prompt],
        cap=_positive(body, "max_output_tokens"),
        call=_called(tools, body.get("tool_choice"), prompt),
        schema=_schema(format_, format_),
        reasons=effort not in _NO_EFFORT,
        **_common(body),
    )


def _common(body: Body) -> dict[str, Any]:
    options = body.get("stream_options")
    stop = body.get("stop") or ()
    if not isinstance(stop, str | list | tuple):
        raise refusal.wrong_type("stop", "a string or an array of strings")
    seed = body.get("seed")
    return {
        "stream": body.get("stream") is True,
        "include_usage": isinstance(options, Mapping) and options.get("include_usage") is True,
        "stop": (stop,) if isinstance(stop, str) else tuple(map(str, stop)),
        "seed": seed if isinstance(seed, int) else 0,
        "cache_key": str(body.get("prompt_cache_key") or ""),
    }


def _choices(body: Body, name: str) -> int | None:
    """A number of choices; OpenAI takes 128 at most."""
    value = _positive(body, name)
    if value is not None and value > _MOST_CHOICES:
        message = f"Invalid '{name}': integer above maximum value {_MOST_CHOICES}."
        raise refusal.invalid(message, param=name, code="integer_above_max_value")
    return value


def _positive(body: Body, name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise refusal.wrong_type(name, "an integer")
    if value < 1:
        message = f"Invalid '{name}': integer below minimum value."
        raise refusal.invalid(message, param=name, code="integer_below_min_value")
    return value


def _objects(body: Body, name: str) -> list[Mapping[str, Any]]:
    values = body.get(name) or []
    if not isinstance(values, list) or not all(isinstance(each, Mapping) for each in values):
        raise refusal.wrong_type(name, "an array of objects")
    return values


def _tool(function: object, place: str) -> Tool:
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise refusal.missing(place)
    return Tool(function["name"], function.get("parameters") or {})


def _called(tools: Sequence[Tool], choice: object, prompt: Prompt) -> Tool | None:
    """The tool to call: a named one, any when one is required, or when the prompt's marker asks.

    A result handed back is answered in words, so that an agent's loop ends.
    """
    if not tools or choice == "none":
        return None
    if isinstance(choice, Mapping):
        function = choice.get("function", choice)
        name = function.get("name") if isinstance(function, Mapping) else None
        return next((tool for tool in tools if tool.name == name), tools[0])
    marked = TOOL_MARKER in prompt.text and not prompt.ends_with_tool_result
    return tools[0] if choice == "required" or marked else None


def _schema(format_: object, named: object) -> Mapping[str, Any] | None:
    if not isinstance(format_, Mapping):
        return None
    if format_.get("type") == "json_schema" and isinstance(named, Mapping):
        return named.get("schema") or {"type": "object"}
    if format_.get("type") == "json_object":
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    return None


def _top(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
