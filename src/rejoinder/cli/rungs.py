"""`fit` and `rungs`: learn from the archive, and what has been learned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rejoinder.cli.archive import or_sample, split_method
from rejoinder.cli.options import ConfigFile, Home, Json, Seed, Sets, Split, workspace
from rejoinder.cli.output import keeping, note, print_json, progress, say, size, table
from rejoinder.errors import NothingToLearn, RejoinderError, UsageError

if TYPE_CHECKING:
    from rejoinder.home.voices import Voices
    from rejoinder.home.workspace import Workspace
    from rejoinder.text.calls import CallRunner

_STATES = {  # what is known of a fit, the gravest first
    "shipped": "in the package",
    "forgot": "stale: forgot posts since",
    "stale": "stale for measuring",
    "outdated": "stale: its parts were fitted again",
    "behind": "archive has changed",
}


def fit(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUNG", help="Which rungs; what typing and replying need if none is named.", show_default=False),
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
    shards: Annotated[
        int, typer.Option(min=1, max=1024, metavar="N", help="Count in so many processes at a time; the same models come of it.")
    ] = 1,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Count on this Ray cluster, whose machines see the home.", show_default=False),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(metavar="URL", help="By way of it (s3://..., gs://...), if they do not see the home.", show_default=False),
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
    from rejoinder.home.arpa import from_elsewhere
    from rejoinder.home.tokenizing import would_gain
    from rejoinder.home.voices import voices
    from rejoinder.models import LADDER, unasked, without_extras

    if on not in ("train", "all"):
        raise UsageError(f"--on must be train or all; got {on!r}")
    overrides = [*(settings or ()), *([f"kneser_ney.memory={memory * 2**20}"] if memory else [])]
    overrides += [f"llm.base_url={base_url}"] if base_url else []
    space = workspace(home)
    wanted = list(names) if names else None
    runner = _runner(shards, cluster, store)
    dealt = split_method(split)
    chosen = fitting.FitConfig(on, dealt, seed, retrain_tokenizer=retrain_tokenizer, logs=logs, runner=runner)  # type: ignore[arg-type]
    with keeping("the rungs fitted so far are kept; the same command goes on"), progress() as report:
        failed = fitting.fit(space, wanted, chosen, read_settings(config, overrides, LADDER), report)
    asked = fitting.to_fit(space, wanted, chosen)
    done = [there for name in asked if name not in failed and (there := space.fitted(name)) is not None]
    for text in (one for one in overrides if one.partition(".")[0].strip() not in asked):
        note(f"rejoinder: `{text}` was set without effect: that rung is not among those that were to be fitted")
    left = [] if names else [n for n in unasked() if n not in without_extras() and not space.fitted_or_none(n)]
    if as_json:
        fitted = [{**found.manifest, "bytes": found.bytes, "directory": str(found.directory)} for found in done]
        print_json({"fitted": fitted, "failed": {name: str(error) for name, error in failed.items()}, "left": left})
    elif done:
        rows = [[found.rung, f"{found.manifest['seconds']:.1f} s", size(found.bytes), LADDER[found.rung].what] for found in done]
        table(["fitted", "in", "size", "what"], rows)
    if left:
        note(f"these take training, so they are fitted when they are named: rejoinder fit {' '.join(left)}")
    for name in () if names else from_elsewhere(space):
        note(
            f"{name} came from a file of another tool (`arpa import`) and stays; `rejoinder fit {name}` counts your posts instead"
        )
    without = [] if names else [name for name, error in failed.items() if isinstance(error, NothingToLearn)]
    if without:
        note(f"not fitted, since the archive has too few replies: {', '.join(without)}; `rejoinder import` brings more")
    broken = {name: error for name, error in failed.items() if name not in without}
    if not names and not broken and not as_json:
        say(f"{voices(space).reason}\nnow: rejoinder serve --open")
    elif gained := would_gain(space):
        note(gained)
    for name, error in broken.items():
        note(f"rejoinder: {name}: {error}")
    if broken:
        raise typer.Exit(2)


def _runner(shards: int, cluster: str | None, store: str | None) -> CallRunner:
    """Who counts: this process, several, or a cluster."""
    from rejoinder.scale.cluster import Cluster
    from rejoinder.scale.processes import Processes
    from rejoinder.scale.stored import Stored
    from rejoinder.text.calls import HERE

    if cluster is None:
        if store is not None:
            raise UsageError("--store is for the machines of a --cluster; processes of this one see the home")
        return Processes(shards) if shards > 1 else HERE
    if shards > 1:
        raise UsageError("--shards is for one machine and --cluster for several: give one of them")
    runner = Cluster(cluster)
    return runner if store is None else Stored(runner, store)


def list_rungs(
    check: Annotated[bool, typer.Option("--check", help="Compare every file of every model with what was written.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show the ladder: what there is, what is fitted, its size, when, and on what; and which finishes sentences, and why.

    With --json the rung that does has `speaks`, the reason. With --check, exits with status 2 if a model is damaged.

    \b
    Example:
      rejoinder rungs
    """
    from rejoinder.errors import NotFitted
    from rejoinder.home.tokenizing import would_gain
    from rejoinder.home.voices import voices
    from rejoinder.home.workspace import Workspace
    from rejoinder.models import LADDER, PACKAGE

    space = workspace(home)
    try:
        speaks = voices(space)
    except NotFitted:
        speaks = None
    there = or_sample(space)
    package = Workspace.shipped()
    gained = would_gain(space)
    names = [*LADDER, *(PACKAGE + name for name in LADDER if package is not None and package.fitted_or_none(name))]
    records = [_record(space if _is_there(space, name) else there, name, check=check) for name in names]
    for record in records:
        if speaks is not None and record["rung"] in speaks.bits_per_byte:
            record["bits_per_byte_here"] = round(speaks.bits_per_byte[str(record["rung"])], 4)
        if speaks is not None and record["rung"] == speaks.best:
            record["speaks"] = speaks.reason
            record |= {"fit_would_gain": gained} if gained else {}
    damaged = any("damaged" in record for record in records)
    if as_json:
        print_json(records)
    else:
        _show_rungs(records, speaks, gained)
        if check:
            note("every file of the other models is as it was written" if damaged else "every file is as it was written")
    if check and damaged:
        raise typer.Exit(2)


def _show_rungs(records: list[dict[str, Any]], speaks: Voices | None, gained: str) -> None:
    """The ladder as a table, who speaks, and what would be gained by another tokenizer."""
    table(["rung", "fitted (UTC)", "on", "size", "can", "what"], [_row(record) for record in records])
    if speaks is not None:
        say(f"\n{speaks.reason}")
    if gained:
        say(gained)


def _is_there(space: Workspace, name: str) -> bool:
    """Whether a home has a rung, be it damaged."""
    try:
        return space.fitted(name) is not None
    except RejoinderError:
        return True


def _record(space: Workspace, name: str, *, check: bool) -> dict[str, Any]:
    """What is known of a rung; a damaged one is noted."""
    from rejoinder.models import PACKAGE, rung
    from rejoinder.models.directory import check_hashes

    line = rung(name)
    record: dict[str, Any] = {"rung": name, "can": [flag.name.lower() for flag in line.can if flag.name], "what": line.what}
    try:
        found = space.fitted(name)
        if found is not None and check:
            check_hashes(found.directory)
    except RejoinderError as error:
        note(f"rejoinder: {error}")
        return {**record, "fitted": None, "damaged": str(error)}
    if found is None:
        return {**record, "fitted": None}
    states = {key: getattr(found, key) for key in ("behind", "stale", "forgot", "outdated")}
    return {**record, **found.manifest, "rung": name, "bytes": found.bytes, **states, "shipped": name.startswith(PACKAGE)}


def _row(record: dict[str, Any]) -> list[str]:
    if not record["fitted"]:
        state = "damaged" if "damaged" in record else "not fitted"
        return [record["rung"], state, "", "", ", ".join(record["can"]), record["what"]]
    state = next((told for key, told in _STATES.items() if record[key]), "")
    on = record["on"] if record["split"] == "hash" else f"{record['on']} by {record['split']}"
    return [
        record["rung"],
        record["fitted"].replace("T", " ")[:16],
        on + (f" ({state})" if state else ""),
        size(record["bytes"]),
        ", ".join(record["can"]),
        record["what"],
    ]
