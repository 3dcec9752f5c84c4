"""A naive house behind a scripted server: answers a messenger's commands, sends its events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.support.naive_house import ME, MINE, OTHERS, House
from tests.support.wire_server import Command, Session

Map = dict[str, Any]


class HouseSession:
    """Serves one session of ada's; `refusals` answer a command with an error instead."""

    def __init__(self, session: Session, house: House) -> None:
        self.session = session
        self.house = house
        self.seen: list[Command] = []
        self.stirred = asyncio.Event()  # set with each command
        self.refusals: dict[str, Map] = {}
        self._sent = len(house.log)

    async def serve(self, connect: Command | None = None) -> None:
        """Answer until the client goes: replay what it missed, then what happens; `connect` if it
        was taken from the session already."""
        connect = connect or await self.session.expect("connect")
        heads = {MINE: 0, "conversation:many": 0} | self.house.heads
        await self.session.welcome(connect, heads)
        for missed in self.house.live[: self._sent]:
            start = connect.params.get("resume", heads)[missed.topic]
            if missed.pos is not None and missed.pos > start:
                await self.session.event(missed.name, missed.data, missed.topic, missed.pos)
        while not self.session.ended.is_set():
            try:
                command = await self.session.next()
            except AssertionError:
                return
            self.seen.append(command)
            self.stirred.set()
            if command.cmd in self.refusals:
                await self.session.refuse(command, **self.refusals[command.cmd])
                continue
            result = self._answer(command.cmd, command.params)
            await self.session.answer(command, result)
            await self.push()

    async def push(self) -> None:
        """Send what the house has logged since."""
        for event in self.house.live[self._sent :]:
            await self.session.event(event.name, event.data, event.topic, event.pos or 0)
        self._sent = len(self.house.live)

    async def do(self, act: Callable[[House], None]) -> None:
        """Something that others do."""
        act(self.house)
        await self.push()

    def commands(self, cmd: str) -> list[Map]:
        return [command.params for command in self.seen if command.cmd == cmd]

    def _answer(self, cmd: str, params: Map) -> Map:
        house = self.house
        match cmd:
            case "conversation.list":
                return {"conversations": [house.conversation(r) for r in house.rooms]}
            case "conversation.get":
                return house.conversation(params["conversation"])
            case "conversation.history":
                return house.history(params["conversation"], params.get("before"), params["limit"])
            case "connection.list":
                return {
                    "members": [
                        {"member": m, "name": m.title(), "headline": "Builder", "avatar": ""}
                        for m in OTHERS
                    ]
                }
            case "message.send":
                return self._send(params)
            case "message.edit" | "message.delete" | "message.react":
                room, seq = params["message"].split("-")
                if cmd == "message.edit":
                    house.edit(room, int(seq) - 1)
                elif cmd == "message.delete":
                    house.delete(room, int(seq) - 1)
                else:
                    house.react(room, int(seq) - 1, ME, params["emoji"])
                return dict(house.rooms[room].messages[int(seq) - 1])
            case "receipt.read":
                house.read(params["conversation"], params["seq"])
                return {"read": params["seq"]}
            case "conversation.rename":
                house.rename(params["title"])
                return {}
            case "explain":
                return {
                    "ways": [{"kind": "direct", "allowed": False, "cost": 0, "needs": ["connect"]}]
                }
            case "presence.get":
                return {"members": {m: {"active": True} for m in params["members"]}}
            case "block.list":
                return {"members": []}
            case "settings.get" | "settings.set":
                return {"receipts": True, **params}
            case "invitation.list":
                return {
                    "invitations": [
                        {"invitation": "i1", "from": "mary", "to": ME, "note": "Hi", "sent_at": 1}
                    ]
                }
            case _:
                return {}

    def _send(self, params: Map) -> Map:
        room = params.get("conversation", "two")
        self.house.send(room, ME)
        message = self.house.rooms[room].messages[-1]
        message |= {"body": params["body"], "client_id": params["client_id"]}
        if "reply_to" in params:
            message["reply_to"] = params["reply_to"]
        self.house.live[-1].data.update(message)
        return {"conversation": room, "message": message["message"], "seq": message["seq"],
                "kind": "direct", "sent_at": message["sent_at"], "duplicate": False}  # fmt: skip
