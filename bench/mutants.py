"""Which tests can fail? Lines that keep figures honest are broken one at a time, and the tests that should notice are run.

    python bench/mutants.py [--only WORD]

Each mutant is one line of a copy of `src/`. It is *killed* if the tests named fail with it, and they must pass without any. Exit
status 1 if one survives. Not a search for mutants: those that were once found alive, and what is like them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from figures import arguments

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Mutant:
    """A line, what it becomes, and the tests that should notice."""

    what: str
    file: str  # below src/rejoinder
    line: str
    becomes: str
    tests: str = "tests/test_honesty.py"


MUTANTS = (
    Mutant(
        "the trigger is judged in-sample",
        "models/trigger.py",
        "return [upper(one.x) for one in judged[:half]] + [lower(one.x) for one in judged[half:]]",
        "return [lower(one.x) for one in judged[:half]] + [upper(one.x) for one in judged[half:]]",
    ),
    Mutant(
        "the judge's bar is the 50th percentile",
        "models/judge.py",
        "np.quantile(chance, 1 - CHANCE)",
        "np.quantile(chance, 0.5)",
    ),
    Mutant(
        "a gate is fitted on train",
        "home/fitting.py",
        'calibrate(cast(LanguageModel, model), corpus.threads("dev")',
        'calibrate(cast(LanguageModel, model), corpus.threads("train")',
    ),
    Mutant(
        "a gate of the climb is fitted on train", "climb/worker.py", 'self.split).threads("dev")', 'self.split).threads("train")'
    ),
    Mutant(
        "dev posts are not hashed",
        "publish/recipe.py",
        'parts: tuple[Part, ...] = ("train", "dev")',
        'parts: tuple[Part, ...] = ("train",)',
    ),
    Mutant("posts that were read are kept", "climb/worker.py", "left = held.only(np.flatnonzero(~read))", "left = held"),
    Mutant("threads that were read are ranked", "climb/worker.py", "if thread.key not in read)", "if True)"),
    Mutant(
        "steps are not corrected for their number",
        "climb/analysis.py",
        "self.gain(kind, upper, lower, self.level(kind))",
        "self.gain(kind, upper, lower)",
    ),
    Mutant("ties are not corrected for their number", "climb/analysis.py", "level = self.level(kind)", "level = metrics.LEVEL"),
    Mutant(
        "repeats are not told apart",
        "climb/worker.py",
        'left = left.told_apart(open_tokenizer(tokens), open_tokens(tokens, "train"))',
        "pass",
    ),
    Mutant(
        "intervals are not by thread",
        "climb/analysis.py",
        "of_threads, over = metrics.by_thread(threads[asked], sums[asked], counts[asked])",
        "of_threads, over = sums[asked], counts[asked]",
    ),
    Mutant(
        "intervals of rankings are not by thread",
        "ladder/ranking.py",
        "sums, counts = metrics.by_thread(threads, values.mean(axis=0), np.ones(len(threads)))",
        "sums, counts = values.mean(axis=0), np.ones(len(threads))",
    ),
    Mutant(
        "paired gains are not by thread",
        "climb/analysis.py",
        "one, other = metrics.by_thread(self.threads[:number], *paid)",
        "one, other = paid",
    ),
    Mutant("gains are not paired", "climb/analysis.py", "return self._sure(one - other,", "return self._sure(one,"),
    Mutant(
        "the package's models are in no key", "climb/tasks.py", 'e.package if looks else ""', '""', "tests/test_climb.py -k key"
    ),
    Mutant(
        "what begins with the package's weights is kept where they change",
        "climb/tasks.py",
        "looks = looks or (isinstance(work, Fit)",
        "looks = looks or (isinstance(work, Choose)",
        "tests/test_climb.py -k key",
    ),
    Mutant(
        "what a person sees besides the judge is not seen",
        "models/trigger.py",
        "_LEVEL + _PERSON[0] * odds + u @ _PERSON[1:]",
        "_LEVEL + _PERSON[0] * odds",
        "tests/test_trigger.py",
    ),
    Mutant(
        "the home's code is in no key",
        "climb/tasks.py",
        "facts = [e.data, e.code,",
        "facts = [e.data,",
        "tests/test_climb.py -k key",
    ),
    Mutant(
        "what was done with less effort is kept",
        "climb/task_cache.py",
        "then >= _AS_GOOD * now",
        "then >= 0",
        "tests/test_climb.py -k effort",
    ),
    Mutant(
        "a talking worker is never stopped",
        "climb/task_cache.py",
        "if left <= 0:",
        "if left <= 0 and not said:",
        "tests/test_climb.py -k limit_holds",
    ),
    Mutant(
        "a worker's children live on",
        "climb/task_cache.py",
        "os.killpg(child.pid, how)",
        "child.send_signal(how)",
        "tests/test_climb.py -k limit_holds",
    ),
)


def survives(mutant: Mutant | None, tests: str) -> bool:
    """Whether the tests pass all the same."""
    with tempfile.TemporaryDirectory() as scratch:
        src = Path(scratch) / "src"
        shutil.copytree(ROOT / "src", src, ignore=shutil.ignore_patterns("__pycache__"))
        if mutant is not None:
            file = src / "rejoinder" / mutant.file
            text = file.read_text(encoding="utf-8")
            if text.count(mutant.line) != 1:
                raise SystemExit(f"{mutant.file} has {text.count(mutant.line)} times: {mutant.line}")
            file.write_text(text.replace(mutant.line, mutant.becomes), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests.split()]
        found = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(src)}, capture_output=True)
        return found.returncode == 0


def main() -> None:
    args = arguments(__doc__ or "", only=(str, "", "mutants with this word alone"))
    chosen = [mutant for mutant in MUTANTS if args.only in mutant.what]
    for tests in sorted({mutant.tests for mutant in chosen}):
        if not survives(None, tests):
            raise SystemExit(f"{tests} fails as it is")
    alive = []
    for mutant in chosen:
        alive += [mutant.what] if survives(mutant, mutant.tests) else []
        print(f"{'ALIVE ' if mutant.what in alive[-1:] else 'killed'}  {mutant.what}", flush=True)
    print(f"{len(chosen) - len(alive)} of {len(chosen)} killed")
    raise SystemExit(bool(alive))


if __name__ == "__main__":
    main()
