"""What the models of the package read: several files of posts, each cleaned as its register asks, one after the other.

    WORK/read/NAME.db      an archive of the file, its posts cleaned, what is not read (see `rejoinder.publish.selection`) empty
    WORK/read/NAME.json    of which file, how, and beside which last one; NAME.chosen.json says how much is not read

The last file of a recipe is the one whose dev part stops, weighs and sets thresholds, and whose test part is measured on. Of each
file the house's split keeps a test and a dev part, by thread. A file that is there already is not read again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from rejoinder.archive.authors import author_hasher
from rejoinder.archive.mapping import read_map
from rejoinder.archive.places import place
from rejoinder.archive.reader import ArchiveCorpus, held_out
from rejoinder.archive.source import Item
from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
from rejoinder.archive.store import Archive
from rejoinder.config import At, Checked, read_tables, resolve
from rejoinder.corpus import ByThread, Part
from rejoinder.errors import ConfigError, SourceError
from rejoinder.files import write_json
from rejoinder.models.interfaces import Progress, silent
from rejoinder.post import Post, State, Thread, unquoted
from rejoinder.publish.selection import Selection, held_out_runs
from rejoinder.text.registers import Register, title_only, words_only

READ = "read"  # its tables beside those of the rungs
TALK = "id=id,parent=parent,root=story,text=text,title=title,time=time"  # plain text under Hacker News' names


@dataclass(frozen=True)
class ReadConfig(Checked, of="read"):
    """One file that is read."""

    file: str  # in the folder that `bundle` is given
    name: str = ""  # the file's, up to its first point, if none
    register: Register = "hackernews"
    map: str = ""  # the fields of its records, as `import --map` has them; none: Hacker News' form
    passes: Annotated[float, At(least=0, most=20)] = 1.0  # how often a net reads it in a pass over all
    group: str = ""  # files of one group are counted together; its name, if none

    @property
    def called(self) -> str:
        """The name under which its posts are kept."""
        return self.name or Path(self.file).name.partition(".")[0]


class ReadCorpus(ByThread):
    """One file's posts, cleaned and chosen."""

    def __init__(self, config: ReadConfig, archive: Archive, tokens: Path) -> None:
        """Look at a file's archive, with token arrays in the directory `tokens`."""
        self.config = config
        self.tokens = tokens
        self.archive = archive
        self._corpus = ArchiveCorpus(archive, tokens)

    def threads(self, part: Part) -> Iterator[Thread]:
        """The threads of a part, by key."""
        return self._corpus.threads(part)

    def test(self) -> Iterator[Thread]:
        """The test threads, to measure on."""
        return held_out(self.archive)

    def held(self) -> Iterator[Post]:
        """The posts of the parts that are measured on."""
        return (post for threads in (self.test(), self.threads("dev")) for thread in threads for post in thread.posts)

    def fingerprint(self) -> str:
        """A hash of the train part."""
        return self._corpus.fingerprint()


class FilesCorpus(ByThread):
    """All files as one corpus: train is all of them, in their order; dev is that of the last."""

    def __init__(self, sources: Sequence[ReadCorpus], tokens: Path) -> None:
        """`sources` in the order in which they are read, with token arrays of all of them in `tokens`."""
        self.sources = tuple(sources)
        self.tokens = tokens

    def threads(self, part: Part) -> Iterator[Thread]:
        """The threads of a part, file by file."""
        for source in self.sources if part == "train" else self.sources[-1:]:
            yield from source.threads(part)

    def threads_and_passes(self, part: Part) -> Iterator[tuple[Thread, float]]:
        """The threads of a part, file by file, each with how often a net is to read it."""
        for source in self.sources if part == "train" else self.sources[-1:]:
            passes = source.config.passes if part == "train" else 1.0
            yield from ((thread, passes) for thread in source.threads(part))

    def read_posts(self) -> Iterator[Post]:
        """The posts that models are made from: train and dev of every file."""
        parts: tuple[Part, ...] = ("train", "dev")
        return (post for source in self.sources for part in parts for post in source.posts(part))

    def keep_tokens_in(self, directory: Path) -> None:
        """Have the token arrays in another directory."""
        self.tokens = directory
        for source in self.sources:
            source.tokens = directory / source.config.called

    def digest(self) -> str:
        """A hash of the hashes of all files, as they were read."""
        found = (json.loads((Path(source.archive.path).with_suffix(".json")).read_bytes())["sha256"] for source in self.sources)
        return hashlib.sha256("".join(found).encode()).hexdigest()

    def fingerprint(self) -> str:
        """A hash of the train part."""
        return hashlib.blake2b(" ".join(source.fingerprint() for source in self.sources).encode(), digest_size=16).hexdigest()


def read_configs(file: Path) -> list[ReadConfig]:
    """The files that the `[[read]]` tables of a recipe name; none where it has no such tables.

    Raises:
        ConfigError: a table is wrong, or two have one name.
    """
    tables = read_tables(file, READ)
    configs = [resolve(ReadConfig, table, READ) for table in tables]
    names = [config.called for config in configs]
    if len(set(names)) < len(names):
        raise ConfigError(f"each [[{READ}]] needs a name of its own; got {', '.join(names)}")
    return configs


@contextmanager
def reading(configs: Sequence[ReadConfig], folder: Path, work: Path, progress: Progress = silent) -> Iterator[FilesCorpus]:
    """The corpus of all files, read into `work` if they are not there yet."""
    directory = work / READ
    directory.mkdir(parents=True, exist_ok=True)
    for config in configs:
        if not (folder / config.file).is_file():
            raise SourceError(f"{folder / config.file}: no such file")
    facts = [_facts(config, folder / config.file) for config in configs]
    with ExitStack() as stack:
        for config, about in zip(configs, facts, strict=True):  # what is read of a file depends on what the last one holds out
            _import(config, folder / config.file, directory, {**about, "held": facts[-1]}, progress)
        opened = [_open(config, directory, stack) for config in configs]
        for source in opened:
            _choose(source, opened[-1], directory, progress)
        chosen = [ReadCorpus(source.config, source.archive, source.tokens) for source in opened]  # as it is now
        yield FilesCorpus(chosen, directory / "tokens")


def _open(config: ReadConfig, directory: Path, stack: ExitStack) -> ReadCorpus:
    archive = stack.enter_context(Archive.open(directory / f"{config.called}.db"))
    return ReadCorpus(config, archive, directory / "tokens" / config.called)


def _facts(config: ReadConfig, file: Path) -> dict[str, Any]:
    """All that what is imported depends on."""
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return {"sha256": digest, "register": config.register, "map": config.map}


def _import(config: ReadConfig, file: Path, directory: Path, facts: dict[str, Any], progress: Progress) -> None:
    """The file's archive, its posts cleaned; made anew where an earlier one was of other `facts`."""
    done = directory / f"{config.called}.json"
    if done.is_file() and json.loads(done.read_bytes()) == facts:
        return
    progress(f"reading {config.called}", 0, None)
    database = directory / f"{config.called}.db"
    for end in (".db", ".db-wal", ".db-shm", ".json", ".chosen.json"):  # another file may be called as this one, and longer
        (directory / f"{config.called}{end}").unlink(missing_ok=True)
    source = read_map(config.map) if config.map else HACKER_NEWS
    name = "hn" if config.register == "hackernews" else config.called
    with Archive.open(database, create=True) as archive:
        at = place(archive, name)
        items = source.read(file, author_hasher(directory / "author.key", name))
        archive.add((_cleaned(item, config.register) for item in items), at=at)
    write_json(done, facts)


def _cleaned(item: Item, register: Register) -> Item:
    if not isinstance(item, Post):
        return item
    return item._replace(text=words_only(unquoted(item.text), register), title=title_only(item.title, register))


def _choose(source: ReadCorpus, last: ReadCorpus, directory: Path, progress: Progress) -> None:
    """Empty the train posts that are not read; what the last file holds out, none may say."""
    done = directory / f"{source.config.called}.chosen.json"
    if done.is_file():
        return
    progress(f"choosing of {source.config.called}", 0, None)
    held = chain(source.held(), () if last is source else last.held())
    selection = Selection(held_out_runs(post.own_text for post in held))
    changed = [(post.text, post.title, int(post.state), post.id) for post in _changed(source, selection)]
    with source.archive.writing():
        source.archive.execute_many("UPDATE post SET text = ?, title = ?, state = ? WHERE id = ?", changed)
    write_json(done, {"gone": sum(state != State.LIVE for _, _, state, _ in changed), "changed": len(changed)})


def _changed(source: ReadCorpus, selection: Selection) -> Iterator[Post]:
    """The train posts of which less is left than there was; those that are not read keep their place in the thread."""
    for post in source.posts("train"):
        left = selection.take(post.text) if selection.is_clean(post.title) else ""
        if not left and (post.text or not selection.is_clean(post.title)):
            yield post._replace(text="", title="", state=State.DEAD)
        elif left != post.text:
            yield post._replace(text=left)
