"""The races: what somebody does, what ends their right to it, and what each order comes to."""

from __future__ import annotations

from server.commands.outcome import Outcome
from tests.races.race import NOT_REACHED, Race, event, member, say, send, text
from tests.races.scene import SECOND, Deed, Scene


def _talk(scene: Scene) -> str:
    return scene.talk


def _pair(scene: Scene) -> str:
    return scene.pair


def _message(scene: Scene) -> str:
    return scene.message


def _letter(scene: Scene) -> str:
    return scene.letter


def _invitation(scene: Scene) -> str:
    return scene.invitation


async def _connect(scene: Scene) -> Outcome:
    return await scene.attend("b")


async def _resume(scene: Scene) -> Outcome:
    return await scene.attend("b", {**scene.heads["b"], f"conversation:{scene.talk}": 0})  # type: ignore[dict-item]


async def _invite(scene: Scene) -> Outcome:
    outcome = await scene.do("a", "invitation.send", to=scene.id("d"))
    scene.invitation = (outcome.result or {})["invitation"]
    return outcome


async def _anew(scene: Scene) -> Outcome:
    """b is deleted, and somebody else is given the id; what counts is the deletion."""
    gone = await scene.do("", "member.delete", id=scene.id("b"))
    await scene.do("", "member.put", id=scene.id("b"), name="another b")
    return gone


REMOVE = say("c", "conversation.remove", conversation=_talk, member=member("b"))
BLOCK = say("b", "block.add", member=member("a"))
REVOKE = say("", "session.revoke", member=member("b"))


def off(name: str) -> Deed:
    """Receipts and typing are switched off."""
    return say(name, "settings.set", receipts=False)


def _never(first: str) -> bool:
    return False


RACES = {
    "send vs remove": Race(send("a", "talk"), REMOVE, sees=text(SECOND), gets=_never),
    "send vs being removed": Race(
        send("b", "talk"),
        REMOVE,
        end_first=NOT_REACHED,
        loser="a",
        gets=None,
    ),
    "send vs block": Race(
        send("a", "pair"), BLOCK, end_first=NOT_REACHED, own=True, sees=text(SECOND)
    ),
    "send vs leave": Race(
        send("a", "talk"),
        say("b", "conversation.leave", conversation=_talk),
        sees=text(SECOND),
        gets=_never,
    ),
    "edit vs remove": Race(
        say("a", "message.edit", message=_message, body=SECOND),
        REMOVE,
        sees=text(SECOND),
    ),
    "react vs block": Race(
        say("a", "message.react", message=_letter, emoji="👍"),
        BLOCK,
        end_first=NOT_REACHED,
        own=True,
        sees=event("message.reacted"),
    ),
    "typing vs the sender's switch": Race(
        say("a", "typing.start", conversation=_talk),
        off("a"),
        sees=event("typing.started"),
    ),
    "typing vs the receiver's switch": Race(
        say("a", "typing.start", conversation=_talk),
        off("b"),
        sees=event("typing.started"),
    ),
    "receipt vs the sender's switch": Race(
        say("a", "receipt.read", conversation=_talk, seq=1),
        off("a"),
        sees=event("receipt.read"),
    ),
    "receipt vs the receiver's switch": Race(
        say("a", "receipt.read", conversation=_talk, seq=1),
        off("b"),
        sees=event("receipt.read"),
    ),
    "settings vs typing between two": Race(
        say("a", "typing.start", conversation=_pair),
        off("b"),
        sees=event("typing.started"),
    ),
    "typing vs remove": Race(
        say("a", "typing.start", conversation=_talk),
        REMOVE,
        sees=event("typing.started"),
    ),
    "typing vs add": Race(
        say("a", "typing.start", conversation=_talk),
        say("c", "conversation.add", conversation=_talk, member=member("b")),
        before=REMOVE,
        gained=True,
        sees=event("typing.started"),
        gets=lambda first: True,
    ),
    "connect vs revoke": Race(
        _connect,
        REVOKE,
        end_first=("unauthenticated", ""),
        gets=_never,
        ended=True,
    ),
    "connect vs remove": Race(_connect, REMOVE, gets=_never),
    "resume vs remove": Race(_resume, REMOVE, gets=_never),
    "resume vs add": Race(
        _resume,
        say("c", "conversation.add", conversation=_talk, member=member("b")),
        before=REMOVE,
        gets=lambda first: True,
    ),
    "add vs block": Race(
        say("a", "conversation.add", conversation=_talk, member=member("b")),
        BLOCK,
        end_first=NOT_REACHED,
        before=REMOVE,
        gets=lambda first: first == "act",
    ),
    "add vs remove": Race(
        say("a", "conversation.add", conversation=_talk, member=member("b")),
        REMOVE,
        gets=lambda first: first == "end",
    ),
    "start vs block": Race(
        say("a", "conversation.start", members=lambda s: [s.id("b"), s.id("c")]),
        BLOCK,
        end_first=NOT_REACHED,
        own=True,
        sees=event("conversation.joined"),
    ),
    "start vs connection.remove": Race(
        say("a", "conversation.start", members=lambda s: [s.id("b"), s.id("c")]),
        say("b", "connection.remove", member=member("a")),
        end_first=NOT_REACHED,
        own=True,
        sees=event("conversation.joined"),
    ),
    "invitation vs block": Race(
        say("a", "invitation.send", to=member("d")),
        say("d", "block.add", member=member("a")),
        end_first=NOT_REACHED,
        loser="d",
        own=True,
        sees=event("invitation.received"),
    ),
    "accept vs withdraw": Race(
        say("d", "invitation.accept", invitation=_invitation),
        say("a", "invitation.withdraw", invitation=_invitation),
        act_first=("", "refused"),
        end_first=NOT_REACHED,
        before=_invite,
        loser="d",
        own=True,
        sees=event("connection.added"),
    ),
    "refresh vs revoke": Race(
        say("b", "refresh", token="t"),
        REVOKE,
        end_first=("unauthenticated", ""),
        gets=_never,
        ended=True,
    ),
    "connect vs a device's revocation": Race(
        _connect,
        say("", "session.revoke", member=member("b"), device="phone"),
        end_first=("unauthenticated", ""),
        gets=_never,
        ended=True,
    ),
    "send vs delete": Race(
        send("a", "b"),
        say("", "member.delete", id=member("b")),
        end_first=NOT_REACHED,
        own=True,
        sees=text(SECOND),
        ended=True,
    ),
    "an old session vs a member anew": Race(
        send("b", "talk"),
        _anew,
        end_first=("unauthenticated", ""),
        gets=_never,
        ended=True,
    ),
    "rename vs remove": Race(
        say("a", "conversation.rename", conversation=_talk, title=SECOND),
        REMOVE,
        sees=event("conversation.renamed"),
        gets=_never,
    ),
    "rename vs being removed": Race(
        say("b", "conversation.rename", conversation=_talk, title=SECOND),
        REMOVE,
        end_first=NOT_REACHED,
    ),
    "history vs remove": Race(
        say("b", "conversation.history", conversation=_talk),
        REMOVE,
        gets=_never,
    ),
    "presence vs the switch": Race(
        say("a", "presence.get", members=lambda s: [s.id("b")]),
        say("b", "settings.set", active_status=False),
    ),
}
