"""`inspect word`, `analogy`, `map` and `vectors`: what a rung's word vectors say of words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rejoinder.cli.options import Home, Json, workspace
from rejoinder.cli.output import note, print_json, table

if TYPE_CHECKING:
    from rejoinder.home.workspace import Workspace
    from rejoinder.text.vectors import WordVectors

_DIGITS = 4
Rung = Annotated[
    str | None,
    typer.Option(
        "--rung", metavar="NAME", help="Whose vectors; else word2vec if it is fitted, else pmi_svd.", show_default=False
    ),
]
Source = Annotated[
    Path | None,
    typer.Option(
        "--vectors", metavar="FILE", help="Vectors made elsewhere: a word2vec file, .bin binary, else text.", show_default=False
    ),
]
Stale = Annotated[bool, typer.Option("--allow-stale", help="Also if it may still know forgotten posts.")]
Many = Annotated[int, typer.Option("-k", "--k", min=1, help="How many words.")]


def word(
    text: Annotated[str, typer.Argument(metavar="WORD", help="Whose neighbours.")],
    k: Many = 10,
    rung: Rung = None,
    vectors: Source = None,
    allow_stale: Stale = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """List the neighbours of a word.

    Words are near that are used in like company: by the cosine of their vectors.

    \b
    Example:
      rejoinder inspect word rust --k 10
      rejoinder inspect word rust --vectors glove.txt
    """
    source, known = _known(workspace(home), rung, vectors, allow_stale)
    asked = spelled(known, text)
    found = known.neighbours(asked, k)
    _say_unseen(known, [asked])
    _show(known, {"source": source, "word": asked, "learned": known.place(asked) is not None}, found, as_json)


def analogy(
    a: Annotated[str, typer.Argument(metavar="A", help="The first word of the pair that is known.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Its second word.")],
    c: Annotated[str, typer.Argument(metavar="C", help="The first word of the pair that is sought.")],
    k: Many = 5,
    rung: Rung = None,
    vectors: Source = None,
    allow_stale: Stale = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Find what is to C as B is to A.

    The words whose vectors are nearest to B - A + C, by cosine.

    \b
    Example:
      rejoinder inspect analogy king queen man
    """
    source, known = _known(workspace(home), rung, vectors, allow_stale)
    a, b, c = (spelled(known, text) for text in (a, b, c))
    found = known.analogy(a, b, c, k)
    _say_unseen(known, [a, b, c])
    _show(known, {"source": source, "a": a, "b": b, "c": c}, found, as_json)


def draw_map(
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to draw: a .png or .svg (needs the extra `train`).")],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORD", help="Draw these and the words near them; else frequent words with near neighbours."),
    ] = None,
    top: Annotated[int, typer.Option(min=2, help="How many words in all.")] = 150,
    rung: Rung = None,
    vectors: Source = None,
    allow_stale: Stale = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Draw a map of words.

    They are near each other where their vectors point the same way, in the colours of their groups.

    \b
    Example:
      rejoinder inspect map --out map.png
      rejoinder inspect map rust coffee climate --top 60 --out map.svg
    """
    from rejoinder.inspect.word_map import check_picture, choose, draw, lay_out

    check_picture(out)
    source, known = _known(workspace(home), rung, vectors, allow_stale)
    asked = [spelled(known, text) for text in words or []]
    shown = lay_out(known, *choose(known, asked, top), asked)
    draw(shown, f"{len(shown.words)} words by {source}: near each other where their vectors point the same way", out)
    note(f"wrote {out}")
    if as_json:
        rows = zip(shown.words, shown.places.tolist(), shown.groups, strict=True)
        places = [{"word": w, "x": round(x, _DIGITS), "y": round(y, _DIGITS), "group": group} for w, (x, y), group in rows]
        print_json({"source": source, "file": str(out), "words": places})


def export(
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write: .bin binary, else text.")],
    rung: Rung = None,
    vectors: Source = None,
    allow_stale: Stale = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write the vectors to a word2vec file.

    Other tools read it: a word and its numbers, as text or binary.

    \b
    Example:
      rejoinder inspect vectors --out vectors.txt
      rejoinder inspect vectors --vectors other.txt --out other.bin
    """
    from rejoinder.files import atomically
    from rejoinder.text.vector_files import write_binary, write_text

    source, known = _known(workspace(home), rung, vectors, allow_stale)
    with atomically(out) as file:
        (write_binary if out.suffix == ".bin" else write_text)(known, file)
    note(f"wrote {len(known.words):,} words of {known.size} numbers by {source} to {out}")
    if as_json:
        print_json({"source": source, "file": str(out), "words": len(known.words), "size": known.size})


def spelled(known: WordVectors, text: str) -> str:
    """`text` as the vectors spell it: as it is, else as rejoinder reads words, if that is one word.

    Raises:
        UsageError: it is no word, or several.
    """
    from rejoinder.errors import UsageError
    from rejoinder.text.words import words

    if known.place(text) is not None:
        return text
    found = words(text)
    if len(found) != 1:
        raise UsageError(f"one word was expected; got `{text}`")
    return found[0]


def _known(space: Workspace, name: str | None, file: Path | None, allow_stale: bool) -> tuple[str, WordVectors]:
    """Where the vectors come from, and they.

    Raises:
        NotFitted: none is asked for, and no rung has any.
        UsageError: both a rung and a file are asked for, or a rung without word vectors.
    """
    from typing import cast

    from rejoinder.errors import NotFitted, UsageError
    from rejoinder.models import Can, those_that
    from rejoinder.models import rung as line
    from rejoinder.models.interfaces import Embedding
    from rejoinder.text.vector_files import read_vectors

    if file is not None:
        if name is not None:
            raise UsageError("--vectors and --rung both say whose vectors to use; give one of them")
        return file.name, read_vectors(file)
    able = those_that(Can.EMBED)
    if name is None:
        fitted = space.fitted_that(Can.EMBED)
        if not fitted:
            raise NotFitted(
                f"no word vectors in {space.home}; run `rejoinder fit {able[0]}` or `{able[-1]}`, or give --vectors FILE"
            )
        name = fitted[-1]
    elif Can.EMBED not in line(name).can:
        raise UsageError(f"the rung `{name}` has no word vectors; those that have: {', '.join(able)}")
    return name, cast(Embedding, space.load(name, allow_stale=allow_stale)).words


def _say_unseen(known: WordVectors, asked: list[str]) -> None:
    from rejoinder.config import nearest

    for text in asked:
        if known.place(text) is None:
            note(f"`{text}` was not learned{nearest(text, known.words)}: its vector is made from its letters, a rough guess")


def _show(known: WordVectors, asked: dict[str, object], found: list[tuple[str, float]], as_json: bool) -> None:
    rows = [(text, cosine, int(known.counts[place])) for text, cosine in found if (place := known.place(text)) is not None]
    if as_json:
        print_json({**asked, "words": [{"word": w, "cosine": round(c, _DIGITS), "count": n or None} for w, c, n in rows]})
    else:
        table(["word", "cosine", "seen"], [[w, f"{c:.3f}", f"{n:,}" if n else "?"] for w, c, n in rows])
