"""The API that OpenAI's clients speak: what a rung says is what is told, whole or in a stream."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_archive
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from serving import make_home

from rejoinder.engine.detokenizer import Detokenizer
from rejoinder.engine.sampling import SampledText
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.workspace import Workspace
from rejoinder.models.interfaces import LanguageModel
from rejoinder.post import Kind, Post
from rejoinder.serve.http.app import create_app
from rejoinder.serve.http.config import ServeConfig
from rejoinder.serve.openai.batching import MOST_READ, conversation
from rejoinder.serve.openai.bodies import Message
from rejoinder.serve.openai.screen import Screen
from rejoinder.text.phrases import COPIED
from rejoinder.text.words import ADDRESS, EMAIL, shingles, words

MODEL = "kneser_ney"
PROMPT = "Let the dough"


@pytest.fixture(scope="module")
def client(toy_home: Workspace) -> Iterator[TestClient]:
    app = create_app(toy_home, ServeConfig(tokens=40))
    with TestClient(app, base_url="http://localhost") as opened:
        yield opened


@pytest.fixture(scope="module")
def model(client: TestClient) -> Any:
    return client.app.state.services.opened.models[MODEL]  # type: ignore[attr-defined]


def complete(client: TestClient, path: str = "completions", **body: Any) -> dict[str, Any]:
    answer = client.post(f"/v1/{path}", json={"model": MODEL, **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def streamed(client: TestClient, path: str = "completions", **body: Any) -> list[dict[str, Any]]:
    """The chunks of a stream, which ends as it must."""
    answer = client.post(f"/v1/{path}", json={"model": MODEL, "stream": True, **body})
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = answer.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""] and all(event.startswith("data: ") for event in events[:-1])
    return [json.loads(event.removeprefix("data: ")) for event in events[:-2]]


def greedy(model: Any, prompt: str, steps: int) -> tuple[list[int], list[float]]:
    """The most probable token after another, and their log probabilities, by hand."""
    state = model.start((Post(0),))
    for token in model.tokenizer.encode(prompt):
        state = model.advance(state, token)
    tokens, scores = [], []
    for _ in range(steps):
        row = model.log_probs(state)
        token = int(np.argmax(row))
        if token == model.tokenizer.end:
            break
        tokens.append(token)
        scores.append(float(row[token]))
        state = model.advance(state, token)
    return tokens, scores


# --- the text of tokens that come ------------------------------------------------------------------------------------


def oracle(text: str, stops: list[str]) -> str:
    """A text up to the first stop string that comes to its end."""
    for end in range(len(text) + 1):
        for stop in sorted(stops, key=len, reverse=True):
            if stop and text[:end].endswith(stop):
                return text[: end - len(stop)]
    return text


@given(st.text("ab é\U0001f600", max_size=12), st.lists(st.text("ab é", max_size=3), max_size=3), st.lists(st.integers(1, 3)))
def test_stop_strings_end_a_text_however_it_is_cut(text: str, stops: list[str], sizes: list[int]) -> None:
    raw = text.encode()
    wording, shown = Detokenizer(stops), ""
    for size in sizes:
        shown += wording.feed(raw[:size])
        raw = raw[size:]
        shown.encode()
    shown += wording.feed(raw) + wording.rest()
    whole = oracle(text, stops)
    assert whole.startswith(shown) if wording.stopped else shown == text == whole
    if all(size == 1 for size in sizes) and len(sizes) >= len(text.encode()):
        assert shown == whole


def test_what_may_be_a_stop_string_is_held_back() -> None:
    wording = Detokenizer(["\n\nPost:"])
    assert [wording.feed(piece) for piece in (b"one\n", b"\nPo", b"em. \xc3", b"\xa9")] == ["one", "", "\n\nPoem. ", "é"]
    assert [wording.feed(piece) for piece in (b"\n\nPost", b":", b" two")] == ["", "", ""]
    assert wording.stopped and wording.rest() == ""


# --- completions -----------------------------------------------------------------------------------------------------


def test_models_are_the_rungs_that_reply_then_those_that_predict_the_best_first(client: TestClient) -> None:
    found = client.get("/v1/models").json()
    assert found["object"] == "list"
    assert [one["id"] for one in found["data"]][:5] == ["bm25", "canned", "kneser_ney", "markov", "package/mixture"]
    assert client.get("/v1/models/markov").json() == found["data"][3]
    assert client.get("/v1/models/package/mixture").json() == found["data"][4] == client.get("/v1/models/mixture").json()


@pytest.mark.parametrize("path", ["models/gpt-9", "completions", "chat/completions"])
def test_a_model_that_is_not_there(client: TestClient, path: str) -> None:
    body = {"model": "gpt-9", "prompt": "a", "messages": [{"role": "user", "content": "a"}]}
    answer = client.get(f"/v1/{path}") if path.startswith("models") else client.post(f"/v1/{path}", json=body)
    error = answer.json()["error"]
    assert answer.status_code == 404 and error["code"] == "model_not_found" and error["param"] == "model"
    assert "kneser_ney, markov" in error["message"]


def test_what_is_made_is_what_the_rung_says(client: TestClient, model: Any) -> None:
    tokens, scores = greedy(model, PROMPT, 6)
    found = complete(client, prompt=PROMPT, temperature=0, max_tokens=6, logprobs=2)
    choice = found["choices"][0]
    assert choice["text"] == model.tokenizer.decode(tokens) and choice["finish_reason"] == "length"
    told = choice["logprobs"]
    assert "".join(told["tokens"]) == choice["text"]
    assert told["token_logprobs"] == pytest.approx(scores)
    assert all(
        len(top) == 2 and max(top.values()) == pytest.approx(score)
        for top, score in zip(told["top_logprobs"], scores, strict=True)
    )
    assert told["text_offset"] == [sum(map(len, told["tokens"][:place])) for place in range(6)]
    read = len(model.tokenizer.encode(PROMPT))
    assert found["usage"] == {"prompt_tokens": read, "completion_tokens": 6, "total_tokens": read + 6}
    assert found["object"] == "text_completion" and found["model"] == MODEL and choice["index"] == 0


def test_a_text_ends_where_the_rung_ends_it(client: TestClient, model: Any) -> None:
    found = complete(client, prompt=PROMPT, temperature=0, max_tokens=1_000)  # the server's own limit is 40
    tokens, _ = greedy(model, PROMPT, 40)
    choice = found["choices"][0]
    whole = model.tokenizer.decode(tokens)
    assert whole == " rest until it doubles , flour and water need time . It took 6 days ."
    # how many days it took one author alone wrote, so the copy guard ends the text there
    assert (choice["text"], choice["finish_reason"]) == (whole.removesuffix(" 6 days ."), "content_filter")
    short = complete(client, prompt="Thank", temperature=0, max_tokens=9)["choices"][0]
    assert (short["text"], short["finish_reason"]) == (" you .", "stop")


def test_a_stop_string_is_not_shown(client: TestClient) -> None:
    whole = complete(client, prompt=PROMPT, temperature=0, max_tokens=12)["choices"][0]["text"]
    stop = whole[4:9]
    for stops in (stop, ["zzz", stop]):
        found = complete(client, prompt=PROMPT, temperature=0, max_tokens=12, stop=stops, logprobs=0)["choices"][0]
        assert found["text"] == whole[: whole.index(stop)] and found["finish_reason"] == "stop"
        begins = found["logprobs"]["text_offset"]
        assert all(begin < len(found["text"]) for begin in begins)


def test_a_seed_gives_the_same_texts_again(client: TestClient) -> None:
    asked = {"prompt": ["Let", "Check"], "n": 3, "max_tokens": 8, "temperature": 1.5, "top_p": 0.95}
    one, two, other = (complete(client, **asked, seed=seed)["choices"] for seed in (7, 7, 8))
    assert one == two != other
    assert [choice["index"] for choice in one] == list(range(6)) and len({choice["text"] for choice in one}) > 1


@pytest.mark.parametrize(
    "asked",
    [
        {"prompt": PROMPT, "temperature": 0, "max_tokens": 9},
        {"prompt": ["Let ", "Check"], "n": 2, "seed": 1, "max_tokens": 9, "logprobs": 1},
        {"prompt": "Let", "seed": 2, "max_tokens": 9, "stop": ["e", "the"], "echo": True, "logprobs": 1},
    ],
)
def test_a_stream_says_the_same_in_pieces(client: TestClient, asked: dict[str, Any]) -> None:
    whole = complete(client, **asked)
    chunks = streamed(client, **asked, stream_options={"include_usage": True})
    assert chunks[-1]["usage"] == whole["usage"] and chunks[-1]["choices"] == []
    for choice in whole["choices"]:
        mine = [chunk["choices"][0] for chunk in chunks[:-1] if chunk["choices"][0]["index"] == choice["index"]]
        assert "".join(one["text"] for one in mine) == choice["text"]
        assert [one["finish_reason"] for one in mine if one["finish_reason"]] == [choice["finish_reason"]]
        if "logprobs" in asked:
            for name in ("tokens", "token_logprobs", "text_offset"):
                assert [value for one in mine for value in (one["logprobs"] or {}).get(name, [])] == choice["logprobs"][name]


def test_a_prompt_may_end_in_a_space(client: TestClient) -> None:
    """The rung knows " rest", not "rest": the space is owed, and not made again."""
    plain = complete(client, prompt=PROMPT, temperature=0, max_tokens=6)["choices"][0]["text"]
    owed = complete(client, prompt=PROMPT + " ", temperature=0, max_tokens=6, logprobs=0)["choices"][0]
    assert plain == " " + owed["text"] and "".join(owed["logprobs"]["tokens"]) == owed["text"]


@pytest.mark.parametrize("prompt", ["Let the dough rest", "é \U0001f600 naïve", "x"])
def test_a_text_that_is_only_read(client: TestClient, model: Any, prompt: str) -> None:
    found = complete(client, prompt=prompt, echo=True, max_tokens=0, logprobs=1)
    choice, tokens = found["choices"][0], model.tokenizer.encode(prompt)
    told = choice["logprobs"]
    assert choice["text"] == prompt == "".join(told["tokens"])
    assert told["token_logprobs"][0] is None and told["top_logprobs"][0] is None
    assert told["token_logprobs"][1:] == pytest.approx(model.score_tokens(model.start((Post(0),)), tokens)[1:].tolist())
    assert found["usage"] == {"prompt_tokens": len(tokens), "completion_tokens": 0, "total_tokens": len(tokens)}


def test_of_a_long_prompt_the_end_is_read(client: TestClient) -> None:
    used = complete(client, prompt="Let the dough rest . " * 400, max_tokens=1)["usage"]
    assert used["prompt_tokens"] == MOST_READ
    short = complete(client, prompt="Let the dough rest . " * 20, max_tokens=1)["usage"]
    assert 60 < short["prompt_tokens"] < MOST_READ


def test_many_texts_are_read_at_once(client: TestClient) -> None:
    prompts = [f"Number {number}" for number in range(100)]
    found = complete(client, prompt=prompts, echo=True, max_tokens=0, logprobs=0)["choices"]
    assert [choice["text"] for choice in found] == prompts


@pytest.mark.parametrize(
    "asked",
    [
        {"presence_penalty": 0.5},
        {"frequency_penalty": -1},
        {"logit_bias": {"50256": -100}},
        {"suffix": "the end"},
        {"best_of": 3},
        {"prompt": ["a"] * 257},
        {"prompt": ["a"] * 100, "n": 3},
        {"prompt": [1, 2, 3]},
        {"temperature": 2.1},
        {"stop": [1]},
        {"n": 0},
    ],
)
def test_what_is_not_offered_is_refused(client: TestClient, asked: dict[str, Any]) -> None:
    answer = client.post("/v1/completions", json={"model": MODEL, "prompt": "a", **asked})
    assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error"


def test_what_changes_nothing_and_what_is_unknown_is_passed_over(client: TestClient) -> None:
    complete(client, prompt="a", max_tokens=1, presence_penalty=0, logit_bias={}, user="somebody", store=False, best_of=1)


# --- conversations ---------------------------------------------------------------------------------------------------


def test_a_conversation_is_a_thread() -> None:
    def turns(*pairs: tuple[str, Any]) -> list[Message]:
        return [Message(role=role, content=content) for role, content in pairs]  # type: ignore[arg-type]

    posts, draft = conversation(turns(("system", "Be kind."), ("user", "One"), ("assistant", " Two "), ("user", "Three")))
    assert [(post.id, post.kind, post.text, post.parent) for post in posts] == [
        (-1, Kind.STORY, "One", None),
        (-2, Kind.COMMENT, "Two", -1),
        (-3, Kind.COMMENT, "Three", -2),
    ]
    assert draft == ""
    posts, draft = conversation(turns(("user", [{"type": "text", "text": "One"}]), ("assistant", "Two and")))
    assert ([post.text for post in posts], draft) == (["One"], "Two and")


def test_a_chat_is_answered(client: TestClient, model: Any) -> None:
    asked = {"messages": [{"role": "user", "content": "Why does my engine stall ?"}], "temperature": 0, "max_tokens": 2}
    found = complete(client, "chat/completions", **asked, logprobs=True, top_logprobs=2)
    choice = found["choices"][0]
    assert found["object"] == "chat.completion" and found["id"].startswith("chatcmpl-")
    assert choice["message"]["role"] == "assistant" and choice["finish_reason"] == "length"
    told = choice["logprobs"]["content"]
    assert "".join(one["token"] for one in told) == choice["message"]["content"]
    assert all(bytes(one["bytes"]).decode() == one["token"] and len(one["top_logprobs"]) == 2 for one in told)
    assert found["usage"]["completion_tokens"] == 2
    for limit in ({"max_completion_tokens": 1}, {"max_tokens": 1}):
        assert complete(client, "chat/completions", **{**asked, "max_tokens": 9, **limit})["usage"]["completion_tokens"] == 1


def test_a_chat_in_a_stream(client: TestClient) -> None:
    asked = {"messages": [{"role": "user", "content": "Why does my engine stall ?"}], "seed": 3, "max_tokens": 5, "n": 2}
    whole = complete(client, "chat/completions", **asked)["choices"]
    chunks = streamed(client, "chat/completions", **asked)
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"} and len({chunk["id"] for chunk in chunks}) == 1
    for choice in whole:
        mine = [chunk["choices"][0] for chunk in chunks if chunk["choices"][0]["index"] == choice["index"]]
        assert mine[0]["delta"] == {"role": "assistant", "content": ""}
        assert "".join(one["delta"].get("content", "") for one in mine) == choice["message"]["content"]
        assert mine[-1]["finish_reason"] == choice["finish_reason"]


def test_a_model_that_reads_cases_is_given_some_of_the_archive(
    client: TestClient, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Any] = []
    monkeypatch.setattr(type(model), "reads_cases", True)
    monkeypatch.setattr(type(model), "start_reply", lambda self, context, cases=(): read.append(cases) or self.start(context))
    complete(client, "chat/completions", messages=[{"role": "user", "content": "Why does my engine stall ?"}], max_tokens=3)
    [cases] = read
    opened = client.app.state.services.opened  # type: ignore[attr-defined]
    with opened.archive() as archive:
        said = {text for (text,) in archive.query("SELECT text FROM post WHERE text IS NOT NULL")}
    assert 1 <= len(cases) <= 2 and all(answered in said for _, answered in cases)


def test_a_model_taught_to_answer_is_heard_several_times_and_the_best_is_given(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of eight texts the first copies its case, others break off, go in circles or say the question again."""
    case, good = "The dough rests for a day in a cold place so that it rises slowly .", "It may well be an old spark plug ."
    broken, circles, again = "It may well be", "It is is is an old spark plug .", "Why does my engine stall when it is cold ?"
    said, asked = [case, broken, circles, again, good, broken, circles, again], list[Any]()
    seeds = []

    def eight(model: Any, state: Any, n: int, config: Any, rng: np.random.Generator) -> list[SampledText]:
        asked.append((n, config.temperature, config.nucleus))
        seeds.append(float(rng.random()))
        tokens = [tuple(model.tokenizer.encode(text)) for text in said]
        return [SampledText(one, 0.0, text != broken, (0.0,) * len(one)) for one, text in zip(tokens, said, strict=True)]

    chat = {"messages": [{"role": "user", "content": again}]}
    monkeypatch.setattr(LanguageModel, "reads_cases", True)
    monkeypatch.setattr("rejoinder.engine.generation.sample", eight)
    monkeypatch.setattr(type(client.app.state.services.opened), "cases", lambda self, context: [("Bread ?", case)])  # type: ignore[attr-defined]
    found = complete(client, "chat/completions", **chat)["choices"]
    assert [one["message"]["content"] for one in found] == [good] and found[0]["finish_reason"] == "stop"
    assert "generated" in found[0]["metadata"]["rung"]
    chunks = streamed(client, "chat/completions", **chat, temperature=0.2, top_p=0.5, seed=4)
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == good
    complete(client, "chat/completions", **chat, seed=4)
    assert asked == [(8, 0.7, 0.9), (8, 0.2, 0.5), (8, 0.7, 0.9)] and seeds[0] != seeds[1] == seeds[2]
    said[4] = broken
    [silent] = complete(client, "chat/completions", **chat)["choices"]
    assert not silent["message"]["content"] and "Nothing that was made" in silent["message"]["refusal"]
    for room in (
        {"max_tokens": 5},
        {"logprobs": True},
        {"messages": [*chat["messages"], {"role": "assistant", "content": "It"}]},
    ):
        complete(client, "chat/completions", **{**chat, **room})  # token by token
    assert len(asked) == 4


def test_nothing_to_answer(client: TestClient) -> None:
    for messages in ([{"role": "system", "content": "Be kind."}], [{"role": "user", "content": " "}]):
        answer = client.post("/v1/chat/completions", json={"model": MODEL, "messages": messages})
        assert answer.status_code == 400 and "nothing to answer" in answer.json()["error"]["message"]
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}]
    assert client.post("/v1/chat/completions", json={"model": MODEL, "messages": picture}).status_code == 400


# --- as clients meet it ----------------------------------------------------------------------------------------------

QUESTION = [{"role": "user", "content": "Why does my engine stall ?"}]
OPTIONAL = ("model n temperature top_p seed stop max_tokens stream stream_options presence_penalty frequency_penalty logit_bias "
            "logprobs echo suffix best_of prompt max_completion_tokens top_logprobs user tools").split()  # fmt: skip


@pytest.mark.parametrize("path", ["completions", "chat/completions"])
def test_null_is_as_good_as_nothing(client: TestClient, path: str) -> None:
    asked: dict[str, Any] = {name: None for name in OPTIONAL if (name, path) != ("model", "completions")}
    asked |= {"messages": [{**QUESTION[0], "name": None}], "stream_options": {"include_usage": None}}
    answer = client.post(f"/v1/{path}", json=asked)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("most", [0, -1, -(2**40), 10**9])
def test_no_number_of_tokens_means_as_many_as_there_may_be(client: TestClient, most: int) -> None:
    """Greedily and without END, which the stop string comes before: the server's own limit is 40."""
    asked = {"prompt": "zzz", "temperature": 2.0, "seed": 3, "logit_bias": {}}
    found = [complete(client, **asked, max_tokens=size) for size in (most, 40)]
    assert found[0]["choices"] == found[1]["choices"] and found[0]["usage"] == found[1]["usage"]
    found = [complete(client, "chat/completions", messages=QUESTION, seed=3, max_tokens=size) for size in (most, 40)]
    assert found[0]["usage"] == found[1]["usage"]


def test_any_number_of_stop_strings_and_empty_ones_say_nothing(client: TestClient) -> None:
    whole = complete(client, prompt=PROMPT, temperature=0, max_tokens=12)["choices"][0]
    for stops in ("", [""], ["", "zzz"], [], [f"z{number}" for number in range(1_000)]):
        assert complete(client, prompt=PROMPT, temperature=0, max_tokens=12, stop=stops)["choices"][0] == whole
    ended = complete(client, prompt=PROMPT, temperature=0, max_tokens=12, stop=["", *"vwxyz", " until"])["choices"][0]
    assert ended["text"] == whole["text"].partition(" until")[0]


@pytest.mark.parametrize(
    ("path", "asked", "field", "told"),
    [
        ("completions", {"prompt": [1, 2, 3]}, "prompt", "arrays of tokens are not read here"),
        ("completions", {"prompt": [[1, 2], [3]]}, "prompt", "arrays of tokens are not read here"),
        ("completions", {"prompt": {"text": "a"}}, "prompt", "must be a text or a list of texts"),
        ("completions", {"prompt": ["a", 1]}, "prompt", "must be a text or a list of texts"),
        ("completions", {"stop": {"a": 1}}, "stop", "must be a text or a list of texts"),
        ("completions", {"n": "many"}, "n", "must be a valid integer"),
        ("completions", {"presence_penalty": 1}, "presence_penalty", "not offered here"),
        ("chat/completions", {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
         "messages.0.content", "no images, sounds or files"),
        ("chat/completions", {"messages": [{"role": "user", "content": 3}]}, "messages.0.content", "must be a text"),
        ("chat/completions", {"messages": [{"role": "poet", "content": "a"}]}, "messages.0.role", "must be 'system'"),
        ("chat/completions", {"messages": []}, "messages", "must have at least 1 item"),
        ("chat/completions", {"messages": "hello"}, "messages", "must be a list"),
        ("embeddings", {"input": [1, 2]}, "input", "arrays of tokens are not read here"),
        ("suggest", {"draft": "a", "context": {"items": 3}}, "context", 'give {"item": ID}'),
        ("suggest", {"draft": "a", "context": {"posts": [{"text": 1}]}}, "context.posts.0.text", "must be a text"),
    ],
)  # fmt: skip
def test_an_error_names_the_field_and_speaks_plainly(
    client: TestClient, path: str, asked: dict[str, Any], field: str, told: str
) -> None:
    base = (
        {} if path == "suggest" else {"model": MODEL, "messages": QUESTION} if "chat" in path else {"model": MODEL, "prompt": "a"}
    )
    answer = client.post(f"/v1/{path}", json={**base, **asked})
    error = answer.json()["error"]
    status = 422 if path == "suggest" else 400
    assert (answer.status_code, error["param"], error["type"]) == (status, field, "invalid_request_error")
    assert told in error["message"] and "\n" not in error["message"]
    assert not [mark for mark in ("list[", "Annotated", "function-", "constrained", "class ", "<") if mark in error["message"]]


def test_what_is_not_there_is_told_with_what_is(client: TestClient) -> None:
    for verb, path in (("GET", "/v1/nothing"), ("POST", "/v1/nothing"), ("DELETE", "/v2/models"), ("PUT", "/")):
        answer = client.request(verb, path)
        error = answer.json()["error"]
        assert answer.status_code == 404 and error["code"] == "not_found", (verb, path)
        assert "POST /v1/chat/completions" in error["message"] and "GET /v1/models" in error["message"]
    answer = client.get("/v1/completions")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST") and "POST" in answer.json()["error"]["message"]


def test_a_slash_at_the_end_and_head_are_understood(client: TestClient) -> None:
    plain = client.get("/v1/models")
    assert client.get("/v1/models/").json() == plain.json() and client.post("/v1/completions//", json={}).status_code == 200
    for path in ("/v1/models", "/v1/models/", "/health", "/"):
        head, got = client.head(path), client.get(path)
        assert (head.status_code, head.content) == (200, b"") and head.headers["content-length"] == str(len(got.content)), path


# --- rungs that reply, and rungs with vectors --------------------------------------------------------------------------


@pytest.mark.parametrize("model", [None, "bm25"])
def test_a_chat_is_answered_with_what_somebody_wrote_and_its_source(client: TestClient, model: str | None) -> None:
    """The toy archive's answer to a stalling engine is the spark plug."""
    found = client.post("/v1/chat/completions", json={"model": model, "messages": QUESTION}).json()
    assert found["model"] == "bm25" and len(found["choices"]) == 1
    choice = found["choices"][0]
    assert "spark plug" in choice["message"]["content"] and choice["finish_reason"] == "stop"
    source = choice["metadata"]
    assert source == found["metadata"] and source["rung"] == "bm25"
    assert source["url"] == f"https://news.ycombinator.com/item?id={source['post']}"
    told = client.get(f"/v1/posts/{source['post']}").json()["post"]
    assert told["text"] == choice["message"]["content"] and str(told["thread"]) == source["thread"]
    chunks = streamed(client, "chat/completions", **{"model": "bm25", "messages": QUESTION})
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == choice["message"]["content"]
    assert chunks[-1]["choices"][0]["metadata"] == source and chunks[-1]["choices"][0]["finish_reason"] == "stop"
    cut = complete(client, "chat/completions", **{"model": "bm25", "messages": QUESTION, "max_tokens": 3})["choices"][0]
    assert len(cut["message"]["content"].split()) == 3 and cut["finish_reason"] == "length"


def test_a_rung_that_replies_does_not_go_on_with_texts(client: TestClient) -> None:
    answer = client.post("/v1/completions", json={"model": "bm25", "prompt": "a"})
    assert answer.status_code == 400 and "kneser_ney, markov" in answer.json()["error"]["message"]
    assert complete(client, **{"model": None, "prompt": "a"})["model"] == "kneser_ney"


def test_where_nothing_has_vectors_it_is_said(client: TestClient) -> None:
    answer = client.post("/v1/embeddings", json={"input": "a"})
    assert answer.status_code == 404 and "rejoinder fit pmi_svd" in answer.json()["error"]["message"]
    answer = client.post("/v1/embeddings", json={"input": "a", "model": "bm25"})
    assert answer.status_code in (400, 404) and answer.json()["error"]["message"]


def test_texts_are_placed_by_the_vectors_of_a_rung(tmp_path: Path) -> None:
    space = make_home(tmp_path)
    assert not fit(space, ["pmi_svd"], FitConfig(vocabulary=400), {})
    texts = ["How long should bread dough rest ?", "the dough and the flour", "Why does my engine stall ?"]
    with TestClient(create_app(space), base_url="http://localhost") as client:
        found = client.post("/v1/embeddings", json={"input": texts}).json()
        coded = client.post("/v1/embeddings", json={"input": texts, "encoding_format": "base64", "model": "pmi_svd"}).json()
        refused = client.post("/v1/embeddings", json={"input": "a", "dimensions": 3})
        assert "pmi_svd" in [one["id"] for one in client.get("/v1/models").json()["data"]]
    assert found["model"] == "pmi_svd" and [one["index"] for one in found["data"]] == [0, 1, 2]
    rows = np.array([one["embedding"] for one in found["data"]], np.float32)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1.0)
    assert rows == pytest.approx(space.load("pmi_svd").posts.of(texts), abs=1e-6)  # type: ignore[attr-defined]
    for row, one in zip(rows, coded["data"], strict=True):
        assert np.frombuffer(base64.b64decode(one["embedding"]), "<f4") == pytest.approx(row)
    assert refused.status_code == 400 and refused.json()["error"]["param"] == "dimensions"


# --- what is never shown -----------------------------------------------------------------------------------------------


def tellers(count: int = 40) -> Iterator[Post]:
    """Each writes long posts of words of their own, and how to reach them, so whatever is learned by heart is one author's."""
    rng = np.random.default_rng(5)
    for number in range(1, count + 1):
        said = " ".join(f"w{word}" for word in rng.integers(0, 60, 30))
        where = f"write to me{number}@example.org now" if number % 2 else f"see https://example.org/{number} now"
        yield Post(number * 10, Kind.STORY, f"{said} {where}", title=f"Story {number}", author=b"a%d" % number, time=number)
        yield Post(number * 10 + 1, Kind.COMMENT, f"please {where}", parent=number * 10, author=b"b%d" % number, time=number)


@pytest.fixture(scope="module")
def parrot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    home = tmp_path_factory.mktemp("parrot")
    make_archive(home / "archive.db", tellers()).close()
    space = Workspace(home)
    assert not fit(space, ["kneser_ney"], FitConfig(vocabulary=400), {})
    with TestClient(create_app(space), base_url="http://localhost") as opened:
        yield opened


@pytest.mark.parametrize("stream", [False, True])
def test_no_continuation_copies_an_author(parrot: TestClient, stream: bool) -> None:
    """Greedy continuations of the posts that were learned: left alone, a third of them say what one author wrote."""
    parts = parrot.app.state.services.opened  # type: ignore[attr-defined]
    copies, own = 0, parts.phrases(MODEL)
    with parts.archive() as archive:
        learned = list(archive.posts("split = 0 AND kind = ?", [Kind.STORY.value]))
    for post in learned:
        prompt = " ".join(post.text.split()[:4])
        asked = {"prompt": prompt, "temperature": 0, "max_tokens": 40}
        if stream:
            text = "".join(chunk["choices"][0]["text"] for chunk in streamed(parrot, **asked))
        else:
            choice = complete(parrot, **asked)["choices"][0]
            text = choice["text"]
            assert choice["finish_reason"] in ("content_filter", "stop", "length")
        assert not own.copied(prompt + text), text
        runs = {run for run in shingles(words(prompt + text), COPIED) if len(run) == COPIED}
        assert not runs & set(shingles(words(post.text), COPIED))
        made, _ = greedy(parts.models[MODEL], prompt, 40)
        copies += bool(own.copied(prompt + parts.models[MODEL].tokenizer.decode(made)))
    assert copies >= len(learned) / 3


def test_no_continuation_holds_a_link_or_an_address(parrot: TestClient) -> None:
    seen = 0
    model = parrot.app.state.services.opened.models[MODEL]  # type: ignore[attr-defined]
    for prompt in ("please write to", "please see", "write to me", "see https", "see https://", "see"):
        made, _ = greedy(model, prompt, 30)
        whole = prompt + model.tokenizer.decode(made)
        seen += bool(ADDRESS.search(whole) or EMAIL.search(whole))
        text = complete(parrot, prompt=prompt, temperature=0, max_tokens=30)["choices"][0]["text"]
        assert not ADDRESS.search(prompt + " " + text) and not EMAIL.search(text) and "example.org" not in text
    assert seen


class NoPhrases:
    """Nobody's words."""

    def before_copy(self, draft: str, text: str) -> str:
        return text


@given(st.text("ab @.:/wht\n", max_size=40), st.lists(st.integers(1, 5)))
def test_a_screen_shows_the_same_however_a_text_is_cut(text: str, sizes: list[int]) -> None:
    at_once = Screen(NoPhrases(), "")  # type: ignore[arg-type]
    whole = at_once.feed(text) + at_once.rest()
    screen, shown, left = Screen(NoPhrases(), ""), "", text  # type: ignore[arg-type]
    for size in sizes:
        shown += screen.feed(left[:size])
        left = left[size:]
        assert text.startswith(shown)
    shown += screen.feed(left) + screen.rest()
    assert text.startswith(shown) and not ADDRESS.search(shown) and not EMAIL.search(shown)
    assert whole == text or at_once.stopped
    assert shown == text or screen.stopped
