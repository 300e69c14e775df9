"""What is counted over a whole archive: as a map over shards of its threads, and a merge of what each left.

    a map     takes the threads of one shard, or what an earlier map left of it, and gives arrays by name
    a merge   reads the arrays of all shards, in the order of the shards, and gives the same however the threads were cut

Each count states its own two. With one worker the threads pass from the archive to the map, a shard at a time; with several they
are written as files first, a thread a line, so that a map is a call (`rejoinder.text.calls`) that may be done anywhere and again.
What maps leave lies in files of a folder, one for each array, and is read a range of keys at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from importlib import import_module
from itertools import count
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rejoinder.post import Kind, Post, State, Thread
from rejoinder.text.calls import HERE, Call, CallRunner, Told
from rejoinder.text.columns import NumberColumn, NumberColumns

SHARD = 2**23  # characters of the posts of a shard, about
_SAID_EVERY = 500  # posts
AT_A_TIME = 2**20  # rows merged together

Array = NDArray[Any]
Arrays = Mapping[str, Array]
Map = Callable[..., Arrays]


class StoredArrays(Mapping[str, Array]):
    """Arrays in the files of a folder, memory-mapped only while somebody has them."""

    def __init__(self, folder: Path) -> None:
        """Nothing is opened yet."""
        self.folder = folder

    def __getitem__(self, name: str) -> Array:
        """The array of that name."""
        return np.asarray(np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False))

    def __iter__(self) -> Iterator[str]:
        """Their names."""
        return (file.stem for file in sorted(self.folder.iterdir()))

    def __len__(self) -> int:
        """How many there are."""
        return sum(1 for _ in self)


class Shards:
    """Threads in shards, each counted by itself."""

    def __init__(
        self,
        threads: Callable[[], Iterable[Thread]],
        workdir: Path | None = None,
        runner: CallRunner = HERE,
        *,
        size: int = SHARD,
        posts: int | None = None,
    ) -> None:
        """`threads` are asked for anew for each map; what maps leave lies in `workdir`, whose owner removes it, or in memory.

        `posts`: how many there are, for progress.
        """
        self._threads, self.workdir, self._size, self._posts = threads, workdir, size, posts
        self._runner = HERE if workdir is None else runner
        self.workers = self._runner.count  # that map at a time

    @classmethod
    def of(cls, posts: Iterable[Post]) -> Shards:
        """Some posts as one shard, in memory."""
        thread = Thread(0, tuple(posts))
        return cls(lambda: [thread])

    def map(
        self, function: Map, told: Callable[[int, int | None], object] = lambda done, of: None, **settings: Any
    ) -> list[Arrays]:
        """What `function(threads, **settings)` gives of each shard; `told` how many posts are done, of how many.

        A setting that is a path is a file that is read; elsewhere it is given as text.
        """
        if self.workers == 1:
            done = count(1)
            say = partial(_telling, told=lambda: told(next(done) * _SAID_EVERY, self._posts))
            return [self._keep(function(say(threads), **settings)) for threads in cut(self._threads(), self._size)]

        def in_posts(done: int, of: int) -> None:
            told(done * (self._posts or 0) // of, self._posts)

        return self._call(function, map_threads, [str(file) for file in self._files], [], settings, in_posts)

    def map_again(self, function: Map, left: Sequence[Arrays], *beside: Arrays, **settings: Any) -> list[Arrays]:
        """What `function(arrays, *beside, **settings)` gives of what an earlier map left of each shard."""
        if self.workers == 1:
            return [self._keep(function(arrays, *beside, **settings)) for arrays in left]
        return self._call(function, map_arrays, [_folder(arrays) for arrays in left], [*map(_folder, beside)], settings)

    def collect(self, kinds: Mapping[str, Any], most: int, pieces: Iterable[Sequence[Array]]) -> Arrays:
        """Pieces one after the other, each of as many arrays as there are `kinds`, of at most so many rows altogether."""
        columns = NumberColumns(self.workdir)
        made, written = [columns.new(kind, most) for kind in kinds.values()], 0
        for piece in pieces:
            for column, values in zip(made, piece, strict=True):
                column.write(written, values)
            written += len(piece[0])
        found = {name: column.done(written) for name, column in zip(kinds, made, strict=True)}
        if columns.folder is None:
            return found
        for at, name in enumerate(kinds, start=1):
            (columns.folder / f"{at}.npy").rename(columns.folder / f"{name}.npy")
        return StoredArrays(columns.folder)

    def drop(self, *left: Sequence[Arrays]) -> None:
        """What these maps left is needed no more."""
        for arrays in (arrays for some in left for arrays in some):
            if isinstance(arrays, StoredArrays):
                rmtree(arrays.folder)

    @cached_property
    def _files(self) -> list[Path]:
        """A file for each shard."""
        folder = Path(mkdtemp(dir=self.workdir))
        files = []
        for number, threads in enumerate(cut(self._threads(), self._size)):
            files.append(folder / f"{number}.jsonl")
            write_shard(files[-1], threads)
        return files

    def _keep(self, arrays: Arrays) -> Arrays:
        if self.workdir is None:
            return arrays
        folder = Path(mkdtemp(dir=self.workdir))
        _write(folder, arrays)
        return StoredArrays(folder)

    def _call(
        self, function: Map, call: Callable[..., None], sources: list[str], beside: list[str], settings: Any, *told: Told
    ) -> list[Arrays]:
        folder = Path(mkdtemp(dir=self.workdir))
        targets = [folder / str(number) for number in range(len(sources))]
        told_as_text = {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()}
        what = {"function": f"{function.__module__}:{function.__name__}", "beside": beside, "settings": told_as_text}
        read = ("source", "beside", *(f"settings/{name}" for name, value in settings.items() if isinstance(value, Path)))
        work = ({"source": source, "target": str(to), **what} for source, to in zip(sources, targets, strict=True))
        calls = [Call(f"{__name__}:{call.__name__}", one, read, ("target",)) for one in work]
        self._runner.run(calls, *told)
        return [StoredArrays(target) for target in targets]


def map_threads(source: str, target: str, function: str, beside: Sequence[str], settings: Mapping[str, Any]) -> None:
    """Map the threads of a file; what comes of it appears in the folder `target` when it is whole."""
    _once(Path(target), lambda: _named(function)(read_shard(Path(source)), **settings))


def map_arrays(source: str, target: str, function: str, beside: Sequence[str], settings: Mapping[str, Any]) -> None:
    """The same of what an earlier map left in the folder `source`."""
    _once(Path(target), lambda: _named(function)(*(StoredArrays(Path(one)) for one in (source, *beside)), **settings))


def write_shard(file: Path, threads: Iterable[Thread]) -> None:
    """Write threads, one a line."""
    with file.open("w", encoding="utf-8") as opened:
        for thread in threads:
            posts = [post if post.author is None else post._replace(author=post.author.hex()) for post in thread.posts]  # type: ignore[arg-type]
            opened.write(json.dumps([thread.key, posts], separators=(",", ":")) + "\n")


def read_shard(file: Path) -> Iterator[Thread]:
    """What `write_shard` wrote."""
    with file.open(encoding="utf-8") as opened:
        for line in opened:
            key, posts = json.loads(line)
            yield Thread(key, tuple(map(_post, posts)))


def rows_by_key(left: Sequence[Arrays], names: Sequence[str], at_a_time: int = AT_A_TIME) -> Iterator[list[Array]]:
    """The rows of all shards, a range of keys at a time, in the order of their keys, those of one in the order of the shards.

    The last array says of each row which shard it is of.

    `names`: of the arrays; the first holds each shard's keys, (N,) uint64, ascending, hashes: spread evenly.
    """
    total = sum(len(arrays[names[0]]) for arrays in left)
    ranges = -(-total // at_a_time)
    begins = [0] * len(left)
    for number in range(1, ranges + 1):
        pieces = []
        for at, arrays in enumerate(left):
            columns = [NumberColumn.over(arrays[name]) for name in names]
            end = len(columns[0]) if number == ranges else _first_from((number << 64) // ranges, columns[0], begins[at])
            pieces.append([*(column.read(begins[at], end) for column in columns), np.full(end - begins[at], at, np.int32)])
            begins[at] = end
        rows = [np.concatenate(arrays) for arrays in zip(*pieces, strict=True)]
        order = np.argsort(rows[0], kind="stable")
        yield [row[order] for row in rows]


def _first_from(key: int, keys: NumberColumn, begin: int) -> int:
    """The place of the first of ascending keys that is not below `key`, from `begin` on."""
    first, last = begin, len(keys)
    while first < last:
        middle = (first + last) // 2
        first, last = (middle + 1, last) if keys[middle] < key else (first, middle)
    return first


def cut(threads: Iterable[Thread], size: int = SHARD) -> Iterator[list[Thread]]:
    """Threads in lists of so many characters each, and one thread at least; one list at least, if it be empty."""
    some: list[Thread] = []
    held = lists = 0
    for thread in threads:
        some.append(thread)
        held += sum(len(post.text) + len(post.title) for post in thread.posts)
        if held >= size:
            yield some
            some, held, lists = [], 0, lists + 1
    if some or not lists:
        yield some


def _post(row: list[Any]) -> Post:
    post = Post(*row)
    author = None if post.author is None else bytes.fromhex(str(post.author))
    return post._replace(kind=Kind(post.kind), state=State(post.state), author=author)


def _telling(threads: Iterable[Thread], told: Callable[[], object]) -> Iterator[Thread]:
    """The same threads; it is told of every so many posts."""
    read = 0
    for thread in threads:
        if read // _SAID_EVERY != (read := read + len(thread.posts)) // _SAID_EVERY:
            told()
        yield thread


def _folder(arrays: Arrays) -> str:
    if not isinstance(arrays, StoredArrays):
        raise TypeError("what several processes read must lie in files")
    return str(arrays.folder)


def _named(function: str) -> Map:
    module, _, name = function.partition(":")
    if not module.startswith("rejoinder."):
        raise ValueError(f"{function} is none of ours")
    found: Map = getattr(import_module(module), name)
    return found


def _write(folder: Path, arrays: Arrays) -> None:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def _once(target: Path, make: Callable[[], Arrays]) -> None:
    """What is made appears whole; what is there already is left as it is."""
    if target.is_dir():
        return
    scratch = Path(mkdtemp(dir=target.parent))
    try:
        _write(scratch, make())
        scratch.rename(target)
    except OSError:
        if not target.is_dir():
            raise  # else the same call was quicker elsewhere
    finally:
        rmtree(scratch, ignore_errors=True)
