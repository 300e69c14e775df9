"""The rung `sentence_encoder`: a BERT encoder that others trained, out of a folder in the usual layout, run in this process.

    config.json, tokenizer.json, model.safetensors        as Hugging Face's libraries write them

It turns a text into a vector of length 1, near those of texts that mean much the same. It learns nothing here, and by itself it
does nothing: the rung `sentence` compares posts with it. Nothing in the folder is executed.

Explained in docs/ladder/sentence.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer as Library

from rejoinder.config import Checked, PositiveInt
from rejoinder.corpus import Corpus
from rejoinder.errors import ConfigError, DamagedModel, SourceError
from rejoinder.files import write_atomically, write_json
from rejoinder.models.directory import load_config, load_json, save_config
from rejoinder.models.interfaces import Job, Suggester
from rejoinder.models.sentence.bert_graph import EncoderShape, build_encoder, encoder_arrays

_WEIGHTS, _GRAPH, _PIECES, _SHAPE = "weights.safetensors", "encoder.onnx", "pieces.json", "shape.json"
_FOLDER = ("config.json", "tokenizer.json", "model.safetensors")
_KEYS = {
    "layers": "num_hidden_layers",
    "width": "hidden_size",
    "inner": "intermediate_size",
    "heads": "num_attention_heads",
    "vocabulary": "vocab_size",
    "longest": "max_position_embeddings",
    "kinds": "type_vocab_size",
}
_CHARACTERS = 12  # of a token at most, on the whole: what is cut off of a long text before it is read
_REMEMBERED = 4_096  # texts whose vectors are kept: candidates come again and again
_MOST_JSON = 64 * 2**20  # bytes
_AGAIN = "fit it again: rejoinder model add sentence --file DIR"


@dataclass(frozen=True)
class SentenceEncoderConfig(Checked, of="sentence_encoder"):
    """Settings of the rung: which folder, and how much of a text is read."""

    file: str = ""  # the folder
    longest: PositiveInt = 128  # tokens of a text
    threads: PositiveInt = 2  # of one run


class SentenceEncoder(Suggester):
    """An encoder and its tokenizer."""

    Config: ClassVar[type] = SentenceEncoderConfig

    def __init__(
        self,
        config: SentenceEncoderConfig,
        shape: EncoderShape,
        pieces: str,
        opened: tuple[Mapping[str, NDArray[np.float32]], bytes],
    ) -> None:
        """Use `fit` or `load`; `pieces`: the tokenizer as its library writes it; `opened`: the weights, and the graph.

        Raises:
            DamagedModel: they do not fit each other.
        """
        self.config, self.shape = config, shape
        self._written, (self._arrays, self._graph) = pieces, opened
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._vector)
        self._session = _open(self._graph, self._arrays, config.threads)
        try:
            self._pieces = Library.from_str(pieces)
            self._pieces.no_padding()
            self._pieces.enable_truncation(min(config.longest, shape.longest))
        except Exception as error:  # the library raises bare Exception on a file it cannot read
            raise DamagedModel(f"the tokenizer of the encoder cannot be read ({str(error)[:80]}); {_AGAIN}") from error

    @classmethod
    def fit(cls, corpus: Corpus, config: SentenceEncoderConfig, *, rng: np.random.Generator, job: Job) -> Self:
        """Read the folder. Nothing of the archive is read.

        Raises:
            ConfigError: no folder is named.
            SourceError: it cannot be read, or the net is of a kind that is not known here.
            MissingExtra: the package that makes its graph is not installed.
        """
        if not config.file:
            raise ConfigError("`sentence_encoder` needs a folder: rejoinder model add sentence --file DIR")
        folder = Path(config.file)
        try:
            return cls._read(folder, config)
        except (SourceError, DamagedModel) as error:
            raise SourceError(f"{folder}: {error}") from error

    @classmethod
    def _read(cls, folder: Path, config: SentenceEncoderConfig) -> Self:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        missing = [name for name in _FOLDER if not (folder / name).is_file()]
        if missing:
            raise SourceError(f"{', '.join(missing)} is not there; the folder of an encoder holds {', '.join(_FOLDER)}")
        shape = _shape(_json(folder / _FOLDER[0]))
        _json(folder / _FOLDER[1])
        try:
            found = load_file(folder / _FOLDER[2])
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise SourceError(f"{_FOLDER[2]} is damaged ({str(error)[:100]}); fetch it again") from error
        arrays = encoder_arrays(found, shape)
        pieces = (folder / _FOLDER[1]).read_text(encoding="utf-8")
        made = cls(config, shape, pieces, (arrays, build_encoder(shape, arrays)))
        if made._pieces.get_vocab_size() > shape.vocabulary:
            raise SourceError(f"the tokenizer has {made._pieces.get_vocab_size():,} pieces, the net knows {shape.vocabulary:,}")
        return made

    def save(self, directory: Path) -> None:
        """Write weights, graph and tokenizer: all that running it needs."""
        from safetensors.numpy import save

        save_config(directory, "sentence_encoder", self.config)
        write_json(directory / _SHAPE, asdict(self.shape))
        write_atomically(directory / _PIECES, self._written.encode())
        write_atomically(directory / _GRAPH, self._graph)
        write_atomically(directory / _WEIGHTS, save(dict(self._arrays)))

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote.

        Raises:
            DamagedModel: it is not whole.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        config = load_config(directory, "sentence_encoder", SentenceEncoderConfig)
        told = load_json(directory / _SHAPE)
        try:
            pieces = (directory / _PIECES).read_text(encoding="utf-8")
            opened = load_file(directory / _WEIGHTS), (directory / _GRAPH).read_bytes()
            return cls(config, EncoderShape(**told), pieces, opened)
        except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
            raise DamagedModel(f"{directory} is not what was written ({str(error)[:100]}); {_AGAIN}") from error

    def vectors(self, texts: Iterable[str]) -> NDArray[np.float32]:
        """(N, D) float32 of length 1; 0 for a text without words. A text has the same in any company, to the bit."""
        return np.array([self._remembered(text) for text in texts], np.float32).reshape(-1, self.shape.width)

    def _vector(self, text: str) -> NDArray[np.float32]:
        text = text[: _CHARACTERS * self.config.longest].encode("utf-8", "replace").decode()
        if not text.strip():
            return np.zeros(self.shape.width, np.float32)
        tokens = np.array([self._pieces.encode(text).ids], np.int64)
        vector: NDArray[np.float32] = self._session.run(None, {"tokens": tokens})[0][0]
        return vector


def _json(file: Path) -> Any:
    try:
        if file.stat().st_size > _MOST_JSON:
            raise SourceError(f"{file.name} has {file.stat().st_size:,} bytes, more than any has")
        return json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{file.name} is damaged ({str(error)[:80]}); fetch it again") from error


def _shape(told: Any) -> EncoderShape:
    if not isinstance(told, dict) or told.get("model_type") != "bert" or told.get("hidden_act", "gelu") != "gelu":
        kind = told.get("model_type") if isinstance(told, dict) else None
        raise SourceError(f"the net is `{kind}`; this rejoinder runs encoders of the kind `bert` with `gelu`")
    if told.get("position_embedding_type", "absolute") != "absolute":
        raise SourceError("its places are not absolute, which this rejoinder does not know")
    sizes: dict[str, Any] = {ours: told.get(key) for ours, key in _KEYS.items()}
    wrong = [key for ours, key in _KEYS.items() if not isinstance(sizes[ours], int) or not 0 < sizes[ours] < 2**24]
    epsilon = told.get("layer_norm_eps", 1e-12)
    if wrong or not isinstance(epsilon, float) or not 0 < epsilon < 1 or sizes["width"] % sizes["heads"]:
        raise SourceError(f"config.json does not say {', '.join(wrong) or 'sizes that fit each other'}")
    return EncoderShape(**sizes, epsilon=epsilon)


def _open(graph: bytes, arrays: Mapping[str, NDArray[np.float32]], threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # what goes wrong is raised; nothing is printed beside it
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_external_initializers(list(arrays), [onnxruntime.OrtValue.ortvalue_from_numpy(a) for a in arrays.values()])
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library's errors share no class but this
        raise DamagedModel(f"the graph of the encoder does not fit its weights ({str(error)[:200]}); {_AGAIN}") from error
