"""The oracle's decisions on members: who is let in, what is between two, the operator's doings.

Also what every decision needs: how a command comes in, and what its caller's client_id made
before. Imports nothing from server; what it cannot foresee, the ids of what is made, it is told,
and refuses those that are not new.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.support.oracle_credits import month_of, week_of
from tests.support.oracle_things import (
    SETTINGS,
    Answer,
    Bond,
    Deed,
    Disagreement,
    Entry,
    Invitation,
    Map,
    Message,
    No,
    Person,
    Rules,
    Token,
)
from tests.support.oracle_world import World


class Members(World):
    """One method a command; errors are raised before anything changes."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._made: Map = {}
        self._params: Map = {}
        self._creations: dict[tuple[str, str], tuple[str, Map, Map]] = {}

    def commit(self, token: Token, cmd: str, params: Map, ms: int, made: Map) -> Answer:
        """Take the next command in order of commit. `made` is what the server answered, from
        which only ids are taken."""
        self.now += 1
        self.ms, self._made, self._params = ms, made, {"cmd": cmd, **params}
        self.lost = []
        decide = getattr(self, "_" + cmd.replace(".", "_"))
        try:
            if not token.member:
                return Answer(decide(**params))
            self.admit(token)
            if cmd in ("connect", "refresh"):
                return Answer(decide(token, **params))
            return Answer(decide(token.member, **params))
        except No as no:
            return Answer(no.more, no.code)

    def admit(self, token: Token) -> Person:
        """Who calls, if their token still counts."""
        me = self.people[token.member]
        revoked = token.issued_ms <= me.refused_ms or token.jti in me.refused
        if revoked or self.ms >= token.expires_ms:
            raise No("unauthenticated")
        return me

    # What all commands need

    def _new(self, what: str, known: Iterable[str]) -> str:
        ident = self._made.get(what)
        if not isinstance(ident, str) or ident in known:
            raise Disagreement(f"moment {self.now}: {self._params} should have made a {what}")
        return ident

    def _emit(self, topic: str, name: str, data: Map, about: Message | None = None,
              member: str = "", kept: frozenset[str] = frozenset()) -> int:  # fmt: skip
        self.logs[topic].append(Entry(self.now, name, data, about, member, kept))
        return self.head(topic)

    def _repeated(self, me: str, client_id: str | None) -> Map | None:
        """The first result, if this client_id has made something before."""
        if client_id is None or (me, client_id) not in self._creations:
            return None
        cmd, params, result = self._creations[me, client_id]
        if (cmd, params) != (self._params["cmd"], self._params):
            raise No("client_id_reused")
        return {**result, "duplicate": True}

    def _create(self, me: str, client_id: str | None, result: Map) -> Map:
        if client_id is not None:
            self._creations[me, client_id] = (self._params["cmd"], self._params, result)
        return {**result, "duplicate": False}

    def _check_text(self, text: str, limit: int, *, empty: bool = False) -> None:
        if len(text) > limit or not (empty or text.strip()):
            raise No("invalid")

    def _not_me(self, me: str, *others: str) -> None:
        if me in others:
            raise No("invalid")

    def _count(self, me: str, what: str, period: str, most: int) -> None:
        """One more of something that has its quota."""
        counted = self.people[me].counted
        if counted[f"{what} {period}"] >= most:
            raise No("refused")
        counted[f"{what} {period}"] += 1

    def _tell_balance(self, me: str) -> None:
        """Their account has changed: its owner hears of it where the sum is another."""
        person, now = self.people[me], self.balance(me)
        if now != person.balance:
            person.balance = now
            self._emit(person.topic, "credits.changed", {"balance": now})

    # Relations

    def _pair(self, me: str, member: str) -> Bond:
        """What is between two, if anything may pass."""
        self._not_me(me, member)
        if member not in self.people or self.bond(me, member).blockers:
            raise No("unreachable")
        return self.bond(me, member)

    def _connect_two(self, a: str, b: str, bond: Bond) -> None:
        bond.connected = True
        bond.strangers.clear()
        if bond.approach is not None and bond.approach.stage == "closed":
            bond.approach.stage = "over"
        for one in bond.invited.values():
            self._tell_answer(one, "accepted", one.sender, one.to)
        bond.invited.clear()
        for mine, theirs in ((a, b), (b, a)):
            self._emit(f"member:{mine}", "connection.added", self.people[theirs].profile())

    def _part(self, a: str, b: str, bond: Bond) -> None:
        if bond.connected:
            bond.connected = False
            for mine, theirs in ((a, b), (b, a)):
                self._emit(f"member:{mine}", "connection.removed", {"member": theirs})
            self._end_approach(bond)

    def _end_approach(self, bond: Bond) -> None:
        """What an answer had opened is over; a request goes on waiting."""
        if bond.approach is not None and bond.approach.stage == "open":
            bond.approach.stage = "over"

    def _invitation_send(self, me: str, to: str, note: str = "",
                         client_id: str | None = None) -> Map:  # fmt: skip
        self._not_me(me, to)
        basic = self.people[me].plan == "basic"
        self._check_text(note, self.rules.note if basic else self.rules.note_paid, empty=True)
        repeated = self._repeated(me, client_id)
        if repeated is not None:
            return repeated
        bond = self._pair(me, to)
        if bond.connected:
            raise No("refused")
        if to in bond.invited:  # who asks whoever has asked says yes
            theirs = bond.invited[to]
            self._answered(me, theirs, "accepted")
            return self._create(me, client_id, {"invitation": theirs.id})
        withdrew = bond.withdrew.get(me)
        again = withdrew is not None and self.ms - withdrew < self.rules.reinvite_ms
        if me in bond.invited or again:
            raise No("refused")
        if to in bond.strangers:
            raise No("unreachable")
        counted = dict(self.people[me].counted)
        try:
            self._count(me, "invitations", week_of(self.ms), self.rules.invitations)
            if note and basic:
                self._count(me, "notes", month_of(self.ms), self.rules.notes)
        except No:
            self.people[me].counted.update(counted)
            raise
        ident = self._new("invitation", self.invitations)
        made = Invitation(ident, me, to, note, self.ms)
        self.invitations[ident] = bond.invited[me] = made
        self._emit(f"member:{to}", "invitation.received", made.map())
        return self._create(me, client_id, {"invitation": ident})

    def _open_invitation(self, me: str, ident: str, *answered: str, mine: bool) -> Invitation:
        found = self.invitations.get(ident)
        if found is None or (found.sender if mine else found.to) != me:
            raise No("unreachable")
        self._pair(found.sender, found.to)
        if not mine and found.state in ("withdrawn", "blocked"):
            raise No("unreachable")
        if found.state in answered:
            raise No("refused")
        return found

    def _tell_answer(self, found: Invitation, state: str, *members: str) -> None:
        found.state = state
        data = {"invitation": found.id, "member": found.to, "accepted": state == "accepted"}
        for member in members:
            self._emit(f"member:{member}", "invitation.answered", data)

    def _answered(self, me: str, found: Invitation, state: str) -> None:
        bond = self.bond(me, found.sender)
        if state == "accepted":
            self._connect_two(me, found.sender, bond)
            return
        self._tell_answer(found, state, me)
        if state == "refused":
            bond.strangers.add(me)

    def _invitation_accept(self, me: str, invitation: str) -> Map:
        found = self._open_invitation(me, invitation, "accepted", "refused", mine=False)
        self._answered(me, found, "accepted")
        return {}

    def _invitation_ignore(self, me: str, invitation: str) -> Map:
        found = self._open_invitation(me, invitation, "accepted", "refused", mine=False)
        if found.state != "ignored":
            self._answered(me, found, "ignored")
        return {}

    def _invitation_refuse(self, me: str, invitation: str) -> Map:
        found = self._open_invitation(me, invitation, "accepted", "refused", mine=False)
        self._answered(me, found, "refused")
        return {}

    def _withdraw(self, found: Invitation, state: str = "withdrawn") -> None:
        if found.state == "pending":
            data = {"invitation": found.id, "member": found.sender}
            self._emit(f"member:{found.to}", "invitation.withdrawn", data)
        found.state = state

    def _invitation_withdraw(self, me: str, invitation: str) -> Map:
        found = self._open_invitation(me, invitation, "accepted", "withdrawn", mine=True)
        bond = self.bond(me, found.to)
        bond.withdrew[me] = self.ms
        bond.invited.pop(me, None)
        self._withdraw(found)
        return {}

    def _connection_remove(self, me: str, member: str) -> Map:
        self._part(me, member, self._pair(me, member))
        return {}

    def _blockable(self, me: str, member: str) -> Bond:
        self._not_me(me, member)
        bond = self.bond(me, member)
        if member not in self.people or member in bond.blockers:
            raise No("unreachable")
        return bond

    def _block_add(self, me: str, member: str) -> Map:
        bond = self._blockable(me, member)
        if me in bond.blockers:
            return {}
        unblocked = bond.unblocked.get(me)
        if unblocked is not None and self.ms - unblocked < self.rules.reblock_ms:
            raise No("refused")
        if me in bond.invited:
            self._withdraw(bond.invited.pop(me))
        if member in bond.invited:  # to who sent it, it waits for an answer as before
            self._withdraw(bond.invited[member], "blocked")
        self._part(me, member, bond)
        self._end_approach(bond)
        bond.blockers.add(me)
        self._emit(f"member:{me}", "block.changed", {"member": member, "blocked": True})
        return {}

    def _block_remove(self, me: str, member: str) -> Map:
        bond = self._blockable(me, member)
        if me in bond.blockers:
            bond.blockers.discard(me)
            bond.unblocked[me] = self.ms
            self._emit(f"member:{me}", "block.changed", {"member": member, "blocked": False})
        return {}

    # Oneself

    def _settings_set(self, me: str, **changes: bool) -> Map:
        person = self.people[me]
        before = person.settings[-1][1]
        after = {**before, **changes}
        if after != before:
            person.settings.append((self.now, after))
            self._emit(person.topic, "settings.changed", {})
        return after

    def _connect(self, token: Token, device: str, resume: dict[str, int] | None = None,
                 epoch: str | None = None, resume_more: bool = False) -> Map:  # fmt: skip
        self.people[token.member].devices[device].add(token.jti)
        return {"member": token.member, "topics": self.topics_of(token.member)}

    def _refresh(self, token: Token) -> Map:
        self.people[token.member].devices[token.device].add(token.jti)
        return {"expires_at": token.expires_ms}

    def _resume(self, me: str, topics: dict[str, int]) -> Map:
        return {"topics": self.topics_of(me)}

    # The operator

    def _member_put(self, id: str, name: str, plan: str = "basic",  # noqa: A002 - the wire's word
                    settings: Map | None = None) -> Map:  # fmt: skip
        person = self.people.get(id)
        if person is None:
            first = {**SETTINGS, **(settings or {})}
            person = self.people[id] = Person(id, name, [(self.now, first)], plan=plan)
            if plan != "basic":
                person.deeds.append(Deed(self.ms, "plan", plan=plan))
            return {"id": id}
        if person.plan != plan:
            person.plan = plan
            person.deeds.append(Deed(self.ms, "plan", plan=plan))
            self._tell_balance(id)
        if settings:
            self._settings_set(id, **settings)
        return {"id": id}

    def _credits_grant(self, member: str, amount: int, reason: str, client_id: str) -> Map:
        if self._repeated("", client_id) is None:
            self.people[member].deeds.append(Deed(self.ms, reason, amount))
            self._tell_balance(member)
            self._create("", client_id, {})
        return {"balance": self.balance(member)}

    def _connection_put(self, a: str, b: str) -> Map:
        bond = self.bond(a, b)
        if bond.blockers:
            raise No("refused")
        if not bond.connected:
            self._connect_two(a, b, bond)
        return {}

    def _connection_delete(self, a: str, b: str) -> Map:
        self._part(a, b, self.bond(a, b))
        return {}

    def _session_revoke(self, member: str, device: str | None = None) -> Map:
        person = self.people[member]
        if device is None:
            person.refused_ms = self.ms
        else:
            person.refused |= person.devices[device]
        self.revoked.append((self.now, member, device or ""))
        return {}
