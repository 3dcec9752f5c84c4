"""Stays connected: opens one link after the other, until the session ends for good.

Owns the pace (backoff with full jitter, the delays that the server asks for, the close codes that
say stop), the first exchange with its resuming, the watch over silence and the token's renewal.
What comes of an open link goes to `Intake`. Run by `Client`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from client_demo.errors import (
    ClientError,
    CommandError,
    ConnectionLost,
    SessionEnded,
    StateUnusable,
    TokenUnavailable,
)
from client_demo.intake import Intake
from client_demo.link import NO_CODE, Ended, HangUp, Link, open_link
from client_demo.pacing import Backoff, Clock
from client_demo.positions import pages
from client_demo.protocol import TOKEN_EXPIRED, Encoding, Ending, Event, Map
from client_demo.tokens import Tokens

log = logging.getLogger(__name__)

TOPICS_A_FRAME = 500  # some 50 bytes each: far below what a frame may carry
STEADY_S = 10.0  # a session that lived this long counts as a success for the backoff
CONNECTING_S = 30.0  # for the first exchange, resuming included
CODE_WITHIN_S = 2.0  # a refused `connect` is followed by a close code, which says more


class Reconnector:
    """The present link, and the way to the next one."""

    def __init__(
        self,
        url: str,
        encoding: Encoding,
        device: str,
        tokens: Tokens,
        intake: Intake,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        """`random` gives even numbers in [0, 1)."""
        self._url = url
        self._encoding: Encoding = encoding
        self._device = device
        self._tokens = tokens
        self._intake = intake
        self._clock = clock
        self._random = random
        self.trouble = ""
        """Why there was no session the last time, in words."""
        self.link: Link | None = None
        """The present link, if there is one."""
        self._ended: Exception | None = None
        self._standing = asyncio.Event()  # there is a link, or there will be none

    async def online(self) -> Link:
        """The present link, when there is one.

        Raises: what was given to `end`.
        """
        while True:
            await self._standing.wait()
            if self._ended is not None:
                raise self._ended
            if self.link is not None:
                return self.link
            self._standing.clear()

    def lost(self, link: Link) -> None:
        """This link is gone, whoever notices first."""
        if self.link is link:
            self.link = None
            if self._ended is None:
                self._standing.clear()

    def again(self, why: str) -> None:
        """Drop the present link for the next one."""
        if self.link is not None:
            self.link.abort(why)

    def end(self, error: Exception) -> None:
        """There will be no other link."""
        if self._ended is None:
            self._ended = error
            self._standing.set()
            self._intake.end(error)

    async def run(self, recognise: Callable[[Map], Awaitable[None]]) -> None:
        """Open one link after the other; returns once the session has ended for good.

        `recognise` takes each `connect` result and raises StateUnusable if it is not ours.
        """
        backoff = Backoff(self._random)
        while True:
            begun = self._clock.monotonic()
            try:
                ending = await self._session(recognise)
            except Ended as ended:
                ending = ended.ending
            except (SessionEnded, StateUnusable) as final:
                self.end(final)
                return
            except (ConnectionLost, TokenUnavailable, OSError, TimeoutError) as error:
                ending = Ending(NO_CODE, str(error) or type(error).__name__)
            except CommandError as error:
                if not error.retryable:
                    self.end(SessionEnded(0, f"connecting was refused: {error}"))
                    return
                ending = Ending(4013, f"after_ms={error.retry_after_ms or 0}")
            except ClientError as error:  # a token source that will never have one
                self.end(SessionEnded(0, str(error)))
                return
            self.trouble = ending.reason or f"closed with {ending.code}"
            self._intake.offline(ending)
            if ending.final:
                self.end(SessionEnded(ending.code, ending.reason))
                return
            if ending.code == TOKEN_EXPIRED:
                if not self._tokens.renewable:
                    self.end(SessionEnded(ending.code, "the token has expired"))
                    return
                self._tokens.forget()
            if self._clock.monotonic() - begun >= STEADY_S:
                backoff.reset()
            wait_s = max(ending.after_s, backoff.next_s())
            log.info("offline (%d %s): again in %.1f s", ending.code, ending.reason, wait_s)
            await self._clock.sleep(wait_s)

    async def _session(self, recognise: Callable[[Map], Awaitable[None]]) -> Ending:
        """Connect, resume and read until the connection ends."""
        token = await self._tokens.current()
        link = await open_link(self._url, self._encoding, self._clock)
        try:
            async with asyncio.timeout(CONNECTING_S):
                resumed, result, early = await self._connect(link, token)
            await recognise(result)
            self._intake.opened(result, resumed=resumed)
            self.link = link
            self._standing.set()
            if self._intake.resume_due:  # the application caught up while this one was opening
                return Ending(NO_CODE, "to resume")
            ending = await self._live(link, result, early)
        finally:
            self.lost(link)
            await link.close()
        return ending

    async def _connect(self, link: Link, token: str) -> tuple[bool, Map, list[Event]]:
        """The first exchange: who we are, and where we go on from. Says whether it resumed."""
        params: Map = {"token": token}
        if self._device:
            params["device"] = self._device
        rest: list[dict[str, int]] = []
        resume = self._intake.resume()
        if resume is not None:
            seen, params["epoch"] = resume
            params["resume"], *rest = pages(seen, TOPICS_A_FRAME)
            if rest:
                params["resume_more"] = True
        try:
            result, early = await link.exchange("connect", params)
        except CommandError:
            await link.ended_within(CODE_WITHIN_S)
            raise
        for number, page in enumerate(rest, 1):
            more: Map = {"topics": page}
            if number < len(rest):
                more["more"] = True
            part, events = await link.exchange("resume", more)
            early += events
            result = {**result, **part}  # the last one answers for all topics
        return resume is not None, result, early

    async def _live(self, link: Link, opened: Map, early: list[Event]) -> Ending:
        try:
            for event in early:
                self._intake.take(event)
        except HangUp as gap:
            return Ending(NO_CODE, str(gap))
        async with asyncio.TaskGroup() as group:
            beside = [
                group.create_task(link.watch(2 * opened["ping_s"])),
                group.create_task(self._keep_token(link, opened)),
            ]
            ending = await link.read(self._intake.take)
            for task in beside:
                task.cancel()
        return ending

    async def _keep_token(self, link: Link, opened: Map) -> None:
        """Refresh the token well before it expires; returns when there is nothing to do."""
        backoff = Backoff(self._random)
        begun, expires_at = self._clock.monotonic(), opened["expires_at"]
        while self._tokens.renewable:
            server_now = opened["now"] + (self._clock.monotonic() - begun) * 1000
            left_s = (expires_at - server_now) / 1000
            # Spread, so that clients that connected together do not refresh together.
            await self._clock.sleep(max(left_s * (0.7 + 0.2 * self._random()), 1.0))
            try:
                result = await link.call("refresh", {"token": await self._tokens.fresh()})
                expires_at = result["expires_at"]
                backoff.reset()
            except ConnectionLost:
                return
            except (ClientError, OSError) as error:
                log.warning("the token could not be renewed: %s", type(error).__name__)
                await self._clock.sleep(backoff.next_s())
