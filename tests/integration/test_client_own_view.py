"""One's own view at the terminal, on a real server; who is on the other side notices nothing."""

from __future__ import annotations

from pathlib import Path

from tests.integration.test_client_terminal import chat, terminal
from tests.support.peer_client import Peer
from tests.support.running import running_node


async def test_marks_drafts_searches_and_reports_at_the_terminal(tmp_path: Path) -> None:
    async with (
        running_node(demo=True) as server,
        terminal(*chat(server, "ada"), home=tmp_path) as ada,
        Peer(server.ws, server.token("grace")) as grace,
    ):
        await grace.connect()
        await grace.call("message.send", to="ada", body="The purlins are here", client_id="1")
        ada.type("/open grace", "/star", "/mute", "/draft About them", "/list starred")
        await ada.see("is starred")
        await ada.see("is muted")
        line = await ada.see("1 Grace")
        assert "★ muted" in line
        assert "draft: About them" in line
        ada.type("/draft send")
        await ada.see("you  About them")
        ada.type("/find PURLINS are")
        assert "Grace Lindqvist: The purlins are here" in await ada.see("purlins")
        ada.type("/find nobody said this", "/find here purlins")
        await ada.see("nothing found")
        await ada.see("The purlins are here")
        ada.type("/unread", "/archive", "/list archived")
        assert "(·) Grace" in (line := await ada.see("Grace Lindqvist ★"))
        assert "archived" in line
        await grace.event("message.created")
        await grace.event("message.created")
        grace.events[:] = [e for e in grace.events if e["event"] != "receipt.read"]
        ada.type("/mute off")
        await ada.see("no longer muted")
        await grace.call("message.send", to="ada", body="And the nails", client_id="2")
        await ada.see("And the nails")
        ada.type("/report all spam They never stop", "/list reported")
        await ada.see("reported; it is out of your inbox")
        assert "reported" in await ada.see("1 Grace")
        (report,) = (await server.operate("report.list"))["reports"]
        assert (report["reason"], report["text"]) == ("spam", "They never stop")
        ada.type("/inbox", "/clear", "/clear yes", "/older")
        await ada.see("is in the inbox")
        await ada.see("/clear yes")
        await ada.see("is deleted for you")
        await grace.event("message.created")
        await grace.call("ping")
        assert {e["event"] for e in grace.events} <= {"receipt.read"}
        await grace.call("message.send", to="ada", body="Still there?", client_id="3")
        await ada.see("Still there?")
        ada.type("/open grace", "/older")
        await ada.see("#")
        await ada.see("nothing older")
        assert await ada.end() == 0
