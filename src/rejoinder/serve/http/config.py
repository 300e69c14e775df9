"""The settings of the server."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from rejoinder.config import Checked, PositiveFloat, PositiveInt
from rejoinder.errors import ConfigError


@dataclass(frozen=True)
class ServeConfig(Checked):
    """Who may ask, and how much."""

    host: str = "127.0.0.1"  # the address to listen at
    token: str | None = None  # what every request must bring; None only at a loopback address
    body: PositiveInt = 1_000_000  # bytes of a request at most
    patience: PositiveFloat = 10.0  # seconds for a request to arrive
    longest: PositiveFloat = 60.0  # seconds for an answer to be ready
    quick: PositiveInt = 1  # threads that finish sentences; of two, each waits for the other to let go of the interpreter
    slow: PositiveInt = 1  # threads for everything else
    waiting: PositiveInt = 64  # jobs that may wait for either
    sessions: PositiveInt = 128  # drafts whose state is kept, some 2.4 MB each with the shipped mixture
    idle: PositiveFloat = 1_800.0  # seconds after which a draft's state is dropped
    tokens: PositiveInt = 512  # tokens of one completion at most
    connections: PositiveInt = 512  # open at a time
    held: PositiveInt = 32_000_000  # bytes of large answers that may wait for their readers at a time

    def __post_init__(self) -> None:
        """Check ranges, and that whoever listens to the world asks who is there."""
        super().__post_init__()
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and self.token.strip()):
            raise ConfigError("the token must be of printable ASCII characters, without blanks alone; choose another")
        if self.token is None and not is_loopback(self.host):
            raise ConfigError(
                f"`{self.host}` can be reached from other machines, so a token is needed: give --token or set REJOINDER_TOKEN"
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
