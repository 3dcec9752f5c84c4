"""The server that bad input is sent to, and who must not notice."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import jwt
import psutil

from tests.support.careful_peer import CarefulPeer, HttpPeer
from tests.support.nursery import Child
from tests.support.raw_socket import Target

POLICY = """
sessions_per_member = 1000
rate_send = {per_second = 10000.0, burst = 100000}
rate_read = {per_second = 10000.0, burst = 100000}
rate_connect = {per_second = 10000.0, burst = 100000}
buffer_hard_bytes = 131072
buffer_soft_bytes = 32768
buffer_age_ms = 2000
rate_signal = {per_second = 0.001, burst = 5}
"""


@dataclass
class Site:
    """The server under attack, and two of its members who have nothing to do with it."""

    target: Target
    child: Child
    ada: CarefulPeer
    grace: CarefulPeer
    began: int = 0
    said: int = 0

    async def talk(self) -> None:
        """Each says something, and the next that the other hears is that."""
        for one, other, to in ((self.ada, self.grace, "grace"), (self.grace, self.ada, "ada")):
            self.said += 1
            body = f"sentinel {self.said}"
            await one.call("message.send", to=to, body=body, client_id=body)
            for peer in (one, other):
                assert (await peer.event("message.created"))["data"]["body"] == body

    def resident(self) -> int:
        """The server's memory in bytes."""
        return int(psutil.Process(self.child.pid).memory_info().rss)


async def populate(target: Target, data: Path) -> None:
    """Make everybody there is, and the tokens that are misused."""
    async with HttpPeer(target.base, key=target.admin_key) as operator:
        members = ("ada", "grace", "mallory", "loud", "deaf", "slow", "revoked")
        for member in members:
            await operator.call("member.put", id=member, name=member)
            target.tokens[member] = (await operator.call("token.issue", member=member))["token"]
        for a, b in (("ada", "grace"), ("loud", "deaf"), ("loud", "slow"), ("mallory", "loud")):
            await operator.call("connection.put", a=a, b=b)
        await operator.call("session.revoke", member="revoked")
    now = time.time()
    claims = {"sub": "mallory", "iat": now - 60, "exp": now - 30, "jti": "old"}
    key = (data / "signing.key").read_text().strip()
    target.tokens["expired"] = jwt.encode(claims, key, "HS256")
    async with HttpPeer(target.base, target.tokens["loud"]) as loud:
        sent = await loud.call("message.send", to="mallory", body="hello", client_id="hello")
        target.conversation = sent["conversation"]
