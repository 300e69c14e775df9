"""Whether accepted ghost text makes valid text: held-out posts, prefix after prefix, accepting three times over.

Every `stride`-th prefix of each post is asked, beginning at another one in each post; the eager gate, so that much is shown.
"""

from __future__ import annotations

from collections import Counter

from figures import arguments, report
from typing_home import held_out_posts, shipped_engine

from rejoinder.engine.replay import seam_fault
from rejoinder.engine.typing import Engine, Gate, TypingSession

_TIMES = 3  # that ghost text is accepted in a row


def accept(session: TypingSession, draft: str) -> tuple[int, str | None]:
    """How many ghost texts were shown, accepting each, and the first fault."""
    for shown in range(_TIMES):
        typed = session.suggest(draft, gate=Gate.EAGER, deadline=float("inf"))
        fault = next((f for said in (typed.ghost, *(w.text for w in typed.words)) if (f := seam_fault(draft, said))), None)
        if fault or not typed.ghost:
            return shown, fault
        draft += typed.ghost
    return _TIMES, None


def main() -> None:
    options = {
        "posts": (int, 1_000, "posts"),
        "stride": (int, 1, "of the prefixes"),
        "voice": (str, "", "the rung that speaks; none: the best there is"),
        "home": (str, "", "a home with the real archive"),
    }
    args = arguments(__doc__ or "", **options)
    engine = shipped_engine()
    if args.voice:
        engine = Engine({args.voice: engine.voices[args.voice]}, engine.gates, engine.phrases)
    asked = shown = 0
    faults: Counter[str] = Counter()
    with held_out_posts(args.home, repeats=False) as held:
        for number, (post, context) in enumerate(zip(held.posts[: args.posts], held.contexts, strict=False)):
            session = engine.open(context)
            text = post.own_text
            for length in range(number % args.stride, len(text) + 1, args.stride):
                accepted, fault = accept(session, text[:length])
                asked, shown = asked + 1, shown + accepted
                if fault:
                    faults[fault] += 1
    report("prefixes asked", [asked], "", as_json=args.json)
    report("ghost texts shown and accepted", [shown], "", as_json=args.json)
    report("faults", [faults.total()], "", as_json=args.json)
    for fault, number in faults.items():
        report(f"faults: {fault}", [number], "", as_json=args.json)


if __name__ == "__main__":
    main()
