"""The speed of the pretrained net beside llama.cpp on the same file, in turn in one run: a token, and a prompt.

    python bench/pretrained_speed.py --model HOME/models/pretrained/0001 --gguf NET.gguf --python VENV/bin/python

llama.cpp is that of the package `xllamacpp`, which runs in an environment of its own: `--python` is its interpreter. Each round
reads 300 tokens and makes 48 more by each of the two. Figures: milliseconds, and how many times as fast ours is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from figures import arguments, report

PROMPT, MADE = 300, 48
RIVAL = """
import json, sys
from xllamacpp import CommonParams, Server
told = json.loads(sys.argv[1])
params = CommonParams()
params.model.path = told["gguf"]
params.n_ctx = 1024
params.n_parallel = 1
params.warmup = False
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = told["threads"]
server = Server(params)
for line in sys.stdin:
    asked = {"prompt": json.loads(line), "n_predict": told["made"], "cache_prompt": False, "temperature": 0, "ignore_eos": True}
    found = server.handle_completions(asked)
    found = json.loads(found) if isinstance(found, str) else found
    times = found["timings"]
    print("TIMES " + json.dumps([times["prompt_ms"] / times["prompt_n"], times["predicted_per_token_ms"]]), flush=True)
"""


def rival(args: Any) -> subprocess.Popen[str]:
    """llama.cpp, waiting for prompts."""
    told = json.dumps({"gguf": str(Path(args.gguf).resolve()), "threads": args.threads, "made": MADE})
    return subprocess.Popen(
        [args.python, "-c", RIVAL, told], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def theirs(process: subprocess.Popen[str], ids: list[int]) -> tuple[float, float]:
    """Milliseconds of a token of the prompt, and of one made."""
    assert process.stdin and process.stdout
    process.stdin.write(json.dumps(ids) + "\n")
    process.stdin.flush()
    for line in process.stdout:
        if line.startswith("TIMES "):
            a, b = json.loads(line[6:])
            return float(a), float(b)
    sys.exit("llama.cpp said nothing; is xllamacpp in that environment?")


def ours(model: Any, rows: list[int]) -> tuple[float, float]:
    """The same; a token made is one step and all probabilities after it."""
    net = model._net
    began = perf_counter()
    state = net.follow(net.empty, rows)
    read = perf_counter()
    for _ in range(MADE):
        state = net.advance([state], [int(net.log_probs(state).argmax())])[0]
    made = perf_counter()
    return (read - began) * 1000 / len(rows), (made - read) * 1000 / MADE


def main() -> None:
    options = {
        "model": (str, "", "the directory that `rejoinder model add` made"),
        "gguf": (str, "", "the file it came from"),
        "python": (str, sys.executable, "the interpreter that has xllamacpp"),
        "threads": (int, 2, "of each"),
        "rounds": (int, 5, "in turn"),
    }
    args = arguments(__doc__ or "", **options)
    from dataclasses import replace

    from rejoinder.models.pretrained.rung import Pretrained

    model: Any = Pretrained.load(Path(args.model))
    config, opened = replace(model.config, threads=args.threads), (model._arrays, model._graphs)
    model = Pretrained(config, model.shape, model.facts, model.tokenizer, opened)
    rows = list(range(200, 200 + PROMPT))
    ids = [row + len(model.facts.marks) for row in rows]
    process = rival(args)
    times: dict[str, list[tuple[float, float]]] = {"llama.cpp": [], "ours": []}
    theirs(process, ids), ours(model, rows)  # the first of each reads the weights from the disk
    for _ in range(args.rounds):
        times["llama.cpp"].append(theirs(process, ids))
        times["ours"].append(ours(model, rows))
    for place, what in enumerate(("a token of the prompt", "a token made")):
        for name, found in times.items():
            report(f"{name}: {what}", [each[place] for each in found], "ms", as_json=args.json)
        ratios = [a[place] / b[place] for a, b in zip(times["llama.cpp"], times["ours"], strict=True)]
        report(f"{what}: as fast as llama.cpp, times", ratios, f"median {median(ratios):.2f}", as_json=args.json)
    assert process.stdin
    process.stdin.close()
    process.wait(30)


if __name__ == "__main__":
    main()
