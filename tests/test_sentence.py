"""The rungs `sentence_encoder` and `sentence`: vectors as the formulas have them, and posts compared by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_bert

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.errors import ConfigError, DamagedModel, ModelError, SourceError
from rejoinder.models.interfaces import Job
from rejoinder.models.sentence.encoder import SentenceEncoder, SentenceEncoderConfig
from rejoinder.models.sentence.rung import Sentence, SentenceConfig
from rejoinder.post import Post

TEXT = "Check the spark plug and the fuel filter"


def opened(folder: Path, tmp_path: Path, **settings: Any) -> SentenceEncoder:
    config = SentenceEncoderConfig(file=str(folder), **settings)
    return SentenceEncoder.fit(None, config, rng=np.random.default_rng(0), job=Job(tmp_path))  # type: ignore[arg-type]


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_a_vector_is_what_the_formulas_say(prefix: str, tmp_path: Path) -> None:
    weights = tiny_bert.write(tmp_path / "net", scale=0.3, prefix=prefix)
    model = opened(tmp_path / "net", tmp_path)
    tokens = model._pieces.encode(TEXT).ids
    assert tokens[0] == 2 and tokens[-1] == 3 and len(tokens) == 10
    assert model.vectors([TEXT])[0] == pytest.approx(tiny_bert.forward(weights, tokens), abs=1e-5)


def test_a_text_has_the_same_vector_in_any_company_and_none_without_words(tmp_path: Path) -> None:
    model = opened(tiny_bert.shared(), tmp_path)
    together = model.vectors([TEXT, "", "bread", " \n", TEXT])
    assert np.array_equal(together[0], model.vectors([TEXT])[0]) and np.array_equal(together[0], together[4])
    assert not together[1].any() and not together[3].any()
    assert np.linalg.norm(together[[0, 2, 4]], axis=1) == pytest.approx(1, abs=1e-5)
    assert model.vectors([]).shape == (0, tiny_bert.WIDTH)


def test_of_a_long_text_the_beginning_is_read(tmp_path: Path) -> None:
    model = opened(tiny_bert.shared(), tmp_path, longest=12)
    assert np.array_equal(*model.vectors(["the spark plug " * 500, "the spark plug " * 4]))
    assert np.isfinite(opened(tiny_bert.shared(), tmp_path, longest=5000).vectors(["the " * 5000])).all()


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("left", [None, 0, 60])
def test_a_folder_that_is_not_whole_costs_one_line(name: str, left: int | None, tmp_path: Path) -> None:
    tiny_bert.write(tmp_path / "net")
    file = tmp_path / "net" / name
    data = file.read_bytes()
    file.unlink()
    if left is not None:
        file.write_bytes(data[:left])
    with pytest.raises(SourceError) as told:
        opened(tmp_path / "net", tmp_path)
    assert "\n" not in str(told.value) and str(tmp_path / "net") in str(told.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model_type": "roberta"}, "roberta"),
        ({"hidden_act": "relu"}, "gelu"),
        ({"position_embedding_type": "relative_key"}, "places"),
        ({"hidden_size": 64}, "where config.json says"),
        ({"num_hidden_layers": 3}, "is missing"),
        ({"num_hidden_layers": 2**40}, "num_hidden_layers"),
        ({"vocab_size": "many"}, "vocab_size"),
        ({"num_attention_heads": 5}, "fit each other"),
    ],
)
def test_settings_that_lie_cost_one_line(settings: dict[str, Any], said: str, tmp_path: Path) -> None:
    tiny_bert.write(tmp_path / "net", **settings)
    with pytest.raises(SourceError, match=said):
        opened(tmp_path / "net", tmp_path)


def test_a_tokenizer_of_another_net_is_refused(tmp_path: Path) -> None:
    tiny_bert.write(tmp_path / "net")
    file = tmp_path / "net" / "tokenizer.json"
    told = json.loads(file.read_text())
    told["model"]["vocab"] |= {f"more{number}": len(told["model"]["vocab"]) + number for number in range(9)}
    file.write_text(json.dumps(told))
    with pytest.raises(SourceError, match="pieces"):
        opened(tmp_path / "net", tmp_path)


def test_what_is_missing_is_named(toy: ArchiveCorpus, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="model add sentence"):
        SentenceEncoder.fit(toy, SentenceEncoderConfig(), rng=np.random.default_rng(0), job=Job(tmp_path))
    with pytest.raises(ModelError, match="model add sentence"):
        Sentence.fit(toy, SentenceConfig(), rng=np.random.default_rng(0), job=Job(tmp_path))


def test_a_reply_is_scored_by_its_cosine_and_the_title_counts_if_asked(toy: ArchiveCorpus, tmp_path: Path) -> None:
    encoder = opened(tiny_bert.shared(), tmp_path)
    job = Job(tmp_path, parts={"sentence_encoder": encoder})
    plain, titled = (
        Sentence.fit(toy, SentenceConfig(title=weight), rng=np.random.default_rng(0), job=job) for weight in (0.0, 0.5)
    )
    context = (Post(1, title="bread dough", text=""), Post(2, text="the old engine stalls"))
    own, reply, title = encoder.vectors(["the old engine stalls", "flour and dough", "bread dough"])
    assert plain.score_replies(context, ["flour and dough"])[0] == pytest.approx(own @ reply, abs=1e-6)
    both = own + 0.5 * title
    wanted = both @ reply / np.linalg.norm(both)
    assert titled.score_replies(context, ["flour and dough"])[0] == pytest.approx(wanted, abs=1e-6)


def test_vectors_and_replies_of_two_fits_are_no_model(toy: ArchiveCorpus, tmp_path: Path) -> None:
    job = Job(tmp_path, parts={"sentence_encoder": opened(tiny_bert.shared(), tmp_path)})
    Sentence.fit(toy, SentenceConfig(), rng=np.random.default_rng(0), job=job).save(tmp_path / "saved")
    np.save(tmp_path / "saved" / "nearest.npy", np.zeros((3, tiny_bert.WIDTH), np.float16))
    with pytest.raises(DamagedModel, match="fit again"):
        Sentence.load(tmp_path / "saved", job.parts)
