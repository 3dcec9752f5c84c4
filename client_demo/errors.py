"""Every error the client raises on purpose, as one tree.

ClientError
├── CommandError         the server's answer to one command: code, message, retryable, details
├── ConnectionLost       the connection went while a command waited: it may have happened
│   └── NoAnswer         no answer within the time allowed: it may have happened
├── SessionEnded         the server ended it for good (4500–4999), or nothing can renew the token
├── TokenUnavailable     raised by a token source that may be asked again later
├── OutboxFull           the outbox holds as many unsent messages as it may
└── StateUnusable        the state file belongs to another member, or another process holds it
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """The root: everything below is raised on purpose and has words for a person."""


class CommandError(ClientError):
    """The server's answer to one command that it did not carry out.

    `code` is one of the wire's error codes, `retryable` whether the same command may succeed
    later, `details` what else the error map carried.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retryable: bool = False,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retryable = retryable
        self.details: Mapping[str, Any] = details or {}

    @property
    def field(self) -> str | None:
        """For `invalid`: the parameter that was wrong."""
        return self._text("field")

    @property
    def rule(self) -> str | None:
        """For `refused`: the rule that forbids it."""
        return self._text("rule")

    @property
    def ref(self) -> str | None:
        """For `internal`: where the server's log says more."""
        return self._text("ref")

    @property
    def cost(self) -> int | None:
        """For `costs_credit`: the credits it would cost."""
        return self._number("cost")

    @property
    def balance(self) -> int | None:
        """For `costs_credit`: the credits there are."""
        return self._number("balance")

    @property
    def retry_after_ms(self) -> int | None:
        """For `rate_limited`: how long to wait before the same command, in milliseconds."""
        return self._number("retry_after_ms")

    def _text(self, name: str) -> str | None:
        value = self.details.get(name)
        return value if isinstance(value, str) else None

    def _number(self, name: str) -> int | None:
        value = self.details.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


class ConnectionLost(ClientError):
    """The connection went while a command waited for its answer: it may or may not have happened.

    A command with a `client_id` is safe to repeat.
    """


class NoAnswer(ConnectionLost):
    """No answer came within the time allowed; offline for all of it, or a slow server."""


class SessionEnded(ClientError):
    """The session is over and reconnecting would not help; `code` is the close code, if any."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the session has ended ({code}): {reason}" if code else reason)
        self.code = code
        self.reason = reason


class TokenUnavailable(ClientError):
    """A token source has no token now; it is asked again after a while."""


class OutboxFull(ClientError):
    """The outbox holds as many unsent messages as it may: this one was not taken."""


class StateUnusable(ClientError):
    """The state file belongs to another member, is held by another process, or is not one."""
