"""What the contract says frames and maps look like, written down a second time.

Nothing here comes from the server. A shape is a type; a list of one shape; a set of the values
allowed; a tuple of shapes, any of which will do; or a map of names to shapes, where a name that
ends with `?` may be missing. Maps may carry more than is named.
"""

from __future__ import annotations

from typing import Any, Final

Shape = Any

ERROR: Final = {"code": str, "message": str, "retryable": bool}
SETTINGS: Final = dict.fromkeys(
    ("receipts", "active_status", "inmail", "sponsored", "open_profile"), bool
)
PROFILE: Final = {"member": str, "name": str, "headline": str, "avatar": str}
INVITATION: Final = {"invitation": str, "from": str, "to": str, "note": str, "sent_at": int}
KINDS: Final = {"direct", "open_profile", "group", "inmail"}
REACTIONS: Final = ([{"emoji": str, "members": [str]}], [{"emoji": str, "count": int}])
"""In a large conversation they are counted."""
MESSAGE: Final = {
    "conversation": str, "message": str, "seq": int, "sender": str, "kind": KINDS,
    "body": str, "client_id": str, "sent_at": int, "rev": int, "edited_at?": int,
    "subject?": str, "reply_to?": str, "mentions?": [str], "reactions": REACTIONS,
}  # fmt: skip
TOMBSTONE: Final = {
    "conversation": str, "message": str, "seq": int, "sender": str, "sent_at": int, "rev": int,
    "deleted_at": int,
}  # fmt: skip
SENT: Final = {
    "conversation": str, "message": str, "seq": int, "kind": KINDS, "sent_at": int,
    "duplicate": bool,
}  # fmt: skip
PARTICIPANT: Final = {
    "member": str, "name": str, "role": {"participant", "manager", "viewer"}, "shown?": int,
}  # fmt: skip
MARKS: Final = {
    "muted": bool, "starred": bool, "archived": bool, "unread_mark": bool, "reported": bool,
    "archived_seq?": int, "cleared_seq?": int,
}  # fmt: skip
CONVERSATION: Final = {
    "id": str, "kind": {"one_to_one", "several", "group"}, "title": str,
    "participants": [PARTICIPANT], "participant_count": int, "seq": int, "read": int,
    "unread": int, "state": {"open", "request", "closed"}, "at": dict,
    "draft?": str, **MARKS,
}  # fmt: skip
CONNECTED: Final = {
    "session": str, "member": str, "epoch": str, "topics": dict, "reset": [str], "ping_s": {25},
    "now": int, "expires_at": int, "limits": dict,
}  # fmt: skip

_TOPIC: Final = {"conversation": str, "topic": str, "pos": int}
EVENTS: Final[dict[str, Shape]] = {
    "message.created": MESSAGE,
    "message.edited": MESSAGE,
    "message.deleted": TOMBSTONE,
    "message.reacted": {"conversation": str, "message": str, "rev": int, "member": str,
                        "emojis": [str]},
    "conversation.joined": _TOPIC,
    "conversation.left": _TOPIC,
    "conversation.renamed": {"conversation": str, "title": str, "rev": int},
    "roster.changed": {
        "conversation": str, "rev": int, "participant_count": int,
        "changes?": [{"member": str, "name": str, "change": {"added", "removed", "left"},
                      "role": str}],
    },
    "invitation.received": INVITATION,
    "invitation.answered": {"invitation": str, "member": str, "accepted": bool},
    "connection.added": PROFILE,
    "connection.removed": {"member": str},
    "block.changed": {"member": str, "blocked": bool},
    "settings.changed": SETTINGS,
    "request.received": {"conversation": str},
    "conversation.closed": {"conversation": str},
    "request.answered": {"conversation": str, "accepted": bool},
    "credits.changed": {"balance": int},
    "position.passed": {},
    "read.moved": {"conversation": str, "read": int},
    "conversation.changed": {"conversation": str, **MARKS},
    "draft.changed": {"conversation": str, "body": str},
}  # fmt: skip
SIGNALS: Final[dict[str, Shape]] = {
    "receipt.read": {"conversation": str, "member": str, "seq": int, "seen_at": int},
    "typing.started": {"conversation": str, "member": str, "expires_in_ms": int},
    "typing.stopped": {"conversation": str, "member": str},
}


def misfit(value: Any, shape: Shape, where: str = "") -> str | None:
    """Why a value has not this shape, with the place; None if it has."""
    if isinstance(shape, type):
        # bool is an int to Python, and is not one on the wire.
        return None if type(value) is shape else f"{where}: {value!r} is no {shape.__name__}"
    if isinstance(shape, set):
        return None if value in shape else f"{where}: {value!r} is none of {shape}"
    if isinstance(shape, list):
        if type(value) is not list:
            return f"{where}: {value!r} is no list"
        found = (misfit(one, shape[0], f"{where}[{n}]") for n, one in enumerate(value))
        return next((why for why in found if why), None)
    if isinstance(shape, tuple):
        reasons = [misfit(value, one, where) for one in shape]
        return None if None in reasons else "; or ".join(why for why in reasons if why)
    if type(value) is not dict:
        return f"{where}: {value!r} is no map"
    for name, inner in shape.items():
        key = name.removesuffix("?")
        if key not in value:
            if key == name:
                return f"{where}.{key} is missing in {value!r}"
        elif why := misfit(value[key], inner, f"{where}.{key}"):
            return why
    return None


def fits(value: Any, shape: Shape) -> bool:
    """Whether a value has a shape; raises `AssertionError` saying where it has not."""
    why = misfit(value, shape)
    assert why is None, why
    return True


def misfit_of_message(value: Any) -> str | None:
    """The same for a message or, once it is deleted, its tombstone without any of its text."""
    if type(value) is dict and "deleted_at" in value:
        told = {"body", "subject", "mentions", "reactions", "reply_to"} & value.keys()
        return f"a tombstone tells {told}" if told else misfit(value, TOMBSTONE)
    return misfit(value, MESSAGE)


def misfit_of_frame(frame: dict[str, Any]) -> str | None:
    """What is wrong with a frame that a server sent."""
    if "event" in frame:
        return _misfit_of_event(frame)
    if "error" in frame:
        return misfit(frame["error"], ERROR, "error") or _only(frame, {"id", "error"})
    return misfit(frame, {"result": dict}) or _only(frame, {"id", "result"})


def _misfit_of_event(frame: dict[str, Any]) -> str | None:
    name = frame["event"]
    if name in SIGNALS:
        return misfit(frame["data"], SIGNALS[name], name) or _only(
            frame, {"event", "topic", "data"}
        )
    wrong = _only(frame, {"event", "topic", "pos", "data"}) or misfit(frame, {"pos": int})
    if name in ("message.created", "message.edited", "message.deleted"):
        return wrong or misfit_of_message(frame["data"])
    # What the server adds to the contract's events is its own.
    return wrong or misfit(frame["data"], EVENTS.get(name, {}), name)


def _only(frame: dict[str, Any], names: set[str]) -> str | None:
    return None if frame.keys() == names else f"a frame of {sorted(frame)}"
