"""Every error Subrosa raises on purpose, as one tree, with what each is on the wire.

SubrosaError
├── SetupError              the operator must change something: one line, non-zero exit
│   ├── StoreUnavailable    the database cannot be reached, opened or migrated
│   └── DataDirHeld         another process serves from this directory
├── StoreFailed             a transaction did not happen; nothing of it is stored
│   └── OutcomeUnknown      the commit itself failed: it may or may not have happened
└── CommandError            the answer to one command; the caller may act on it
    ├── Invalid             400  malformed, unknown, missing, mistyped, too long
    ├── Unauthenticated     401  no token or key, a bad one, or not connected
    │   ├── TokenExpired         close code 4005
    │   └── TokenRevoked         close code 4508
    ├── CostsCredit         402  it would cost more than `max_cost`
    ├── Unreachable         403  unknown, foreign, blocked, closed or private: never says which
    ├── Refused             409  a rule the caller may know, named by `rule`
    ├── ClientIdReused      409  the same client_id with other content
    ├── TooLarge            413  a frame or body beyond the limits
    ├── RateLimited         429  repeat after `retry_after_ms`
    ├── Internal            500  a fault of the server, logged under `ref`
    ├── Busy                503  overload or draining
    └── UnknownOutcome      503  may or may not have happened: repeat with the same client_id
"""

from __future__ import annotations

from typing import ClassVar


class SubrosaError(Exception):
    """The root: everything below is raised on purpose and has words for a person."""


class SetupError(SubrosaError):
    """What keeps the server from starting, in one line that says what to do."""


class StoreUnavailable(SetupError):
    """The database cannot be reached, opened or brought to this version."""


class DataDirHeld(SetupError):
    """An embedded server holds the data directory; `address` is where it listens, if known."""

    def __init__(self, message: str, address: str | None = None) -> None:
        super().__init__(message)
        self.address = address


class StoreFailed(SubrosaError):
    """A transaction failed before its commit: nothing of it is stored."""


class OutcomeUnknown(StoreFailed):
    """The commit failed: what it wrote may or may not be stored."""


class CommandError(SubrosaError):
    """The answer to a command that was not carried out.

    `details` are further fields of the wire's error map, e.g. {"field": "body"}.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    retryable: ClassVar[bool] = False
    words: ClassVar[str]

    def __init__(self, message: str | None = None, **details: str | int) -> None:
        super().__init__(message or self.words)
        self.message = message or self.words
        self.details = details

    def to_wire(self) -> dict[str, object]:
        """The error map: code, message, retryable, and the details."""
        return {
            "code": self.code,
            "message": self.message,
            "retryable": self.retryable,
            **self.details,
        }


class Invalid(CommandError):
    code, status = "invalid", 400
    words = "The command is malformed."


class Unauthenticated(CommandError):
    code, status = "unauthenticated", 401
    words = "A valid token is needed."


class TokenExpired(Unauthenticated):
    words = "The token has expired: get a new one."


class TokenRevoked(Unauthenticated):
    words = "The token was revoked."


class CostsCredit(CommandError):
    code, status = "costs_credit", 402
    words = "This costs credits: more than max_cost allows, or than there are."


class Unreachable(CommandError):
    """One text and no detail: whatever the cause, the caller gets the same bytes."""

    code, status = "unreachable", 403
    words = "There is nothing here that you can reach."

    def __init__(self) -> None:
        super().__init__()


class Refused(CommandError):
    code, status = "refused", 409
    words = "A rule forbids this."

    def __init__(self, rule: str, message: str, **details: str | int) -> None:
        super().__init__(message, rule=rule, **details)


class ClientIdReused(CommandError):
    code, status = "client_id_reused", 409
    words = "This client_id was used for something else: choose a new one."


class TooLarge(CommandError):
    code, status = "too_large", 413
    words = "That is larger than the limits allow."


class RateLimited(CommandError):
    code, status, retryable = "rate_limited", 429, True
    words = "Too many commands: wait, then repeat."


class Internal(CommandError):
    code, status, retryable = "internal", 500, True
    words = "The server failed at this; its log knows more under this ref."


class Busy(CommandError):
    code, status, retryable = "busy", 503, True
    words = "The server cannot take this now: repeat in a moment."


class UnknownOutcome(CommandError):
    code, status, retryable = "unknown_outcome", 503, True
    words = "This may or may not have happened: repeat it with the same client_id."


def tree() -> dict[str, type[CommandError]]:
    """Every wire code with its class: the reference documents are made from it."""
    return {kind.code: kind for kind in CommandError.__subclasses__()}
