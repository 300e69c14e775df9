"""Every error a user can meet, in one tree.

    RejoinderError              one line for the person: what, where, what to do; the CLI exits 2
    ├── UsageError              the request itself cannot be carried out as asked
    │   ├── ConfigError         a setting is unknown, of the wrong type or out of range
    │   ├── NotPaired           no such browser extension was let in, or asks to be
    │   └── MissingExtra        the command needs packages of an extra that is not installed
    ├── HomeBusy                another process is writing models, or own text, in this home
    ├── DiskFull                what was to be written found no room
    ├── ArchiveError            the archive cannot be opened, read or written
    │   ├── ArchiveBusy         another process has been writing for too long
    │   └── UnknownPost         no such post in the archive
    ├── SourceError             a file or an API could not be read, or not to its end
    └── ModelError              a rung cannot be fitted or loaded
        ├── NothingToLearn      the archive has nothing of the kind that a rung learns from
        ├── NotFitted           there is no fitted model of that rung yet
        ├── StaleModel          the model may still know what was forgotten
        ├── Stopped             a signal stopped a fit; what was kept goes on
        └── DamagedModel        the model directory is not whole, or not what it should be

A library user catches `RejoinderError`. Anything else that escapes is a defect of rejoinder.
"""


class RejoinderError(Exception):
    """Root of the tree; its message is one line a person can act on."""

    def __init__(self, message: str) -> None:
        """Foreign text in `message` (names, addresses, answers) loses what a terminal would obey."""
        super().__init__("".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in message))


class UsageError(RejoinderError):
    """The request cannot be carried out as asked."""


class ConfigError(UsageError):
    """A setting is unknown, of the wrong type or out of range."""


class NotPaired(UsageError):
    """No such extension was let in, or asks to be."""


class MissingExtra(UsageError):
    """A command needs packages of an extra that is not installed."""


class HomeBusy(RejoinderError):
    """Another process is writing models, or own text, in this home."""


class DiskFull(RejoinderError):
    """What was to be written found no room."""


class ArchiveError(RejoinderError):
    """The archive cannot be opened, read or written."""


class ArchiveBusy(ArchiveError):
    """Another process has been writing for too long."""


class UnknownPost(ArchiveError):
    """No such post in the archive."""


class SourceError(RejoinderError):
    """A file or an API could not be read, or not to its end."""


class ModelError(RejoinderError):
    """A rung cannot be fitted or loaded."""


class NothingToLearn(ModelError):
    """The archive has nothing of the kind that a rung learns from, such as replies."""


class NotFitted(ModelError):
    """There is no fitted model of that rung yet."""


class StaleModel(ModelError):
    """The model may still know posts that were forgotten."""


class Stopped(ModelError):
    """A signal stopped a fit; the same command goes on from what was kept."""


class DamagedModel(ModelError):
    """A model directory is not whole, or not what it should be."""


def missing_extra(what: str, extra: str) -> MissingExtra:
    """The error that says that `what` needs the packages of `extra`, and how to get them on this machine."""
    from rejoinder.extras import how_to_get

    return MissingExtra(f"{what} needs the extra `{extra}`: {how_to_get(extra)}")
