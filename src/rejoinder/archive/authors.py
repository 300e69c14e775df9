"""Author names as keyed hashes: enough to count distinct authors and to forget one, not enough to read a name.

The key lies in a file of its own (mode 0600), apart from the archive: who has only the archive cannot test names against it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rejoinder.archive.source import HN, Hasher
from rejoinder.errors import ArchiveError

_KEY_BYTES = 32
_HASH_BYTES = 16


def author_hasher(key_file: Path, source: str = HN, *, hashed: bool | None = None) -> Hasher:
    """What hides the authors of a source, with the key in `key_file`, made at first use; and numbers its posts."""
    return Hasher(_key(key_file), source, hashed)


def item_hasher(key_file: Path) -> Callable[[int], bytes]:
    """The function from an item's id to its hash (16 bytes), with the same key; no author's hash equals it."""
    key = _key(key_file)
    return lambda number: hashlib.blake2b(b"item %d" % number, key=key, digest_size=_HASH_BYTES, person=b"item").digest()


def _key(file: Path) -> bytes:
    """Read the key; make it if there is none. It appears whole or not at all, and of two processes one makes it for both."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made:
                made.write(secrets.token_bytes(_KEY_BYTES))
            with suppress(FileExistsError):
                os.link(new, file)
        finally:
            new.unlink(missing_ok=True)
    key = file.read_bytes()
    if len(key) != _KEY_BYTES:
        raise ArchiveError(
            f"{file}: the author key must be {_KEY_BYTES} bytes; got {len(key)}. Restore it from a backup; "
            "without it, names cannot be matched with the archive"
        )
    return key
