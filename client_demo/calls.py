"""The member's commands by name: one short method each over `call`.

Mixed into `Client`. A method returns the command's result map as contracted on the wire and
raises what `call` does. Parameters that are None are left out.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

from client_demo.protocol import Map


class Calls(abc.ABC):
    """Every command that is not the connection's own."""

    @abc.abstractmethod
    async def call(self, cmd: str, /, **params: Any) -> Map:
        """Give one command and return its result."""

    # --- messages ---------------------------------------------------------------------------

    async def edit(self, message: str, body: str) -> Map:
        """Change a message's text, within the hour; returns the message."""
        return await self.call("message.edit", message=message, body=body)

    async def delete(self, message: str) -> Map:
        """Delete a message for everyone, within the hour; returns its tombstone."""
        return await self.call("message.delete", message=message)

    async def react(self, message: str, emoji: str) -> Map:
        """Add an emoji to a message; returns {reactions}."""
        return await self.call("message.react", message=message, emoji=emoji)

    async def unreact(self, message: str, emoji: str) -> Map:
        """Take an emoji back; returns {reactions}."""
        return await self.call("message.unreact", message=message, emoji=emoji)

    async def read(self, conversation: str, seq: int) -> Map:
        """Mark a conversation as read up to `seq`; returns {read}."""
        return await self.call("receipt.read", conversation=conversation, seq=seq)

    async def typing(self, conversation: str) -> Map:
        """Show the others that one is typing, for some seconds; at most every 3 s."""
        return await self.call("typing.start", conversation=conversation)

    async def stop_typing(self, conversation: str) -> Map:
        """Show the others that one no longer is."""
        return await self.call("typing.stop", conversation=conversation)

    # --- conversations ----------------------------------------------------------------------

    async def start(
        self, members: Sequence[str], title: str | None = None, group: str | None = None
    ) -> Map:
        """Start a conversation of several; returns {conversation}, its id or the conversation."""
        return await self.call(
            "conversation.start", members=list(members), title=title, group=group
        )

    async def conversations(
        self,
        limit: int | None = None,
        before: str | None = None,
        filter: str | None = None,  # noqa: A002
    ) -> Map:
        """A page of conversations, latest first: {conversations, more, next}."""
        return await self.call("conversation.list", limit=limit, before=before, filter=filter)

    async def conversation(self, conversation: str) -> Map:
        """One conversation, with its participants and last message."""
        return await self.call("conversation.get", conversation=conversation)

    async def history(
        self,
        conversation: str,
        before: int | None = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> Map:
        """Messages by ascending `seq`: {messages, more, at}."""
        return await self.call(
            "conversation.history",
            conversation=conversation,
            before=before,
            after=after,
            limit=limit,
        )

    async def mark(self, conversation: str, **marks: bool) -> Map:
        """Change one's own marks: muted, starred, archived, unread, or reported=False; returns
        all of them."""
        return await self.call("conversation.set", conversation=conversation, **marks)

    async def clear(self, conversation: str) -> Map:
        """Delete a conversation's messages up to now, for oneself alone."""
        return await self.call("conversation.clear", conversation=conversation)

    async def draft(self, conversation: str, body: str) -> Map:
        """Keep an unsent text for one's own devices; an empty one removes it."""
        return await self.call("draft.set", conversation=conversation, body=body)

    async def search(
        self,
        query: str,
        limit: int | None = None,
        before: str | None = None,
        conversation: str | None = None,
    ) -> Map:
        """Messages with all of these words, the newest first: {messages, more, next}."""
        return await self.call(
            "message.search", query=query, limit=limit, before=before, conversation=conversation
        )

    async def report(
        self, conversation: str, reason: str, message: str | None = None, text: str | None = None
    ) -> Map:
        """Report a message or a conversation to the operator; returns {report, duplicate}."""
        return await self.call(
            "report.send", conversation=conversation, reason=reason, message=message, text=text
        )

    async def add(self, conversation: str, member: str) -> Map:
        """Add a member; a conversation of two becomes a new one, which {conversation} names."""
        return await self.call("conversation.add", conversation=conversation, member=member)

    async def remove(self, conversation: str, member: str) -> Map:
        """Remove a participant."""
        return await self.call("conversation.remove", conversation=conversation, member=member)

    async def leave(self, conversation: str) -> Map:
        """Leave a conversation of several."""
        return await self.call("conversation.leave", conversation=conversation)

    async def rename(self, conversation: str, title: str) -> Map:
        """Change a conversation's title."""
        return await self.call("conversation.rename", conversation=conversation, title=title)

    async def accept_request(self, conversation: str) -> Map:
        """Accept a message request."""
        return await self.call("request.accept", conversation=conversation)

    async def decline_request(self, conversation: str) -> Map:
        """Decline a message request."""
        return await self.call("request.decline", conversation=conversation)

    async def close(self, conversation: str) -> Map:
        """Close to the other what an answered approach has opened."""
        return await self.call("conversation.close", conversation=conversation)

    async def groups(self) -> Map:
        """The groups that one is in: {groups [{group, name, role, size}]}."""
        return await self.call("group.list")

    # --- people -----------------------------------------------------------------------------

    async def invite(self, to: str, note: str | None = None) -> Map:
        """Invite a member to connect; returns {invitation}."""
        return await self.call("invitation.send", to=to, note=note)

    async def invitations(self, limit: int | None = None, before: str | None = None) -> Map:
        """Open invitations: {invitations [{invitation, from, to, note, sent_at}], more, next}."""
        return await self.call("invitation.list", limit=limit, before=before)

    async def accept(self, invitation: str) -> Map:
        """Accept an invitation."""
        return await self.call("invitation.accept", invitation=invitation)

    async def ignore(self, invitation: str) -> Map:
        """Ignore an invitation; the sender is not told."""
        return await self.call("invitation.ignore", invitation=invitation)

    async def withdraw(self, invitation: str) -> Map:
        """Take one's own invitation back."""
        return await self.call("invitation.withdraw", invitation=invitation)

    async def refuse(self, invitation: str) -> Map:
        """Refuse an invitation: "I don't know this person"; no more come from that sender."""
        return await self.call("invitation.refuse", invitation=invitation)

    async def connections(self, limit: int | None = None, before: str | None = None) -> Map:
        """Connections: {members [{member, name, headline, avatar}], more, next}."""
        return await self.call("connection.list", limit=limit, before=before)

    async def remove_connection(self, member: str) -> Map:
        """End a connection."""
        return await self.call("connection.remove", member=member)

    async def block(self, member: str) -> Map:
        """Block a member; they are not told."""
        return await self.call("block.add", member=member)

    async def unblock(self, member: str) -> Map:
        """Unblock a member."""
        return await self.call("block.remove", member=member)

    async def blocks(self, limit: int | None = None, before: str | None = None) -> Map:
        """Whom one has blocked: {members, more, next}."""
        return await self.call("block.list", limit=limit, before=before)

    async def presence(self, members: Sequence[str]) -> Map:
        """Who of up to 50 members is active: {members: {id: {active, last_active?}}}."""
        return await self.call("presence.get", members=list(members))

    async def explain(self, to: str) -> Map:
        """Which ways to a member are open: {ways [{kind, allowed, cost, needs}]}."""
        return await self.call("explain", to=to)

    async def credits(self, limit: int | None = None, before: str | None = None) -> Map:
        """One's credits: {balance, entries [{at_ms, change, reason, expires_at?}], more, next}."""
        return await self.call("credits.get", limit=limit, before=before)

    async def settings(self, **switches: bool) -> Map:
        """All settings, after changing those given: receipts, active_status, inmail, …"""
        return await self.call("settings.set" if switches else "settings.get", **switches)
