"""`fit` and `rungs`: learn from the archive, and what has been learned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rejoinder.cli.archive import or_sample, split_method
from rejoinder.cli.options import ConfigFile, Home, Json, Seed, Sets, Split, workspace
from rejoinder.cli.output import note, print_json, progress, size, table
from rejoinder.errors import DamagedModel, UsageError


def fit(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUNG]...", help="Which rungs; all that need no training if none is named.", show_default=False),
    ] = None,
    on: Annotated[
        str, typer.Option(metavar="train|all", help="Learn from the train part, or (daily use) from everything.")
    ] = "train",
    split: Split = "hash",
    settings: Sets = None,
    config: ConfigFile = None,
    seed: Seed = 0,
    retrain_tokenizer: Annotated[
        bool, typer.Option("--retrain-tokenizer", help="Learn the tokenizer anew; fits every language model.")
    ] = False,
    memory: Annotated[
        int | None, typer.Option(min=1, metavar="MIB", help="What counting may take, about.", show_default=False)
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option("--base-url", metavar="URL", help="The server of the rung llm, mostly up to /v1.", show_default=False),
    ] = None,
    logs: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write how a training goes, for TensorBoard.", show_default=False)
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Learn from the archive. Rungs that must be trained for long are fitted when they are named.

    \b
    Example:
      rejoinder fit
      rejoinder fit markov --set markov.discount=0.7
      rejoinder fit lstm mixture
    """
    from rejoinder.config import read_settings
    from rejoinder.home import fitting
    from rejoinder.models import LADDER, Can, those_that, without_extras

    if on not in ("train", "all"):
        raise UsageError(f"--on must be train or all; got {on!r}")
    overrides = [*(settings or ()), *([f"kneser_ney.memory={memory * 2**20}"] if memory else [])]
    overrides += [f"llm.base_url={base_url}"] if base_url else []
    space = workspace(home)
    wanted = list(names or without_extras())
    trained = [name for name, line in LADDER.items() if name not in without_extras() and not line.asked]
    there = [name for name in trained if space.fitted_or_none(name) is not None]
    if retrain_tokenizer:
        wanted = list(
            dict.fromkeys([*wanted, *(name for name in those_that(Can.PREDICT) if name not in trained or name in there)])
        )
    anew = retrain_tokenizer or (not names and not there)  # what was trained goes on with the tokenizer it knows
    chosen = fitting.FitConfig(on, split_method(split), seed, retrain_tokenizer=anew, logs=logs)  # type: ignore[arg-type]
    with progress() as report:
        failed = fitting.fit(space, wanted, chosen, read_settings(config, overrides, LADDER), report)
    done = [found for name in wanted if name not in failed and (found := space.fitted(name)) is not None]
    left = [] if names else [name for name in trained if name not in wanted]
    if as_json:
        fitted = [{**found.manifest, "bytes": found.bytes, "directory": str(found.directory)} for found in done]
        print_json({"fitted": fitted, "failed": {name: str(error) for name, error in failed.items()}, "left": left})
    else:
        for found in done:
            typer.echo(f"fitted {found.rung} in {found.manifest['seconds']:.1f} s, {size(found.bytes)}")
    if left:
        note(f"these take training, so they are fitted when they are named: rejoinder fit {' '.join(left)}")
    for name, error in failed.items():
        note(f"rejoinder: {name}: {error}")
    if failed:
        raise typer.Exit(2)


def list_rungs(
    check: Annotated[bool, typer.Option("--check", help="Compare every file of every model with what was written.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show the ladder: what there is, what is fitted, its size, when, and on what.

    \b
    Example:
      rejoinder rungs
    """
    from rejoinder.home.workspace import Workspace
    from rejoinder.models import LADDER, Can
    from rejoinder.models.directory import check_hashes

    own = workspace(home)
    shipped = Workspace.shipped() if own.is_empty and not own.fitted_that(Can.PREDICT) else None
    space = or_sample(own)
    damaged = False
    rows: list[list[str]] = []
    records: list[dict[str, object]] = []
    for name, line in LADDER.items():
        can = [flag.name.lower() for flag in line.can if flag.name]
        record: dict[str, object] = {"rung": name, "can": can, "what": line.what, "fitted": None}
        row = [name, "not fitted", "", "", ", ".join(can), line.what]
        try:
            found = (shipped and shipped.fitted(name)) or space.fitted(name)
            if found is not None and check:
                check_hashes(found.directory)
        except DamagedModel as error:
            record["damaged"] = str(error)
            row[1] = "damaged"
            damaged = True
            note(f"rejoinder: {error}")
        else:
            if found is not None:
                m = found.manifest
                state = (
                    "stale: forgot posts since"
                    if found.forgot
                    else "stale for measuring"
                    if found.stale
                    else "stale: its parts were fitted again"
                    if found.outdated
                    else "archive has changed"
                    if found.behind
                    else ""
                )
                record |= {**m, "bytes": found.bytes, "behind": found.behind, "stale": found.stale, "forgot": found.forgot}
                record["outdated"] = found.outdated
                if shipped and found.directory.is_relative_to(shipped.models):
                    record["shipped"] = True
                    state = "in the package"
                on = m["on"] if m["split"] == "hash" else f"{m['on']} by {m['split']}"
                row[1:4] = [
                    m["fitted"].replace("T", " ")[:16],
                    on + (f" ({state})" if state else ""),
                    size(found.bytes),
                ]
        rows.append(row)
        records.append(record)
    if as_json:
        print_json(records)
    else:
        table(["rung", "fitted (UTC)", "on", "size", "can", "what"], rows)
        if check:
            note("every file of the other models is as it was written" if damaged else "every file is as it was written")
