"""Browser extensions that may ask this home's server: each was let in by a person who typed the code that it showed.

    HOME/pairings.json    readable by this user alone: who is let in, and who asks to be; of tokens and secrets only SHA-256
    HOME/pairing.lock     whoever changes it

An extension asks with a secret of its own and is given a code to show. Once a person has confirmed the code, whoever brings the
same origin and the same secret is given a token, once. A code confirms once, within minutes, and a few wrong ones end all that
wait. An origin has one token: pairing again ends the one before.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from time import time

from rejoinder.errors import NotPaired, SourceError
from rejoinder.files import write_atomically
from rejoinder.home.lock import locked

FILE, LOCK = "pairings.json", "pairing.lock"
SECONDS = 300  # that a code can be confirmed in
MOST_ASKING, MOST_PAIRED, MOST_WRONG = 8, 50, 10
_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # none that is taken for another
_EXTENSION = re.compile(r"chrome-extension://[a-p]{32}|(?:moz|safari-web)-extension://[0-9A-Fa-f-]{36}")


@dataclass(frozen=True, slots=True)
class Paired:
    """An extension that may ask."""

    id: str  # by which it is revoked
    origin: str
    name: str  # what it calls itself
    since: int  # seconds since 1970
    token: str = field(repr=False)  # SHA-256 of it, hex


@dataclass(frozen=True, slots=True)
class _Asking:
    """An extension that would like to."""

    origin: str
    name: str
    secret: str  # SHA-256 of it, hex
    code: str
    until: int  # seconds since 1970
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the file holds."""

    paired: tuple[Paired, ...] = ()
    asking: tuple[_Asking, ...] = ()
    wrong: int = 0  # codes that were wrong since the last right one


def is_extension(origin: str) -> bool:
    """Whether this is the origin of a browser's extension."""
    return _EXTENSION.fullmatch(origin) is not None


class Pairings:
    """Who is paired with a home. Any number of processes may hold one."""

    def __init__(self, home: Path, now: Callable[[], float] = time) -> None:
        """`now`: seconds since 1970."""
        self._home, self._file, self._now = home, home / FILE, now
        self._seen: tuple[int, int, int] | None = None  # the file as it was last read
        self._last = _Kept()

    def ask(self, origin: str, secret: str, name: str) -> str:
        """The code that the extension of `origin` is to show; what it asked before no longer counts."""
        code = "".join(secrets.choice(_LETTERS) for _ in range(8))
        with self._changing() as kept:
            others = [one for one in kept.asking if one.origin != origin][-(MOST_ASKING - 1) :]
            mine = _Asking(origin, name, _hash(secret), code, int(self._now()) + SECONDS)
            self._write(replace(kept, asking=(*others, mine)))
        return f"{code[:4]}-{code[4:]}"

    def confirm(self, code: str) -> str:
        """Let in whoever shows `code`; what it calls itself.

        Raises:
            NotPaired: nobody shows that code (any more).
        """
        plain = re.sub(r"[\s-]", "", code).upper()
        with self._changing() as kept:
            for place, one in enumerate(kept.asking):
                if compare_digest(one.code.encode(), plain.encode()) and not one.confirmed:
                    asking = (*kept.asking[:place], replace(one, confirmed=True), *kept.asking[place + 1 :])
                    self._write(replace(kept, asking=asking, wrong=0))
                    return one.name
            wrong = kept.wrong + 1
            self._write(replace(kept, wrong=0, asking=()) if wrong >= MOST_WRONG else replace(kept, wrong=wrong))
        raise NotPaired("no extension shows this code now: codes last five minutes and are good for once; show a new one")

    def claim(self, origin: str, secret: str) -> str | None:
        """The token of the extension of `origin`; None while its code waits to be confirmed.

        Raises:
            NotPaired: it did not ask, or too long ago, or has its token already.
        """
        hashed = _hash(secret)
        if not any(_is(one, origin, hashed) for one in self._alive(self._read())):  # without the lock: it is asked every second
            raise NotPaired("this extension has not asked to be paired, or too long ago; ask again")
        with self._changing() as kept:
            asked = next((one for one in kept.asking if _is(one, origin, hashed)), None)
            if asked is None or not asked.confirmed:
                return None
            token = secrets.token_urlsafe(32)
            mine = Paired(secrets.token_hex(4), origin, asked.name, int(self._now()), _hash(token))
            paired = [one for one in kept.paired if one.origin != origin][-(MOST_PAIRED - 1) :]
            self._write(_Kept((*paired, mine), tuple(one for one in kept.asking if one is not asked)))
        return token

    def allows(self, origin: str | None, token: bytes) -> bool:
        """Whether `token` is that of the extension of `origin`, or where none was sent (as browsers do with GET) of any."""
        hashed = sha256(token).hexdigest()
        return any(compare_digest(one.token, hashed) and origin in (None, one.origin) for one in self._read().paired)

    def listed(self) -> tuple[Paired, ...]:
        """Who is paired, the longest first."""
        return self._read().paired

    def waiting(self) -> int:
        """How many show a code that was not confirmed yet."""
        return sum(not one.confirmed for one in self._alive(self._read()))

    def revoke(self, number: str) -> bool:
        """End a pairing; whether there was one of that id."""
        with self._changing() as kept:
            left = tuple(one for one in kept.paired if one.id != number)
            if len(left) < len(kept.paired):
                self._write(replace(kept, paired=left))
        return len(left) < len(kept.paired)

    @contextmanager
    def _changing(self) -> Iterator[_Kept]:
        with locked(self._home, "pair", LOCK, patience=5.0):
            kept = self._read()
            yield replace(kept, asking=self._alive(kept))

    def _alive(self, kept: _Kept) -> tuple[_Asking, ...]:
        """Those that still wait; a clock that was set back gives nobody more time."""
        return tuple(one for one in kept.asking if 0 < one.until - self._now() <= SECONDS)

    def _read(self) -> _Kept:
        """What the file holds now; it is read again only if it has changed.

        Raises:
            SourceError: it is damaged.
        """
        try:
            about = self._file.stat()
            seen = (about.st_mtime_ns, about.st_size, about.st_ino)
            if seen != self._seen:
                found = json.loads(self._file.read_bytes())
                paired, asking = (Paired(**one) for one in found["paired"]), (_Asking(**one) for one in found["asking"])
                self._last, self._seen = _Kept(tuple(paired), tuple(asking), int(found["wrong"])), seen
        except FileNotFoundError:
            self._last, self._seen = _Kept(), None
        except (ValueError, KeyError, TypeError) as error:
            raise SourceError(f"{self._file} is damaged; remove it, then pair the extensions again") from error
        return self._last

    def _write(self, kept: _Kept) -> None:
        write_atomically(self._file, (json.dumps(asdict(kept), indent=1) + "\n").encode(), 0o600)


def _is(one: _Asking, origin: str, hashed: str) -> bool:
    return one.origin == origin and compare_digest(one.secret, hashed)


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
