"""The page shows how a message came, asks before it costs, and lets one answer a request."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.browser.people import person
from tests.support.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

LYNN, HEDY, JOAN, NIKLAUS = "Lynn Abara", "Hedy Baumann", "Joan Whitfield", "Niklaus Frey"


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
