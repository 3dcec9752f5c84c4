"""The page says which way a message takes, asks before it costs, answers requests, and closes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.people import Person, on_both_screens, person
from tests.browser.scripted import ORIGIN, ScriptedServer
from tests.support.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

LYNN, HEDY, JOAN, NIKLAUS = "Lynn Abara", "Hedy Baumann", "Joan Whitfield", "Niklaus Frey"
TIM, EDITH, KEN = "Tim Adeyemi", "Edith Sørensen", "Ken Watanabe"


async def test_an_inmail_is_asked_about_and_answered(browser: Browser, node: Running) -> None:
    async with (
        person(browser, node.base, LYNN) as lynn,
        person(browser, node.base, HEDY) as hedy,
    ):
        await lynn.page.goto(f"{node.base}/#to/hedy")
        await lynn.field.fill("Would you light the old mill?")
        await lynn.field.press("Enter")
        asked = lynn.message("Would you light the old mill?")
        await expect(asked).to_contain_text("This would be an InMail, for 1 of your 15 credits.")
        assert (await node.operate("credits.ledger", member="lynn"))["balance"] == 15
        await asked.get_by_role("button", name="Send for a credit").click()
        await expect(lynn.message("Would you light the old mill?")).to_contain_text("InMail")
        await expect(lynn.page.get_by_text("Your request waits for an answer.")).to_be_visible()
        await expect(lynn.page.get_by_role("button", name="Accept")).to_have_count(0)
        assert (await node.operate("credits.ledger", member="lynn"))["balance"] == 14

        await hedy.open(LYNN)
        await expect(hedy.page.locator(".asking")).to_contain_text("Lynn asks to write to you.")
        await hedy.page.get_by_role("button", name="Accept").click()
        await expect(hedy.page.locator(".asking")).to_be_hidden()
        await expect(lynn.page.locator(".asking")).to_be_hidden()
        await lynn.say("Then until Monday.")
        await expect(hedy.message("Then until Monday.")).to_contain_text("InMail")
        assert (await node.operate("credits.ledger", member="lynn"))["balance"] == 15


async def test_a_request_that_is_declined_is_closed(browser: Browser, node: Running) -> None:
    async with person(browser, node.base, JOAN) as joan:
        await joan.open(NIKLAUS)
        await expect(joan.page.locator(".bubble .subject")).to_have_text("Old larch")
        await joan.page.get_by_role("button", name="Decline").click()
        await expect(joan.page.get_by_text("This conversation is closed.")).to_be_visible()
        await expect(joan.page.locator(".asking")).to_be_hidden()


async def new_to(one: Person, words: str, name: str) -> None:
    """Begin to write to somebody who is no connection."""
    await one.page.goto(f"{one.base}/#")
    await one.page.get_by_role("button", name="New conversation").click()
    dialog = one.page.get_by_role("dialog")
    await dialog.get_by_role("searchbox").fill(words)
    await dialog.get_by_role("button", name=name).click()
    await expect(one.page.get_by_role("heading", level=1)).to_have_text(name)


async def send(one: Person, text: str) -> None:
    """As `say`, on a screen whose Enter key ends a line, and where it may have to be paid."""
    await one.field.fill(text)
    await one.page.get_by_role("button", name="Send", exact=True).click()


async def own_menu(one: Person, action: str) -> None:
    await one.page.get_by_role("button", name="This conversation, for you").click()
    await one.page.get_by_role("dialog").get_by_role("button", name=action).click()


@on_both_screens
async def test_what_an_inmail_costs_is_said_before_and_after(
    browser: Browser, node: Running, screen: dict[str, Any]
) -> None:
    async with (
        person(browser, node.base, LYNN, **screen) as lynn,
        person(browser, node.base, HEDY) as hedy,
    ):
        await new_to(lynn, "light", HEDY)
        way = lynn.page.locator(".way")
        await expect(way).to_contain_text("an InMail, for 1 of your 15 credits.")
        await lynn.page.get_by_label("Subject").fill("The old mill")
        await send(lynn, "Would you light it for us?")
        asked = lynn.message("Would you light it for us?")
        await expect(asked.locator(".subject")).to_have_text("The old mill")
        await asked.get_by_role("button", name="Discard").click()
        await expect(asked).to_have_count(0)
        assert (await node.operate("credits.ledger", member="lynn"))["balance"] == 15

        await lynn.page.get_by_label("Subject").fill("The old mill")
        await send(lynn, "Would you light it for us?")
        await asked.get_by_role("button", name="Send for a credit").click()
        await expect(lynn.page.get_by_text("Your request waits for an answer.")).to_be_visible()
        await expect(lynn.field).to_be_hidden()
        await expect(way).to_be_hidden()

        await expect(hedy.row(LYNN)).to_contain_text("Request: Would you light it")
        await hedy.page.get_by_label("Conversations shown").select_option(label="Requests")
        await expect(hedy.rows).to_have_count(1)
        await hedy.open(LYNN)
        await expect(hedy.page.locator(".bubble .subject")).to_have_text("The old mill")
        await hedy.say("With pleasure.")
        await expect(hedy.page.locator(".asking")).to_be_hidden()
        await expect(lynn.page.get_by_text("The request was accepted.")).to_be_visible()
        await expect(lynn.field).to_be_visible()
        await expect(way).to_be_hidden()

        await lynn.page.goto(f"{node.base}/#")
        await lynn.page.get_by_role("button", name="Settings of").click()
        await expect(lynn.page.get_by_role("dialog")).to_contain_text("Credits: 15")
        await lynn.page.get_by_role("button", name="Credit history").click()
        await expect(lynn.page.get_by_text("You have 15 credits.")).to_be_visible()
        entries = lynn.page.locator(".entry")
        await expect(entries).to_have_text(
            [
                re.compile("Your InMail was answeredplus \\+1.*usable until"),
                re.compile("You sent an InMailminus −1"),
                re.compile("This month's, from your planplus \\+15"),
            ]
        )
        await node.operate(
            "credits.grant", member="lynn", amount=3, reason="A thank-you", client_id="thanks"
        )
        await expect(lynn.page.get_by_text("You have 18 credits.")).to_be_visible()
        await expect(entries.first).to_contain_text("A thank-you")
        assert await lynn.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@on_both_screens
async def test_what_an_open_profile_opened_is_closed_and_opened_anew(
    browser: Browser, node: Running, screen: dict[str, Any]
) -> None:
    async with (
        person(browser, node.base, TIM, **screen) as tim,
        person(browser, node.base, LYNN) as lynn,
    ):
        await lynn.page.get_by_role("button", name="Settings of").click()
        switch = lynn.page.get_by_role("switch", name="Open Profile")
        await expect(switch).not_to_be_checked()
        await switch.check()
        await expect(lynn.page.get_by_role("switch", name="InMail")).to_be_checked()
        await lynn.page.get_by_role("button", name="Close", exact=True).click()

        await new_to(tim, "lynn", LYNN)
        await expect(tim.page.locator(".way")).to_contain_text("anybody may write, free")
        await send(tim, "Is the tender still open?")
        await lynn.open(TIM)
        await expect(lynn.message("Is the tender")).to_contain_text("Open Profile")
        await expect(lynn.page.locator(".way")).to_be_hidden()
        await lynn.say("Until Friday.")
        await expect(tim.message("Until Friday.")).to_be_visible()

        dialog = tim.page.get_by_role("dialog")
        await own_menu(tim, "Close this conversation")
        await dialog.get_by_role("button", name="Cancel").click()
        await expect(tim.field).to_be_visible()
        await own_menu(tim, "Close this conversation")
        await expect(dialog).to_contain_text("Lynn can write to you here no more")
        await dialog.get_by_role("button", name="Close it").click()
        for one in (tim, lynn):
            await expect(one.page.get_by_text("This conversation is closed.")).to_be_visible()
            await expect(one.page.get_by_text("This conversation was closed.")).to_be_visible()
            await expect(one.field).to_be_hidden()
        await expect(lynn.page.get_by_role("button", name="Write anew")).to_be_hidden()
        await own_menu(lynn, "Star")  # what is one's own stays possible
        await lynn.page.get_by_role("button", name="This conversation, for you").click()
        await expect(lynn.page.get_by_role("button", name="Close this")).to_have_count(0)
        await lynn.page.keyboard.press("Escape")

        await tim.page.get_by_role("button", name="Write anew").click()
        await expect(tim.field).to_be_focused()
        await send(tim, "One question more.")
        await expect(lynn.message("One question more.")).to_be_visible()
        await expect(lynn.field).to_be_visible()
        await expect(tim.page.get_by_text("This conversation is closed.")).to_be_hidden()
        await lynn.say("Ask it.")
        await expect(tim.message("Ask it.")).to_be_visible()


async def test_a_fellow_member_gets_a_request_and_declines_it(
    browser: Browser, node: Running
) -> None:
    async with (
        person(browser, node.base, EDITH) as edith,
        person(browser, node.base, KEN) as ken,
    ):
        await new_to(edith, "watan", KEN)
        way = edith.page.locator(".way")
        await expect(way).to_contain_text("You are in a group together.")
        await expect(edith.page.get_by_label("Subject")).to_be_hidden()
        await edith.say("Would you mill me an oak?")
        await expect(edith.field).to_be_hidden()
        await ken.open(EDITH)
        await ken.page.get_by_role("button", name="Decline").click()
        await expect(edith.page.get_by_text("The request was declined.")).to_be_visible()
        await expect(way).to_contain_text("This conversation is closed.")
        await expect(edith.field).to_be_hidden()
        # It is closed to her alone: he may write to her, as a request of his own.
        await ken.page.get_by_role("button", name="Write anew").click()
        await ken.say("On second thought, yes.")
        await expect(edith.page.locator(".asking")).to_contain_text("Ken asks to write to you.")


async def test_where_no_way_leads_connecting_opens_one(browser: Browser, node: Running) -> None:
    async with (
        person(browser, node.base, EDITH) as edith,
        person(browser, node.base, HEDY) as hedy,
    ):
        await new_to(edith, "hedy", HEDY)
        way = edith.page.locator(".way")
        await expect(way).to_contain_text("You cannot write to Hedy at the moment.")
        await expect(way).to_contain_text("An InMail needs a plan other than basic.")
        await expect(edith.field).to_be_hidden()
        await expect(way).to_be_focused()
        await edith.page.get_by_role("button", name="Ask to connect").press("Enter")
        await expect(way).to_contain_text("You have asked Hedy to connect.")
        await expect(edith.page.get_by_role("button", name="Ask to connect")).to_be_hidden()
        await hedy.page.get_by_role("button", name="Accept Edith").click()
        await expect(way).to_be_hidden()
        await edith.say("Now we can talk.")
        await expect(hedy.row(EDITH)).to_contain_text("Now we can talk.")


async def test_whoever_does_not_exist_is_out_of_reach(browser: Browser, node: Running) -> None:
    async with person(browser, node.base, EDITH) as edith:
        await edith.page.get_by_role("button", name="New conversation").click()
        dialog = edith.page.get_by_role("dialog")
        await dialog.get_by_role("searchbox").fill("no.such-member")
        await dialog.get_by_role("button", name="no.such-member").click()
        way = edith.page.locator(".way")
        await expect(way).to_contain_text("There is nothing here that you can reach.")
        await expect(way.get_by_role("button")).to_have_count(0)
        await expect(edith.field).to_be_hidden()


NEEDS = [
    ({"inmail": ["buy credits"]}, "An InMail costs 2 credits, and you have 1."),
    ({"inmail": ["upgrade"]}, "An InMail needs a plan other than basic."),
    ({"group": ["wait"]}, "You have made all of this month's requests to members of your groups."),
]


@pytest.mark.parametrize(("needs", "words"), NEEDS)
async def test_what_would_open_a_way_is_said(
    page: Page,
    scripted: ScriptedServer,
    signed_in: Callable[[], Awaitable[ScriptedServer]],
    needs: dict[str, list[str]],
    words: str,
) -> None:
    kinds = {"direct": 0, "open_profile": 0, "group": 0, "inmail": 2}
    scripted.answers["explain"] = {
        "ways": [
            {"kind": kind, "allowed": False, "cost": cost, "needs": needs.get(kind, [])}
            for kind, cost in kinds.items()
        ]
    }
    scripted.answers["credits.get"] = {"balance": 1, "entries": [], "more": False}
    await signed_in()
    await page.goto(f"{ORIGIN}/#to/grace")
    way = page.locator(".way")
    await expect(way).to_contain_text("You cannot write to grace at the moment.")
    await expect(way).to_contain_text(words)


async def test_a_block_is_ones_own_and_can_be_lifted(browser: Browser, node: Running) -> None:
    async with (
        person(browser, node.base, JOAN) as joan,
        person(browser, node.base, NIKLAUS) as niklaus,
    ):
        await niklaus.open(JOAN)
        await joan.open(NIKLAUS)
        before = len(niklaus.received)
        await own_menu(joan, "Block Niklaus")
        dialog = joan.page.get_by_role("dialog")
        await expect(dialog).to_contain_text("Niklaus is not told.")
        await dialog.get_by_role("button", name="Block", exact=True).click()
        way = joan.page.locator(".way")
        await expect(way).to_contain_text("You have blocked Niklaus")
        await expect(joan.field).to_be_hidden()
        await expect(joan.page.locator(".asking")).to_be_hidden()
        await joan.page.reload()
        await expect(way).to_contain_text("You have blocked Niklaus")

        await joan.page.get_by_role("button", name="Settings of").click()
        await joan.page.get_by_role("button", name="Blocked people").click()
        await dialog.get_by_role("button", name="Unblock Niklaus Frey").click()
        await expect(dialog).to_contain_text("You have blocked nobody.")
        await joan.page.keyboard.press("Escape")
        await expect(joan.page.locator(".asking")).to_be_visible()
        # The sentinel: whatever was told before it has arrived.
        await joan.page.get_by_role("button", name="Decline").click()
        await expect(niklaus.page.get_by_text("The request was declined.")).to_be_visible()
        assert "block" not in "".join(niklaus.received[before:])
