"""The oracle's decisions on who is in what: conversations of more than two, groups, their viewers.

Imports nothing from server.
"""

from __future__ import annotations

from tests.support.oracle_things import Group, Map, No, Stay, Talk
from tests.support.oracle_ways import Ways


class Rosters(Ways):
    """One method a command; errors are raised before anything changes."""

    # Coming and going

    def _pairs_own(self, a: str, b: str) -> Talk:
        bond = self.bond(a, b)
        if bond.talk is None:
            ident = self._new("conversation", self.talks)
            bond.talk = Talk(ident, True, [(self.now, (a, b))], [(self.now, "")],
                             [(self.now, self.ms)])  # fmt: skip
            self.talks[ident] = bond.talk
        return bond.talk

    def _found(self, members: tuple[str, ...], title: str, group: str = "") -> Talk:
        ident = self._new("conversation", self.talks)
        talk = Talk(ident, False, [(self.now, members)], [(self.now, title)],
                    [(self.now, self.ms)], group=group)  # fmt: skip
        self.talks[ident] = talk
        for member in members:
            talk.stays[member] = [Stay(0, self.now, 0)]
            self._told(talk, member, "conversation.joined", 0)
        return talk

    def _told(self, talk: Talk, member: str, name: str, pos: int) -> None:
        data = {"conversation": talk.id, "topic": talk.topic, "pos": pos}
        self._emit(f"member:{member}", name, data)

    def _roster(self, talk: Talk, change: str, role: str, *members: str) -> int:
        """Say who came or went; they are that already, or no longer."""
        talk.rev += 1
        count = len(talk.roster)
        data: Map = {"conversation": talk.id, "rev": talk.rev, "participant_count": count}
        if count <= self.rules.signals_up_to:
            data["changes"] = [
                {"member": one, "name": self.people[one].name, "change": change, "role": role}
                for one in members
            ]
        return self._emit(talk.topic, "roster.changed", data)

    def _come(
        self, talk: Talk, *members: str, viewer: bool = False, announced: bool = False
    ) -> None:
        """These are participants or viewers from now on; of a viewer a participant is made. Whom
        a conversation was announced to see all of it."""
        whole = announced or (self.rules.newcomers == "full" and not viewer)
        known = talk.watchers if viewer else talk.rosters
        known.append((self.now, (*known[-1][1], *members)))
        watched = [one for one in members if not viewer and one in talk.viewers]
        if watched:
            left = tuple(one for one in talk.viewers if one not in watched)
            talk.watchers.append((self.now, left))
        pos = self._roster(talk, "added", "viewer" if viewer else "participant", *members)
        for member in members:
            stays = talk.stays.setdefault(member, [])
            after = 0 if whole else pos
            if member in watched:
                stays[-1].left, stays[-1].ended = pos, self.now
                after = min(after, stays[-1].after)
            stays.append(Stay(pos, self.now, after, viewer))
            self._told(talk, member, "conversation.joined", pos)

    def _end(self, talk: Talk, member: str, change: str) -> Map:
        role = "viewer" if member in talk.viewers else "participant"
        for known in (talk.rosters, talk.watchers):
            if member in known[-1][1]:
                known.append((self.now, tuple(one for one in known[-1][1] if one != member)))
        pos = self._roster(talk, change, role, member)
        stay = talk.stays[member][-1]
        stay.left, stay.ended = pos, self.now
        self._told(talk, member, "conversation.left", pos - 1)
        self.lost.append(("removed", member, talk.id))
        return {}

    # Conversations

    def _reachable(self, me: str, *members: str) -> None:
        for member in members:
            if member not in self.people or not self.way_open(me, member):
                raise No("unreachable")

    def _fellows(self, me: str, group: str, *members: str) -> None:
        """Who may be brought into a group's conversation."""
        for member in members:
            if not self._belongs(me, member, group):
                raise No("unreachable")

    def _belongs(self, me: str, member: str, group: str) -> bool:
        return member in self.groups[group].roles and not self.bond(me, member).blockers

    def _conversation_start(
        self, me: str, members: list[str], title: str = "", client_id: str | None = None,
        group: str | None = None,
    ) -> Map:  # fmt: skip
        self._check_text(title, self.rules.title, empty=True)
        self._not_me(me, *members)
        others = tuple(dict.fromkeys(members))
        if not others and group is None:
            raise No("invalid")
        repeated = self._repeated(me, client_id)
        if repeated is not None:
            return repeated
        if group is not None:
            talk = self._group_start(me, group, others, title)
        else:
            self._room(len(others) + 1)
            self._reachable(me, *others)
            one = len(others) == 1
            talk = self._pairs_own(me, others[0]) if one else self._found((me, *others), title)
        return self._create(me, client_id, {"conversation": talk.id})

    def _room(self, count: int) -> None:
        if count > self.rules.participants:
            raise No("refused")

    def _group_start(self, me: str, ident: str, others: tuple[str, ...], title: str) -> Talk:
        group = self.groups.get(ident)
        if group is None or me not in group.roles:
            raise No("unreachable")
        if not group.leads(me):
            raise No("refused")
        if others:
            self._room(len(others) + 1)
            self._fellows(me, ident, *others)
        else:  # an announcement: they come in by steps
            if group.announced_ms and self.ms - group.announced_ms < self.rules.announce_ms:
                raise No("refused")
            group.announced_ms = self.ms
        return self._found((me, *others), title, ident)

    def _conversation_admit(self, conversation: str, members: list[tuple[str, int]]) -> Map:
        """A step of an announcement: the next of the group's members, each with where they
        stand in the order of all."""
        talk = self.talks[conversation]
        founder = talk.rosters[0][1][0]
        if not self.groups[talk.group].leads(founder):
            talk.admitted = 2**62  # it was theirs to announce, and is no more
        new = [
            one for one, at in members
            if at > talk.admitted and (one not in talk.stays or one in talk.viewers)
            and self._belongs(founder, one, talk.group)
        ]  # fmt: skip
        if new:
            self._come(talk, *new, announced=True)
        talk.admitted = max([talk.admitted, *(at for _, at in members)])
        return {}

    def _several(self, me: str, conversation: str) -> Talk:
        """A conversation of more than two that they are in now."""
        talk = self._place(me, conversation)
        if me not in talk.present:
            raise No("unreachable")
        if talk.two:
            raise No("refused")
        return talk

    def _changeable(self, me: str, conversation: str) -> Talk:
        """One that they may change: of a group's, its owner and managers."""
        talk = self._several(me, conversation)
        if me in talk.viewers or (talk.group and not self.groups[talk.group].leads(me)):
            raise No("refused")
        return talk

    def _conversation_add(self, me: str, conversation: str, member: str,
                          client_id: str | None = None) -> Map:  # fmt: skip
        self._not_me(me, member)
        repeated = self._repeated(me, client_id)
        if repeated is not None:
            return repeated
        talk = self._place(me, conversation)
        if talk.two:
            if member == talk.other(me):
                raise No("refused")
            self._reachable(me, talk.other(me), member)
            talk = self._found((me, talk.other(me), member), "")
            return self._create(me, client_id, {"conversation": talk.id})
        self._changeable(me, conversation)
        if talk.group:
            self._fellows(me, talk.group, member)
        else:
            self._reachable(me, member)
        if member not in talk.roster:
            self._room(len(talk.roster) + 1)
            self._come(talk, member)
        return self._create(me, client_id, {"conversation": talk.id})

    def _conversation_remove(self, me: str, conversation: str, member: str) -> Map:
        self._not_me(me, member)
        talk = self._changeable(me, conversation)
        if member not in talk.present:
            raise No("unreachable")
        return self._end(talk, member, "removed")

    def _conversation_leave(self, me: str, conversation: str) -> Map:
        return self._end(self._several(me, conversation), me, "left")

    def _conversation_rename(self, me: str, conversation: str, title: str) -> Map:
        self._check_text(title, self.rules.title, empty=True)
        talk = self._changeable(me, conversation)
        if title != talk.titles[-1][1]:
            talk.rev += 1
            talk.titles.append((self.now, title))
            data = {"conversation": talk.id, "title": title, "rev": talk.rev}
            self._emit(talk.topic, "conversation.renamed", data)
        return {}

    def _mentioned(self, me: str, talk: Talk, mentions: list[str]) -> list[str]:
        """Those of the mentioned who are here; of a group, others become its viewers."""
        named = [one for one in dict.fromkeys(mentions) if one in self.people]
        if talk.group:
            new = [
                one for one in named
                if one not in talk.present and self._belongs(me, one, talk.group)
            ][: max(0, self.rules.viewers - len(talk.viewers))]  # fmt: skip
            if new:
                self._come(talk, *new, viewer=True)
        return [one for one in named if one in talk.present]

    # Groups

    def _group_put(self, id: str, name: str, owner: str) -> Map:  # noqa: A002 - the wire's word
        group = self.groups.get(id) or Group(id, name)
        before = next((one for one, role in group.roles.items() if role == "owner"), owner)
        if owner not in group.roles and len(group.roles) >= self.rules.group_members:
            raise No("refused")
        self.groups[id] = group
        group.name = name
        group.roles |= {before: "member", owner: "owner"}
        return {"id": id}

    def _group_add(self, group: str, member: str, role: str = "member") -> Map:
        found = self.groups[group]
        before = found.roles.get(member)
        if before == "owner":
            raise No("refused")
        if before != role:
            full = before is None and len(found.roles) >= self.rules.group_members
            if full or (role == "manager" and found.count("manager") >= self.rules.managers):
                raise No("refused")
            found.roles[member] = role
        return {}

    def _group_remove(self, group: str, member: str) -> Map:
        found = self.groups[group]
        if found.roles.get(member) == "owner":
            raise No("refused")
        if found.roles.pop(member, None) is not None:
            for talk in self.visible_talks(member):
                if talk.group == group and member in talk.present:
                    self._end(talk, member, "removed")
        return {}
