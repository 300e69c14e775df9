"""The API that OpenAI's clients speak: what a rung says is what is told, whole or in a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.engine.detokenizer import Detokenizer
from rejoinder.home.workspace import Workspace
from rejoinder.post import Kind, Post
from rejoinder.serve.http.app import create_app
from rejoinder.serve.http.config import ServeConfig
from rejoinder.serve.openai.batching import MOST_READ, conversation
from rejoinder.serve.openai.bodies import Message

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


def test_models_are_the_rungs_that_predict_the_best_first(client: TestClient) -> None:
    found = client.get("/v1/models").json()
    assert found["object"] == "list" and [one["id"] for one in found["data"]] == ["kneser_ney", "markov"]
    assert client.get("/v1/models/markov").json() == found["data"][1]


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
    assert choice["text"] == model.tokenizer.decode(tokens)
    assert choice["finish_reason"] == ("stop" if len(tokens) < 40 else "length")


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
        {"max_tokens": 0},
        {"prompt": ["a"] * 257},
        {"prompt": ["a"] * 100, "n": 3},
        {"prompt": [1, 2, 3]},
        {"temperature": 2.1},
        {"stop": ["a"] * 5},
        {"n": 0},
    ],
)
def test_what_is_not_offered_is_refused(client: TestClient, asked: dict[str, Any]) -> None:
    answer = client.post("/v1/completions", json={"model": MODEL, "prompt": "a", **asked})
    assert answer.status_code == 422 and answer.json()["error"]["type"] == "invalid_request_error"


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


def test_nothing_to_answer(client: TestClient) -> None:
    for messages in ([{"role": "system", "content": "Be kind."}], [{"role": "user", "content": " "}]):
        answer = client.post("/v1/chat/completions", json={"model": MODEL, "messages": messages})
        assert answer.status_code == 400 and "nothing to answer" in answer.json()["error"]["message"]
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}]
    assert client.post("/v1/chat/completions", json={"model": MODEL, "messages": picture}).status_code == 422
