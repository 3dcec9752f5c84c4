"""Members talk on the page, on a real server, and nobody else's browser is sent a byte of it."""

from __future__ import annotations

import re
from pathlib import Path
from signal import SIGTERM

import httpx
import pytest
from playwright.async_api import Browser, expect

from tests.browser.people import PHONE, person
from tests.support.running import Process, Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADA, GRACE, LINUS = "Ada Okafor", "Grace Lindqvist", "Linus Marchetti"


async def test_two_talk_and_a_third_sees_nothing(browser: Browser, node: Running) -> None:
    async with (
        person(browser, node.base, ADA) as ada,
        person(browser, node.base, GRACE) as grace,
        person(browser, node.base, LINUS) as linus,
    ):
        await ada.open(GRACE)
        await grace.open(ADA)
        conversation = ada.page.url.rsplit("/", 1)[1]

        await ada.field.press_sequentially("The rod is sixteen")
        await expect(grace.page.locator(".typing-line")).to_have_text("Ada is typing")
        await ada.say("The rod is sixteen millimetres.")
        await expect(grace.message("The rod is sixteen millimetres.")).to_be_visible()
        await expect(grace.page.locator(".typing-line")).to_be_empty()
        await expect(ada.message("The rod is sixteen")).to_contain_text("Seen by Grace")

        await grace.use("The rod is sixteen", "React")
        await grace.page.get_by_role("button", name="Thumbs up").click()
        await expect(ada.message("The rod is sixteen").locator(".reaction")).to_have_text("👍1")
        await ada.message("The rod is sixteen").locator(".reaction").click()
        await expect(grace.message("The rod is sixteen").locator(".reaction")).to_have_text("👍2")

        await ada.use("The rod is sixteen", "Edit")
        await expect(ada.field).to_have_value("The rod is sixteen millimetres.")
        await ada.field.fill("The rod is eighteen millimetres.")
        await ada.field.press("Enter")
        await expect(grace.message("The rod is eighteen")).to_contain_text("edited")

        await ada.use("The rod is eighteen", "Delete")
        await ada.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await expect(grace.message("Message deleted")).to_be_visible()
        await expect(grace.message("The rod is")).to_have_count(0)

        # The sentinel: whatever was on its way to Linus before it has arrived.
        await ada.open(LINUS)
        await ada.say("And now to you.")
        await expect(linus.row(ADA)).to_contain_text("And now to you.")
        received = "".join(linus.received)
        assert "And now to you." in received
        for secret in ("The rod is", "Message deleted", "message.reacted", conversation):
            assert secret not in received
        assert conversation in "".join(grace.received)
        assert "The rod is eighteen" in "".join(grace.received)


async def test_unread_is_counted_until_it_is_read(browser: Browser, node: Running) -> None:
    async with (
        person(browser, node.base, ADA) as ada,
        person(browser, node.base, "Alan Petrov") as alan,
        person(browser, node.base, ADA) as elsewhere,
    ):
        await alan.page.get_by_role("button", name="New conversation").click()
        await alan.page.get_by_role("checkbox", name=ADA).check()
        await alan.page.get_by_role("button", name="Start", exact=True).click()
        await expect(alan.page).to_have_url(re.compile("#to/ada$"))
        await alan.say("One.")
        await expect(alan.page).to_have_url(re.compile("#c/"))
        await alan.say("Two.")
        for where in (ada, elsewhere):
            await expect(where.row("Alan Petrov").locator(".badge")).to_contain_text("2")
            await expect(where.rows.first).to_contain_text("Alan Petrov")

        await ada.open("Alan Petrov")
        await expect(ada.page.locator(".line.unread")).to_have_text("New")
        for where in (ada, elsewhere):
            await expect(where.row("Alan Petrov").locator(".badge")).to_have_count(0)
        await expect(alan.message("Two.")).to_contain_text("Seen by Ada")


async def test_several_in_one_conversation(browser: Browser, node: Running) -> None:
    async with (
        person(browser, node.base, ADA) as ada,
        person(browser, node.base, GRACE) as grace,
        person(browser, node.base, LINUS) as linus,
    ):
        await ada.page.get_by_role("button", name="New conversation").click()
        for name in (GRACE, LINUS):
            await ada.page.get_by_role("checkbox", name=name).check()
        await ada.page.get_by_label("Title (optional)").fill("Stairs")
        await ada.page.get_by_role("button", name="Start with 2 people").click()
        await ada.say("Which stringer first?")
        for one in (grace, linus):
            await one.open("Stairs")
            await expect(one.message("Which stringer first?")).to_contain_text(ADA)
        await expect(ada.message("Which stringer")).to_contain_text("Seen by Grace and Linus")

        await grace.page.get_by_role("button", name="People in this conversation").click()
        await grace.page.get_by_label("Title").fill("Stairs, second flight")
        await grace.page.get_by_role("button", name="Rename").click()
        await expect(ada.row("Stairs, second flight")).to_be_visible()

        await linus.page.get_by_role("button", name="People in this conversation").click()
        await linus.page.get_by_role("button", name="Leave").click()
        await linus.page.get_by_role("dialog").get_by_role("button", name="Leave").click()
        await expect(linus.page.locator(".composer-closed")).to_be_visible()
        await expect(ada.page.locator(".line.notice")).to_contain_text([f"{LINUS} left."])
        await expect(ada.page.locator(".head-subtitle")).to_have_text("2 people")

        await ada.say("Only for Grace now.")
        await expect(grace.message("Only for Grace now.")).to_be_visible()
        await ada.open(LINUS)
        await ada.say("Till tomorrow.")
        await expect(linus.row(ADA)).to_contain_text("Till tomorrow.")
        assert "Only for Grace now." not in "".join(linus.received)


async def test_a_request_to_connect_is_accepted_or_ignored(browser: Browser, node: Running) -> None:
    async with person(browser, node.base, ADA) as ada:
        requests = ada.page.locator(".request")
        await expect(requests).to_have_count(2)
        await ada.page.get_by_role("button", name="Accept Ken Watanabe").click()
        await expect(requests).to_have_count(1)
        await ada.page.get_by_role("button", name="Ignore Tim Adeyemi").click()
        await expect(ada.page.locator(".requests")).to_be_hidden()

        await ada.page.get_by_role("button", name="New conversation").click()
        await ada.page.get_by_label("Search by name or id").fill("watan")
        await ada.page.get_by_role("checkbox", name="Ken Watanabe").check()
        await expect(ada.page.get_by_role("checkbox")).to_have_count(1)
        await ada.page.get_by_role("button", name="Start", exact=True).click()
        await ada.say("Good morning, Ken.")
        await expect(ada.row("Ken Watanabe")).to_contain_text("You: Good morning, Ken.")


async def test_receipts_off_gives_none_and_gets_none(browser: Browser, node: Running) -> None:
    async with (
        person(browser, node.base, ADA) as ada,
        person(browser, node.base, GRACE) as grace,
    ):
        await grace.page.get_by_role("button", name="Settings of").click()
        switch = grace.page.get_by_role("switch", name="Read receipts and typing")
        await expect(switch).to_be_checked()
        await switch.uncheck()
        await node.operate("member.put", id="sentinel", name="Sentinel")
        await expect(switch).not_to_be_checked()
        await grace.page.get_by_role("button", name="Close").click()

        await ada.open(GRACE)
        await grace.open(ADA)
        await ada.say("Did you see this?")
        await grace.field.press_sequentially("Perhaps")
        await grace.say("Perhaps.")
        await expect(ada.message("Perhaps.")).to_be_visible()
        await ada.say("Ha.")
        await grace.say("Hm.")
        await expect(ada.message("Hm.")).to_be_visible()
        received = "".join(ada.received)
        assert "typing.started" not in received
        assert "receipt.read" not in received
        assert "receipt.read" not in "".join(grace.received)


async def test_history_comes_in_pages_and_keeps_its_place(browser: Browser, node: Running) -> None:
    headers = {"Authorization": f"Bearer {node.token('grace')}"}
    async with httpx.AsyncClient(base_url=node.base, headers=headers) as http:
        for number in range(100):
            params = {"to": "ada", "body": f"Line {number:03}.", "client_id": f"line-{number}"}
            answer = await http.post("/v1/message.send", json=params)
            assert answer.status_code == 200
    async with person(browser, node.base, ADA) as ada:
        await ada.open(GRACE)
        messages = ada.page.locator(".message")
        await expect(ada.message("Line 099.")).to_be_visible()
        await expect(messages).to_have_count(40)

        # Near the top the page before is read, and what is in sight stays where it is.
        line = ada.message("Line 064.")
        before = await line.evaluate(
            "line => (line.closest('.scroller').scrollTop = 200, line.getBoundingClientRect().top)"
        )
        await expect(messages).to_have_count(80)
        after = await line.evaluate("line => line.getBoundingClientRect().top")
        assert abs(before - after) < 2
        await ada.page.get_by_role("button", name="Show earlier messages").focus()
        await ada.page.keyboard.press("Enter")
        await expect(messages).to_have_count(105)
        await expect(ada.page.get_by_role("button", name="Show earlier")).to_be_hidden()

        # Away from the end a new message does not move what is read, and is not read itself.
        await ada.page.locator(".scroller").evaluate("scroller => scroller.scrollTop = 500")
        async with httpx.AsyncClient(base_url=node.base, headers=headers) as http:
            params = {"to": "ada", "body": "The newest.", "client_id": "newest"}
            await http.post("/v1/message.send", json=params)
        await expect(ada.row(GRACE).locator(".badge")).to_contain_text("1")
        await ada.page.get_by_role("button", name="Go to the newest message").click()
        await expect(ada.message("The newest.")).to_be_in_viewport()
        await expect(ada.row(GRACE).locator(".badge")).to_have_count(0)


async def test_a_restart_of_the_server_loses_nothing(browser: Browser, tmp_path: Path) -> None:
    server = Process(tmp_path, "--demo")
    await server.start()
    try:
        async with (
            person(browser, server.base, ADA) as ada,
            person(browser, server.base, GRACE) as grace,
        ):
            await ada.open(GRACE)
            await grace.open(ADA)
            await ada.say("Before.")
            await expect(grace.message("Before.")).to_be_visible()
            base = server.base
            await server.kill(SIGTERM)
            await expect(ada.page.locator(".banner")).to_contain_text("Reconnecting in")

            await ada.field.fill("Meanwhile.")
            await ada.field.press("Enter")
            await expect(ada.message("Meanwhile.")).to_contain_text("Sending…")
            server = Process(tmp_path, "--demo", "--port", base.rsplit(":", 1)[1])
            await server.start()
            for one in (ada, grace):
                # Coming back online is a reason to try at once, whatever the wait has grown to.
                await one.page.evaluate("window.dispatchEvent(new Event('online'))")
                await expect(one.page.locator(".banner")).to_be_hidden(timeout=20_000)
            await expect(grace.message("Meanwhile.")).to_have_count(1)
            await expect(ada.message("Meanwhile.").get_by_text("Sending…")).to_have_count(0)
            await expect(ada.message("Meanwhile.")).to_have_count(1)
            await grace.say("And after.")
            await expect(ada.message("And after.")).to_be_visible()
    finally:
        await server.kill()


async def test_a_revoked_member_is_told_and_stays_out(browser: Browser, node: Running) -> None:
    async with person(browser, node.base, ADA) as ada:
        await node.operate("session.revoke", member="ada")
        await expect(ada.page.locator(".banner")).to_contain_text("Your access was revoked.")
        await ada.page.locator(".banner").get_by_role("button", name="Sign in").click()
        await expect(ada.page.get_by_role("button", name=ADA)).to_be_visible()


async def test_on_a_phone_it_is_one_or_the_other(browser: Browser, node: Running) -> None:
    async with person(browser, node.base, ADA, **PHONE) as ada:
        await expect(ada.field).to_be_hidden()
        await ada.row(GRACE).tap()
        await expect(ada.field).to_be_visible()
        await expect(ada.rows.first).to_be_hidden()
        await ada.page.get_by_role("button", name="Back to conversations").tap()
        await expect(ada.rows.first).to_be_visible()
        await ada.row(GRACE).tap()
        await expect(ada.field).to_be_visible()
        await ada.page.go_back()
        await expect(ada.rows.first).to_be_visible()
        wide = await ada.page.evaluate("document.documentElement.scrollWidth")
        assert wide == 360
