"""The pretrained net beside `transformers` on the same file: token ids of test posts, and what it pays for them.

    python bench/pretrained_reference.py --model DIR --home DIR --posts 50 --write ours.json         here
    python bench/pretrained_reference.py --gguf NET.gguf --read ours.json                             where transformers is

The two run in environments of their own and meet in a file, so that nothing here needs transformers. Figures: the share of posts
whose token ids are the same, and by how much the bits differ: 4-bit weights are exact here, and what they are multiplied with is
rounded to 8 bits, where transformers computes in float32.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from figures import arguments, report

OPTIONS = {
    "model": (str, "", "a directory that `rejoinder model add` made: HOME/models/pretrained/0001"),
    "home": (str, "", "a home with posts"),
    "posts": (int, 50, "test posts"),
    "write": (str, "", "the file to write"),
    "gguf": (str, "", "the file of the net"),
    "read": (str, "", "the file that was written"),
}


def write(args: Any) -> None:
    """Ids and nats of test posts, as the rung has them."""
    from hn_bits import read_test

    from rejoinder.home.workspace import Workspace
    from rejoinder.models.pretrained.rung import Pretrained

    model = Pretrained.load(Path(args.model))
    marks = len(model.facts.marks)
    test = read_test(Workspace(Path(args.home)), args.posts)
    rows = []
    for post, context in zip(test.posts, test.contexts, strict=True):
        read = [model.facts.first, *model._context(context)]
        tokens = model.tokenizer.encode(post.own_text)
        state = model._net.follow(model._net.empty, read)
        said = list(model._net.score(state, tokens))
        nats = np.concatenate(said)[np.arange(len(tokens)), tokens]
        # pieces of text stand first here and after the marks in the file
        ids = [row - model.text if row >= model.text else row + marks for row in (*read, *tokens)]
        rows.append({"text": post.own_text, "ids": ids, "first": len(read), "nats": [float(value) for value in nats]})
    Path(args.write).write_text(json.dumps(rows), encoding="utf-8")


def read(args: Any) -> None:
    """What transformers makes of the same ids."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    file = Path(args.gguf)
    tokenizer = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
    model = AutoModelForCausalLM.from_pretrained(str(file.parent), gguf_file=file.name, dtype=torch.float32).eval()
    same, ours, theirs, far = 0, 0.0, 0.0, 0.0
    rows = json.loads(Path(args.read).read_text(encoding="utf-8"))
    for row in rows:
        same += tokenizer(row["text"], add_special_tokens=False).input_ids == row["ids"][row["first"] :]
        with torch.no_grad():
            logits = model(torch.tensor([row["ids"]])).logits[0].float()
        nats = torch.log_softmax(logits[row["first"] - 1 : -1], -1)
        found = nats[torch.arange(len(row["nats"])), torch.tensor(row["ids"][row["first"] :])].double()
        ours, theirs = ours - sum(row["nats"]), theirs - float(found.sum())
        far = max(far, float((found - torch.tensor(row["nats"]).double()).abs().max()))
    size = sum(len(row["text"].encode()) for row in rows)
    report(f"posts with the same token ids, of {len(rows)}", [same], "posts", as_json=args.json)
    report("bits per byte here", [ours / math.log(2) / size], "bits/byte", as_json=args.json)
    report("bits per byte by transformers", [theirs / math.log(2) / size], "bits/byte", as_json=args.json)
    report("difference of the bits", [abs(ours / theirs - 1) * 100], "%", as_json=args.json)
    report("largest difference of one token", [far], "nats", as_json=args.json)


if __name__ == "__main__":
    given = arguments(__doc__ or "", **OPTIONS)
    read(given) if given.read else write(given)
