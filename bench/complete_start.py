"""How long `rejoinder complete` takes as a new process, with the models in the package and nothing imported.

python bench/complete_start.py
"""

from __future__ import annotations

import tempfile

from figures import arguments, report
from reply_latency import cold

DRAFT = "The problem with microservices is"


def main() -> None:
    args = arguments(__doc__ or "", runs=(int, 9, "new processes"))
    with tempfile.TemporaryDirectory() as home:
        starts = [cold(["complete", DRAFT, "--home", home]) for _ in range(args.runs)]
    report("`rejoinder complete`, new process", starts, "s", as_json=args.json)


if __name__ == "__main__":
    main()
