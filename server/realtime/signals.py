"""Signals: what has no position, and for whom it is true when it gets here.

A signal names the head of its topic and the last fence that its decision knew. A hub that is not as
far yet keeps it until it is; one that has applied a later fence drops it where its sender, its
receiver or its conversation is concerned. Owned by the hub, on the loop's thread.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from server.commands.outcome import Ending, Signal
from server.domain.policy import Policy
from server.realtime.framing import Frames

if TYPE_CHECKING:
    from server.realtime.hub import Hub

EARLY: Final = 1_000  # ahead of this node; beyond it the oldest are dropped
EARLY_MS: Final = 5_000  # then what they say is soon untrue anyway
FENCED: Final = 100_000  # ends of access remembered for signals that are still on their way


class Signals:
    """One hub's."""

    def __init__(self, hub: Hub, policy: Policy) -> None:
        self._hub = hub
        self._policy = policy
        self._fenced: dict[tuple[str, str], int] = {}
        self._typing: dict[tuple[str, str, str], int] = {}
        self._early: deque[tuple[int, Signal]] = deque(maxlen=EARLY)
        self._since_ms = 0
        self._floor = 0

    def receive(self, signal: Signal) -> None:
        """For those attached whose switch is on, unless it has become untrue."""
        hub = self._hub
        live = hub.topics.get(signal.topic)
        if live is None or signal.fence < self._floor:
            return
        if self._outdated(signal, ("member", signal.sender)):
            return
        if signal.fence > hub.fences.applied or signal.roster > live.pos:
            self._wait(signal)
            return
        if self._outdated(signal, ("topic", signal.topic)) or self._too_soon(signal):
            return
        frames = Frames(
            signal.topic,
            {"event": signal.name, "topic": signal.topic, "data": signal.data},
            signal=True,
        )
        for session in live.sessions:
            audience = session.audience
            if not audience.receipts or audience.member in (signal.sender, *signal.apart):
                continue
            held = session.topics.get(live.name)
            if held is None or held.known > signal.roster:
                continue  # said before this session came here, perhaps before its member joined
            if not self._outdated(signal, ("member", audience.member)):
                hub.outflow.push(session, frames.item(session.codec))
                hub.counters.signals += 1

    def retry(self) -> None:
        """This node has come further: perhaps far enough for what was ahead of it."""
        if self._early:
            early, self._early = self._early, deque(maxlen=EARLY)
            oldest_ms = self._hub.now_ms() - EARLY_MS
            for since_ms, signal in early:
                if since_ms >= oldest_ms:
                    self._since_ms = since_ms
                    self.receive(signal)
            self._since_ms = 0

    def _wait(self, signal: Signal) -> None:
        self._early.append((self._since_ms or self._hub.now_ms(), signal))

    def forget(self, floor: int) -> None:
        """What ended up to this fence is not known here: no signal from before it counts."""
        self._fenced.clear()
        self._floor = max(self._floor, floor)

    def fence(self, ending: Ending) -> None:
        """An end of access was applied."""
        if len(self._fenced) > FENCED:
            self.forget(ending.seq - 1)
        concerned = [("member", ending.member)]
        if ending.other:
            concerned.append(("member", ending.other))
        if ending.topic:
            concerned = [("topic", ending.topic)]
        for who in concerned:
            self._fenced[who] = max(ending.seq, self._fenced.get(who, 0))

    def _outdated(self, signal: Signal, who: tuple[str, str]) -> bool:
        return self._fenced.get(who, 0) > signal.fence

    def _too_soon(self, signal: Signal) -> bool:
        """Typing is renewed at most every 3 s: what comes sooner says nothing new."""
        key = (signal.topic, str(signal.data["conversation"]), signal.sender)
        if not signal.lasts_ms:
            self._typing.pop(key, None)
            return False
        now = self._hub.now_ms()
        if 0 <= now - self._typing.get(key, 0) < self._policy.typing_renew_ms:
            return True
        if len(self._typing) > FENCED:
            self._typing.clear()
        self._typing[key] = now
        return False
