"""The rung behind a server: what it asks, what it makes of the answers, and what it says when they are not as they should be."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_archive, toy_posts
from llm_server import Fault, LLMServer, choice, status, value
from typer.testing import CliRunner

from rejoinder.cli import app
from rejoinder.climb.entries import entries
from rejoinder.engine.replier import Replier
from rejoinder.errors import ConfigError, DamagedModel, ModelError, SourceError
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.forgetting import forget_everywhere
from rejoinder.home.workspace import Workspace
from rejoinder.models import LADDER, Can, parts_of, those_that, without_extras
from rejoinder.models.interfaces import Job
from rejoinder.models.llm.rung import LLM, LLMConfig
from rejoinder.models.llm.server import LARGEST_ANSWER
from rejoinder.post import Kind, Post, Suggestion

QUESTION = (Post(1, Kind.STORY, "cat"),)
ECHO_IGNORED = {"tokens": [" Yes"], "token_logprobs": [-0.1]}  # of what was made, not of what was read
NO_LOGS = "gives no log-probabilities of what it reads"
MADE = "chat/completions"


@pytest.fixture
def server() -> Iterator[LLMServer]:
    with LLMServer() as running:
        yield running


def fit_llm(server: LLMServer, **settings: Any) -> LLM:
    config = LLMConfig(**{"base_url": server.url, "timeout": 10.0, **settings})
    return LLM.fit(None, config, rng=np.random.default_rng(0), job=Job(Path()))  # type: ignore[arg-type]  # no corpus is read


def gone() -> LLMServer:
    """A server that has ended."""
    with LLMServer() as server:
        pass
    return server


# --- fitting: what is there ------------------------------------------------------------------------------------------


def test_the_first_model_the_server_lists_is_taken_and_what_it_can_do_is_found_out(server: LLMServer) -> None:
    found = fit_llm(server).found
    assert (found.model, found.chats, found.ranks) == ("toy-1", True, True)
    assert [path for path, _ in server.asked] == ["models", "chat/completions", "completions"]
    assert fit_llm(server, model="toy-2").found.model == "toy-2"


def test_a_server_that_takes_no_messages_goes_on_with_texts(server: LLMServer) -> None:
    server.fault(MADE, status(404))
    model = fit_llm(server)
    assert not model.found.chats
    server.asked.clear()
    assert [s.text for s in model.propose(QUESTION, 1)] == ["About cat I say 0."]
    path, body = server.asked[0]
    assert path == "completions" and body["prompt"].endswith("Post:\ncat\n\nReply:\n") and "\n\nPost:" in body["stop"]


@pytest.mark.parametrize(
    "fault",
    [
        status(400, "echo is not supported"),
        choice(text="Yes", logprobs=None),
        choice(text="Yes", logprobs=ECHO_IGNORED),
        choice(text="Yes", logprobs={"tokens": "Yes", "token_logprobs": [-0.1]}),
        Fault(body=b"<html>"),
    ],
    ids=["refused", "none", "only of what was made", "of another form", "no JSON"],
)
def test_without_log_probabilities_it_proposes_and_cannot_rank(
    server: LLMServer, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    server.fault("echo", fault)
    model = fit_llm(server)
    assert not model.found.ranks and NO_LOGS in caplog.text
    assert [(s.text, s.score) for s in model.propose(QUESTION, 2)] == [("About cat I say 0.", 0.0), ("About cat I say 1.", 0.0)]
    with pytest.raises(ModelError, match=r"`llm` cannot rank: .* gave no log-probabilities of what it reads; name a rung that"):
        model.score_replies(QUESTION, ["cat"])


def test_a_server_that_goes_on_where_it_should_only_read_cannot_rank(server: LLMServer) -> None:
    read = "The bread rests in the cold kitchen until the dough has doubled"
    made = read + " in size"
    logs = {"tokens": made.split(" "), "token_logprobs": [None] + [-1.0] * made.count(" ")}
    server.fault("echo", choice(text=made, logprobs=logs))
    assert not fit_llm(server).found.ranks
    logs = {"tokens": read.split(" "), "token_logprobs": [None] + [-1.0] * read.count(" ")}
    server.fault("echo", choice(text=read, logprobs=logs))
    assert fit_llm(server).found.ranks


def test_another_machine_is_noted(server: LLMServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    fit_llm(server)
    assert not caplog.text
    monkeypatch.setattr(LLMConfig, "is_here", property(lambda _: False))
    fit_llm(server)
    assert "is not this machine: the posts to be answered are sent there, unencrypted" in caplog.text


@pytest.mark.parametrize(
    ("url", "here"),
    [
        *[("http://localhost:1/v1", True), ("http://127.9.9.9/v1", True), ("http://[::1]:8080/v1", True)],
        *[("https://api.example.org/v1", False), ("http://192.168.0.2/v1", False), ("http://localhost.example.org/v1", False)],
    ],
)
def test_what_this_machine_is(url: str, here: bool) -> None:
    assert LLMConfig(base_url=url).is_here == here


# --- proposals -------------------------------------------------------------------------------------------------------


def test_proposals_are_asked_for_one_by_one_with_seeds_of_their_own(server: LLMServer) -> None:
    model = fit_llm(server, proposals=3, temperature=0.5, max_tokens=99)
    server.asked.clear()
    found = model.propose((Post(1, Kind.STORY, title="Pets"), Post(2, text="cat")), 9)
    assert all(s.generated and s.rung == "llm" and s.post is None for s in found)
    assert sorted(s.text for s in found) == [f"About cat I say {seed}." for seed in range(3)]
    asked = [body for path, body in server.asked if path == MADE]
    assert [body["seed"] for body in asked] == [0, 1, 2]
    assert {(body["model"], body["temperature"], body["max_tokens"], body["n"]) for body in asked} == {("toy-1", 0.5, 99, 1)}
    assert asked[0]["messages"][1]["content"] == "A discussion.\n\nPost:\nPets\n\nPost:\ncat\n\nReply:\n"
    assert [s.score for s in found] == model.score_replies(
        (Post(1, Kind.STORY, title="Pets"), Post(2, text="cat")), [s.text for s in found]
    ).tolist()


@pytest.mark.parametrize(
    ("said", "ends", "expected"),
    [
        ("  A cat.\n", "stop", "A cat."),
        ("<think>A cat?\n\nYes.</think>\n\nA cat.", "stop", "A cat."),
        ("<think>A cat? It could be that", "length", ""),
        ("Reply: a cat.", "stop", "a cat."),
        ('"A cat."', "stop", "A cat."),
        ('"A cat," she said, "sat."', "stop", '"A cat," she said, "sat."'),
        ("A cat sat. On the", "length", "A cat sat."),
        ("A cat sat on the", "length", ""),
        ("A \x1b[31mcat\x07 \u2028 \ud800sat.\r\nHere.", "stop", "A [31mcat  sat.\nHere."),
        ("A cat, see https://example.org/cats for more.", "stop", ""),
        ("", "stop", ""),
        (" \n", "stop", ""),
    ],
)
def test_what_may_be_shown_of_an_answer(server: LLMServer, said: str, ends: str, expected: str) -> None:
    server.says, server.ends = said, ends
    found = [s.text for s in fit_llm(server).propose(QUESTION, 2)]
    assert found == ([expected] if expected else [])  # and the same answer twice is one reply


def test_a_message_without_words_is_silence(server: LLMServer) -> None:
    model = fit_llm(server)
    server.fault(MADE, choice(message={"role": "assistant", "content": None}))
    assert model.propose(QUESTION, 1) == []


def test_the_nearest_posts_are_sent_as_far_as_there_is_room(server: LLMServer) -> None:
    model = fit_llm(server, context=8)
    server.asked.clear()
    model.propose((Post(1, Kind.STORY, "first"), Post(2, text=""), Post(3, text="second"), Post(4, text="third")), 1)
    # "third" takes 5 of 8 characters, so of "second" there are 3, and of "first" none
    assert server.asked[0][1]["messages"][1]["content"] == "A discussion.\n\nPost:\nsec …\n\nPost:\nthird\n\nReply:\n"


def test_nothing_is_asked_where_there_is_nothing_to_answer(server: LLMServer) -> None:
    model = fit_llm(server)
    server.asked.clear()
    assert model.propose((), 3) == model.propose(QUESTION, 0) == model.propose((Post(1),), 3) == []
    assert model.score_replies((), ["cat"]).tolist() == [0.0] and not len(model.score_replies(QUESTION, []))
    assert server.asked == []


# --- ranking ---------------------------------------------------------------------------------------------------------


def test_scores_by_hand(server: LLMServer) -> None:
    """The server's model: p(word) = (1 + how often it stood before) / (1000 + words before); a last line break is a word.

    "A discussion. Post: cat Reply: cat": 5 words before, "cat" once, so p = 2/1005, while the text without reply ends in a line
    break, of p 1/1005, which is now part of the word: log p(cat | posts) = ln 2. "A discussion. Reply: cat": 1/1003 over 1/1003.
    "cat cat" after the post: 2/1005 and 3/1006 over 1/1005; alone: 1/1003 and 2/1004 over 1/1003.
    """
    found = fit_llm(server).score_replies(QUESTION, ["cat", "dog", "cat cat", ""])
    assert found == pytest.approx([log(2), 0, log(2 * 3 / 1006) - log(2 / 1004), 0], abs=1e-12)


def test_two_questions_for_each_candidate_and_two_for_the_posts(server: LLMServer) -> None:
    model = fit_llm(server)
    server.asked.clear()
    model.score_replies(QUESTION, ["cat", "dog", "fish"])
    assert len(server.asked) == 8
    for path, body in server.asked:
        assert path == "completions" and (body["echo"], body["max_tokens"], body["logprobs"]) == (True, 0, 1)


def test_a_server_that_no_longer_gives_log_probabilities_is_named(server: LLMServer) -> None:
    model = fit_llm(server)
    for logs in (None, ECHO_IGNORED, {"tokens": ["a"] * 9, "token_logprobs": [None, *[float("nan")] * 8]}):
        server.fault("echo", choice(text="", logprobs=logs))
        with pytest.raises(ModelError, match=f"cannot rank: it {NO_LOGS}.*echo=true, max_tokens=0, logprobs=1"):
            model.score_replies(QUESTION, ["cat"])


# --- what goes wrong -------------------------------------------------------------------------------------------------

WRONG: dict[str, tuple[Fault, str]] = {
    "no key": (status(401, "no key"), r"status 401 \(no key\); it wants a key: `llm.api_key_env`"),
    "a wrong key": (status(403), "status 403.*refuses this key"),
    "another path": (status(404), "status 404.*is `llm.base_url` right"),
    "too many": (status(429, "wait"), r"status 429 \(wait\)"),
    "its own trouble": (status(500, "x" * 999), r"status 500 \(x{200}\)"),
    "an error page": (Fault(502, b"<html>bad gateway"), "status 502$"),
    "a web page": (Fault(body=b"<!doctype html>"), "not JSON; is `llm.base_url` right"),
    "cut off JSON": (Fault(body=b'{"choices": [{"mess'), "not JSON"),
    "deep JSON": (Fault(body=b"[" * 200_000), "not JSON"),
    "a list": (value([1]), "holds no choices"),
    "no choice": (value({"choices": []}), "holds no choices"),
    "choices of another form": (value({"choices": ["yes"]}), "holds no choices"),
    "no message": (choice(text="yes"), "holds no message"),
    "a message that is no text": (choice(message={"content": 7}), "holds no message"),
    "too much": (Fault(body=b" " * (LARGEST_ANSWER + 1)), "more than 4 MiB was cut off"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_answer_that_is_not_as_it_should_be_is_one_line(server: LLMServer, name: str) -> None:
    model = fit_llm(server)
    fault, expected = WRONG[name]
    server.fault(MADE, fault)
    with pytest.raises(SourceError, match=expected) as caught:
        model.propose(QUESTION, 1)
    assert str(caught.value).startswith(f"{server.url}/chat/completions: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("fault", [Fault(silent=True), Fault(drips=True)], ids=["hangs", "drips"])
def test_a_server_that_hangs_is_left_when_the_time_is_up(server: LLMServer, fault: Fault) -> None:
    model = fit_llm(server)
    slow = LLM(LLMConfig(base_url=server.url, timeout=0.1), model.found)
    server.fault(MADE, fault)
    server.fault("echo", fault)
    for ask in (lambda: slow.propose(QUESTION, 1), lambda: slow.score_replies(QUESTION, ["cat"])):
        with pytest.raises(SourceError, match=r"no answer within 0.1 s, which `llm.timeout` gives"):
            ask()


def test_the_time_is_that_of_all_questions_together(server: LLMServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that each look moves on by a second: a question takes two or three, so that 60 are too few for all 82."""
    model = fit_llm(server, timeout=60.0)
    seconds = iter(range(1_000))
    monkeypatch.setattr("rejoinder.models.llm.server.monotonic", lambda: float(next(seconds)))
    assert model.score_replies(QUESTION, ["cat"]).shape == (1,)  # 4 questions
    server.asked.clear()
    with pytest.raises(SourceError, match="completions: no answer within 60 s"):
        model.score_replies(QUESTION, ["cat"] * 40)
    assert 20 <= len(server.asked) <= 30


def test_a_server_that_is_gone_is_named_with_what_to_do() -> None:
    for settings in ({}, {"model": "toy-1"}):
        with pytest.raises(
            SourceError, match=r"nobody answers .*; start the server, or name another: rejoinder fit llm --base-url URL"
        ):
            fit_llm(gone(), **settings)


@pytest.mark.parametrize(
    ("path", "fault", "expected"),
    [
        ("models", value({"data": []}), "it names no model; name one: --set llm.model=NAME"),
        ("models", value({"data": [{"id": 3}]}), "it names no model"),
        ("models", value([]), "holds no list of models; does it speak the OpenAI API"),
        ("models", status(404), "models: status 404.*mostly ends in /v1"),
        ("models", Fault(body=b"\xff\xfe"), "models: an answer that is not JSON"),
        ("both", status(404, "no such model"), r"completions: status 404 \(no such model\)"),
        ("both", Fault(body=b"ok"), "chat/completions: an answer that is not JSON"),
    ],
)
def test_a_fit_that_finds_no_model_says_so(server: LLMServer, path: str, fault: Fault, expected: str) -> None:
    for each in ("completions", MADE) if path == "both" else (path,):
        server.fault(each, fault)
    with pytest.raises(SourceError, match=expected):
        fit_llm(server)


def test_nothing_is_sent_anywhere_else(server: LLMServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """No redirect is followed, and no proxy of the environment used."""
    with LLMServer() as other:
        for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(variable, other.url.removesuffix("/v1"))
        model = fit_llm(server)
        model.propose(QUESTION, 1)
        server.fault(MADE, status(307, Location=f"{other.url}/chat/completions"))
        with pytest.raises(SourceError, match=r"status 307.*leads elsewhere, which is not followed"):
            model.propose(QUESTION, 1)
        assert other.asked == []


# --- settings and keys -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"base_url": "localhost:8080"}, "must be an address such as http://127.0.0.1:8080/v1; got 'localhost:8080'"),
        ({"base_url": "ftp://localhost/v1"}, "must be an address"),
        ({"base_url": "http:///v1"}, "must be an address"),
        ({"base_url": "http://localhost:99999/v1"}, "Port out of range.*expected an address"),
        ({"base_url": "http://localhost/v1?key=1"}, "must be an address"),
        ({"base_url": "http://[::1/v1"}, "expected an address"),
        ({"timeout": 0}, "`llm.timeout` must be above 0; got 0"),
        ({"timeout": float("inf")}, "`llm.timeout` must be above 0; got inf"),
        ({"max_tokens": 0}, "`llm.max_tokens` must"),
        ({"proposals": -1}, "`llm.proposals` must"),
        ({"context": 0}, "`llm.context` must"),
        ({"temperature": 2.5}, r"`llm.temperature` must lie in \[0, 2\]; got 2.5"),
        ({"temperature": float("nan")}, "`llm.temperature` must"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        LLMConfig(**settings)


@pytest.mark.parametrize("settings", [{"api_key_env": "sk-0sesame"}, {"base_url": "http://me:sk-0sesame@localhost/v1"}])
def test_a_key_among_the_settings_is_refused_and_not_repeated(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="api_key_env") as caught:
        LLMConfig(**settings)
    assert "sesame" not in str(caught.value)


def test_a_key_comes_from_the_environment_and_is_saved_nowhere(
    server: LLMServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_KEY", "sk-0sesame\n")
    model = fit_llm(server, api_key_env="TOY_KEY")
    assert {headers["Authorization"] for headers in server.headers} == {"Bearer sk-0sesame"}
    model.save(tmp_path)
    assert not any("sesame" in file.read_text() for file in tmp_path.iterdir())
    for held in ("", "two\nlines", "naïve"):
        monkeypatch.setenv("TOY_KEY", held)
        with pytest.raises(ConfigError, match="names TOY_KEY, which holds no key; set it in the environment"):
            LLM.load(tmp_path).propose(QUESTION, 1)


def test_no_key_is_sent_where_none_is_named(server: LLMServer) -> None:
    fit_llm(server)
    assert not any("Authorization" in headers for headers in server.headers)


def test_a_file_of_another_form_is_a_clear_error(server: LLMServer, tmp_path: Path) -> None:
    fit_llm(server).save(tmp_path)
    for other in ("{}", "[]", '{"model": "x", "chats": true, "ranks": true, "more": 1}'):
        (tmp_path / "server.json").write_text(other)
        with pytest.raises(DamagedModel, match="rejoinder fit llm"):
            LLM.load(tmp_path)


# --- in a home: only where it is named -------------------------------------------------------------------------------

TRAINLESS = ["canned", "unigram", "bm25", "fusion"]


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    make_archive(tmp_path / "archive.db", toy_posts()).close()
    return Workspace(tmp_path)


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_it_is_fitted_used_and_measured_only_where_it_is_named(space: Workspace, server: LLMServer) -> None:
    assert "llm" not in without_extras() and "llm" not in those_that(Can.PROPOSE) and "llm" not in those_that(Can.RANK)
    assert "llm" in those_that(Can.PROPOSE, asked=True)
    assert "llm" not in {entry.rung for entry in entries(None, {})}
    assert [(entry.rung, entry.net) for entry in entries(["llm", "bm25"], {})] == [("bm25", False), ("llm", True)]
    settings = {"llm": {"base_url": server.url}}
    assert fit(space, [*TRAINLESS, "llm"], FitConfig(vocabulary=300), settings) == {}
    assert fit(space, ["trigger"], FitConfig(vocabulary=300), {}) == {}
    server.asked.clear()
    for name in ("fusion", "trigger"):
        found = space.fitted(name)
        assert found and "llm" not in found.manifest["parts"]
    assert "llm" not in {*space.load_those(Can.PROPOSE), *space.load_those(Can.RANK)}
    assert list(space.load_those(Can.PROPOSE, ["llm"])) == ["llm"]
    assert server.asked == []
    with pytest.raises(ConfigError, match="must be rungs before it"):
        parts_of("trigger", LADDER["trigger"].load().Config(models=("llm",)))


def test_a_server_that_is_down_breaks_nothing_but_itself(space: Workspace, tmp_path: Path) -> None:
    with LLMServer() as server:
        done = run("fit", *TRAINLESS, "llm", "--base-url", server.url, "--home", tmp_path)
        assert done.exit_code == 0 and "\nllm " in done.stdout
    assert run("reply", "cold bread dough", "--home", tmp_path).exit_code == 0
    assert run("rungs", "--home", tmp_path).exit_code == 0
    assert "\nllm " not in run("fit", "canned", "--home", tmp_path).stdout
    refused = run("reply", "cold bread dough", "--rung", "llm", "--home", tmp_path)
    assert isinstance(refused.exception, SourceError) and "nobody answers" in str(refused.exception)
    failed = run("fit", "canned", "llm", "--base-url", server.url, "--home", tmp_path)  # it fails, and the other does not
    assert failed.exit_code == 2 and "\ncanned " in failed.stdout and "rejoinder: llm: " in failed.stderr


def test_what_it_makes_is_marked_and_stands_behind_what_people_wrote(space: Workspace, tmp_path: Path, server: LLMServer) -> None:
    fit(space, ["bm25", "llm"], FitConfig(vocabulary=300), {"llm": {"base_url": server.url}})
    alone = run("reply", "cold bread dough", "--rung", "llm", "--home", tmp_path)
    assert "About cold bread dough I say 0." in alone.stdout and "nobody wrote this" in alone.stdout
    both = run("reply", "cold bread dough", "--rung", "llm", "--rung", "bm25", "--home", tmp_path, "-k", "1").stdout
    assert -1 < both.find("Let the dough rest") < both.find("About cold bread dough I say")  # one of each, counted apart


def test_it_ranks_what_others_found_where_it_is_named_last(space: Workspace, tmp_path: Path, server: LLMServer) -> None:
    fit(space, ["bm25", "llm"], FitConfig(vocabulary=300), {"llm": {"base_url": server.url}})
    server.asked.clear()
    assert run("reply", "cold bread dough", "--rung", "bm25", "--rung", "llm", "--home", tmp_path).exit_code == 0
    read = [body["prompt"] for path, body in server.asked if body.get("echo")]
    assert any("Let the dough rest" in prompt for prompt in read)


def test_forgetting_leaves_it_as_it_is_since_it_learned_nothing(space: Workspace, server: LLMServer) -> None:
    fit(space, ["unigram", "llm"], FitConfig(vocabulary=300), {"llm": {"base_url": server.url}})
    outcome = forget_everywhere(space, [10], None)
    assert outcome.marked == ["unigram"]
    found = space.fitted("llm")
    assert found and not (found.behind or found.stale or found.forgot)
    assert space.load("llm").config == LLMConfig(base_url=server.url)


def test_made_replies_without_a_ranker_keep_their_order() -> None:
    class Source:
        def propose(self, context: Any, k: int) -> list[Suggestion]:
            made = [Suggestion(f"number {n} of three made", 1.0, "llm", generated=True) for n in "abc"]
            return [made[0], Suggestion("a thing that somebody wrote", 0.5, "x", post=9), *made[1:]]

    class Ranker:
        def score_replies(self, context: Any, candidates: Any) -> Any:
            assert list(candidates) == ["a thing that somebody wrote"]  # what is made is ordered by its maker
            return np.ones(len(candidates))

    found = Replier({"x": Source()}, Ranker()).reply(QUESTION)  # type: ignore[dict-item,arg-type]
    assert [s.text[:8] for s in found] == ["a thing ", "number a", "number b", "number c"]


# --- rejoinder's own server ------------------------------------------------------------------------------------------


@contextmanager
def own_server(home: Path) -> Iterator[str]:
    """The server of a home as `llm.base_url` takes it; without fitted rungs it speaks for the models of the package."""
    uvicorn = pytest.importorskip("uvicorn")
    serve = pytest.importorskip("rejoinder.serve.http.app")
    running = uvicorn.Server(uvicorn.Config(serve.create_app(Workspace(home)), port=0, log_config=None))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    ends = time.monotonic() + 30
    while not running.started and time.monotonic() < ends:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}/v1"
    finally:
        running.should_exit = True
        thread.join(30)


def test_against_the_server_of_rejoinder_itself(tmp_path: Path) -> None:
    with own_server(tmp_path) as url:
        config = LLMConfig(base_url=url, model="kneser_ney", max_tokens=40)
        model = LLM.fit(None, config, rng=np.random.default_rng(0), job=Job(Path()))  # type: ignore[arg-type]
        assert model.found.ranks
        question = (Post(1, Kind.STORY, "Why do people still use Makefiles?"),)
        found = model.propose(question, 2)
        assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)
        assert model.propose(question, 2) == found
        same, other = model.score_replies(question, ["Because Makefiles are everywhere.", "The soup was cold."])
        assert np.isfinite([same, other]).all() and same > other  # its cache knows a word that the post has
