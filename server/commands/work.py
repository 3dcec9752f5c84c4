"""One command's decision in the making: facts to read, rows to put, events to emit.

A handler reads everything that it needs, then decides, then puts; nothing that it did counts
before it returns, so it may be run again when facts were missing. `Facts` is the reading half,
which the handlers of reads share over a snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

from msgspec.structs import replace

from server.commands.facts import FenceHead, Ident, Missing, Want, World
from server.commands.outcome import Caller, Ending, Event, Opened, Signal
from server.domain.ids import Ids
from server.domain.policy import Policy
from server.domain.rows import Conversation, Entry, Fence, Member, Row, Topic

R = TypeVar("R", bound=Row)
APART = "apart"  # of an entry: from whom it is kept, by key


class Facts(Protocol):
    """What both a transaction and a snapshot know."""

    @property
    def now_ms(self) -> int:
        """The time of the batch or snapshot, Unix milliseconds."""

    @property
    def ids(self) -> Ids:
        """Keys to wire ids and back."""

    @property
    def policy(self) -> Policy:
        """The numbers in force."""

    def find(self, kind: type[R], ident: Ident) -> R | None:
        """The row of this identity as it is now, or None."""

    def want(self, *wants: Want) -> None:
        """Say what will be needed, so that it is read at once rather than one by one."""


class Deployment:
    """What is one for the whole deployment and the same in every batch."""

    def __init__(self, ids: Ids, policy: Policy, epoch: str, keys: Iterator[int]) -> None:
        self.node = ""  # this process's name among several; "" where it is alone
        self.ids = ids
        self.policy = policy
        self.epoch = epoch
        self.keys = keys


class Work:
    """A command's transaction as its handler sees it."""

    __slots__ = ("caller", "deployment", "drops", "endings", "events", "ids", "now_ms", "now_us",
                 "opened", "policy", "put_rows", "signals", "until", "world")  # fmt: skip

    def __init__(self, world: World, deployment: Deployment, caller: Caller, now_us: int) -> None:
        self.world = world
        self.caller = caller
        self.deployment = deployment
        self.ids = deployment.ids
        self.policy = deployment.policy
        self.now_us = now_us
        self.now_ms = now_us // 1000
        self.put_rows: dict[tuple[type[Row], Ident], Row] = {}
        self.drops: list[tuple[type[Row], dict[str, Sequence[Any]]]] = []
        self.events: list[Event] = []
        self.signals: list[Signal] = []
        self.endings: list[Ending] = []
        self.opened: Opened | None = None
        self.until = 0

    def want(self, *wants: Want) -> None:
        """Raises `Missing` with all of these that are not known yet. To want or find a topic's
        row claims the topic: nobody else changes what it guards until the commit."""
        known = self.world.known
        missing: list[Want] = []
        for want in wants:
            if want[1] not in known.get(want[0], ()) and want not in self.put_rows:
                missing.append(want)  # noqa: PERF401 - almost never, and so cheaper
        if missing:
            raise Missing(missing)

    def find(self, kind: type[R], ident: Ident) -> R | None:
        """The row as earlier commands and this one left it. Raises `Missing` if not read yet."""
        if self.put_rows:
            mine = self.put_rows.get((kind, ident))
            if mine is not None:
                return mine  # type: ignore[return-value]
        try:
            return self.world.known[kind][ident]  # type: ignore[return-value]
        except KeyError:
            raise Missing([(kind, ident)]) from None

    def glance(self, *wants: Want) -> None:
        """`want` without a claim: these may change before the commit, and may be older than what
        the command's own topics say."""
        Work.want(self, *wants)

    def seen(self, kind: type[R], ident: Ident) -> R:
        """A row that was glanced at, and that another row refers to."""
        return self._there(Work.find(self, kind, ident), kind, ident)

    def need(self, kind: type[R], ident: Ident) -> R:
        """A row that another row refers to, so that it exists."""
        return self._there(self.find(kind, ident), kind, ident)

    @staticmethod
    def _there(row: R | None, kind: type[R], ident: Ident) -> R:
        if row is None:
            raise LookupError(f"{kind.__name__} {ident} is referred to but not stored")
        return row

    def put(self, row: Row) -> None:
        """The new version of a row, or a new row."""
        self.put_rows[type(row), row.ident] = row

    def drop(self, kind: type[Row], **those: Sequence[Any]) -> None:
        """Remove every row of a kind whose columns have one of these values each, before what is
        put is written. Only of kinds that no batch remembers: see `World.trim`."""
        self.drops.append((kind, those))

    def new_key(self) -> int:
        """A key that no row has had."""
        return next(self.deployment.keys)

    def emit(
        self,
        topic_key: int,
        name: str,
        data: dict[str, Any],
        *,
        ended: tuple[str, ...] = (),
        conversation: int = 0,
        message: int = 0,
        member: int = 0,
        refs: dict[str, object] | None = None,
        apart: tuple[Member, ...] = (),
    ) -> int:
        """Append an event to a topic's log; answers its position.

        `data` is what goes out now; the log keeps `conversation`, `message`, `member` by key and
        `refs`, from which `server.commands.log` builds it again. `apart` are those of the topic's
        audience from whom it is kept: they are given its position alone.
        """
        topic = self.need(Topic, topic_key)
        pos = topic.head + 1
        self.put(replace(topic, head=pos, changed_ms=self.now_ms))
        kept = refs or {}
        if apart:
            kept = {**kept, APART: [one.key for one in apart]}
        self.put(Entry(topic_key, pos, name, self.now_ms, conversation, message, member, kept))
        hidden = tuple(one.id for one in apart) if apart else ()
        self.events.append(Event(topic.name, pos, name, data, ended, hidden))
        return pos

    def signal(
        self,
        topic_key: int,
        name: str,
        data: dict[str, Any],
        sender: str,
        lasts_ms: int = 0,
        apart: tuple[str, ...] = (),
    ) -> None:
        """Send a signal to a topic's audience, but for those `apart`."""
        topic = self.need(Topic, topic_key)
        head = self.need(FenceHead, 0).seq
        self.signals.append(
            Signal(topic.name, name, data, sender, head, topic.head, lasts_ms, apart)
        )

    def fence(
        self,
        kind: str,
        member: Member,
        *,
        other: Member | None = None,
        conversation: Conversation | None = None,
        pos: int = 0,
        device: str = "",
        on: bool = False,
        jtis: frozenset[str] = frozenset(),
    ) -> None:
        """Record a change that must be applied everywhere before it is answered."""
        seq = self.need(FenceHead, 0).seq + 1
        self.until = seq
        self.put(FenceHead(0, seq))
        self.put(
            Fence(
                seq,
                kind,
                self.now_ms,
                member.key,
                other.key if other is not None else 0,
                conversation.key if conversation is not None else 0,
                pos,
                device,
                on,
                member.id,
            )
        )
        topic = self.need(Topic, conversation.topic).name if conversation is not None else ""
        other_id = other.id if other is not None else ""
        self.endings.append(Ending(seq, kind, member.id, other_id, topic, pos, device, on, jtis))

    def as_before(self) -> None:
        """Nothing is to be ended any more; but what ended it may not have come everywhere yet,
        and this answer says that it has."""
        self.until = self.need(FenceHead, 0).seq
