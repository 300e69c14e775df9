"""The server as the clients that people have meet it, each in a process of its own: what it says is what they show."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from serving import Server, serving

from rejoinder.home.workspace import Workspace

MODEL = "kneser_ney"
QUESTION = "Why does my engine stall ?"
OPENAI = """
import json, openai
client = openai.OpenAI(base_url=URL, api_key="none", max_retries=0)
asked = [{"role": "user", "content": "Why does my engine stall ?"}]
chat = client.chat.completions.create(model="bm25", messages=asked, temperature=None, stop=None, n=None)
pieces = client.chat.completions.create(model="bm25", messages=asked, stream=True)
told = {
    "models": [model.id for model in client.models.list()],
    "chat": chat.choices[0].message.content,
    "source": chat.metadata["post"],
    "streamed": "".join(piece.choices[0].delta.content or "" for piece in pieces),
    "completion": client.completions.create(model="kneser_ney", prompt="Let", max_tokens=-1, stop=[""], seed=1).choices[0].text,
}
for name, do in {
    "embeddings": lambda: client.embeddings.create(model="pmi_svd", input="a"),
    "tokens": lambda: client.completions.create(model="kneser_ney", prompt=[1, 2]),
}.items():
    try:
        do()
    except openai.APIStatusError as error:
        told[name] = [error.status_code, error.body["message"]]
"""
LANGCHAIN = """
import json
from langchain_openai import ChatOpenAI
chat = ChatOpenAI(base_url=URL, api_key="none", model="bm25", max_retries=0)
asked = "Why does my engine stall ?"
told = {"chat": chat.invoke(asked).content, "streamed": "".join(piece.content for piece in chat.stream(asked))}
made = ChatOpenAI(base_url=URL, api_key="none", model="kneser_ney", max_retries=0, max_tokens=4, temperature=0)
told["made"] = made.invoke([("system", "Be kind."), ("human", asked)]).content
"""
LITELLM = """
import json, os
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm
litellm.telemetry = False
asked = [{"role": "user", "content": "Why does my engine stall ?"}]
given = {"api_base": URL, "api_key": "none", "num_retries": 0}
told = {"chat": litellm.completion(model="openai/bm25", messages=asked, **given).choices[0].message.content}
pieces = litellm.completion(model="openai/bm25", messages=asked, stream=True, **given)
told["streamed"] = "".join(piece.choices[0].delta.content or "" for piece in pieces)
made = litellm.text_completion(model="text-completion-openai/kneser_ney", prompt="Let the", max_tokens=4, **given)
told["made"] = made.choices[0].text
"""


@pytest.fixture(scope="module")
def server(toy_home: Workspace) -> Iterator[Server]:
    with serving(toy_home.home) as running:
        yield running


def run_client(server: Server, code: str) -> dict[str, Any]:
    """What a program tells that uses a client; nothing but the server can be reached from it."""
    program = f'URL = "{server.url}/v1"\n{code}\nprint(json.dumps(told))'
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9") | {"NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-W", "ignore", "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, **nowhere})
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return told


def test_openai(server: Server) -> None:
    told = run_client(server, OPENAI)
    ours = ["bm25", "canned", "kneser_ney", "markov"]
    assert sorted(told["models"]) == sorted([*ours, "package/kneser_ney", "package/lstm", "package/mixture"])
    assert "spark plug" in told["chat"] and told["streamed"] == told["chat"] and told["source"].isdecimal()
    assert told["completion"]
    assert told["embeddings"][0] == 404 and "models: bm25" in told["embeddings"][1]
    assert told["tokens"] == [400, "prompt: arrays of tokens are not read here; give text"]


@pytest.mark.parametrize(("module", "code"), [("langchain_openai", LANGCHAIN), ("litellm", LITELLM)])
def test_others_that_speak_it(server: Server, module: str, code: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(
            f"{module} is not installed (litellm takes 230 MB, so it is in no extra): pip install {module.replace('_', '-')}"
        )
    told = run_client(server, code)
    assert "spark plug" in told["chat"] and told["streamed"] == told["chat"] and told["made"].strip()
