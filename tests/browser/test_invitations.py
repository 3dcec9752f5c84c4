"""Asking to connect on the page: taking it back, and not knowing who asks."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Locator, expect

from tests.browser.people import Person, in_both_schemes, person
from tests.browser.test_access import no_violations
from tests.browser.test_groups import act
from tests.support.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADA, EDITH, HEDY, KEN, TIM = (
    "Ada Okafor", "Edith Sørensen", "Hedy Baumann", "Ken Watanabe", "Tim Adeyemi",
)  # fmt: skip


async def sent_by(one: Person) -> Locator:
    """The dialog that lists what one has sent."""
    await one.page.get_by_role("button", name="Settings of").click()
    await one.page.get_by_role("button", name="Requests sent").click()
    return one.page.get_by_role("dialog", name="Requests you sent")


@in_both_schemes
async def test_a_request_is_taken_back_where_it_was_made(
    browser: Browser, node: Running, settings: dict[str, Any]
) -> None:
    async with (
        person(browser, node.base, EDITH, **settings) as edith,
        person(browser, node.base, HEDY) as hedy,
    ):
        way = edith.page.locator(".way")
        await edith.page.goto(f"{node.base}/#to/hedy")
        await edith.page.get_by_role("button", name="Ask to connect").press("Enter")
        await expect(way).to_contain_text("You have asked Hedy to connect.")
        await expect(way).to_be_focused()
        await expect(hedy.page.locator(".request")).to_contain_text(EDITH)
        await no_violations(edith.page, "a request that waits")

        asked = edith.page.get_by_role("dialog", name=f"Withdraw your request to {HEDY}?")
        await edith.page.get_by_role("button", name="Withdraw request").press("Enter")
        await asked.get_by_role("button", name="Cancel").click()
        await expect(edith.page.get_by_role("button", name="Withdraw request")).to_be_focused()
        await edith.page.keyboard.press("Enter")
        await asked.get_by_role("button", name="Withdraw", exact=True).click()
        await expect(way).not_to_contain_text("You have asked Hedy")
        await expect(way).to_be_focused()
        await expect(hedy.page.locator(".requests")).to_be_hidden()
        # Asking again so soon is refused, and why is said.
        await edith.page.get_by_role("button", name="Ask to connect").click()
        await expect(edith.page.locator(".toast")).to_contain_text("You withdrew an invitation")


async def test_all_that_one_has_sent_is_listed(browser: Browser, node: Running) -> None:
    async with (
        person(browser, node.base, EDITH) as edith,
        person(browser, node.base, EDITH, reduced_motion="reduce") as elsewhere,
    ):
        for who in ("hedy", "ken"):
            await act(node, "edith", "invitation.send", to=who, client_id=who)
        await expect((await sent_by(edith)).locator(".person")).to_have_count(2)
        dialog = await sent_by(elsewhere)
        await expect(dialog.locator(".person")).to_have_count(2)
        await no_violations(elsewhere.page, "what one has sent")
        await dialog.get_by_role("button", name=f"Withdraw your request to {HEDY}").click()
        asked = elsewhere.page.get_by_role("dialog", name="Withdraw your request")
        await asked.get_by_role("button", name="Withdraw", exact=True).click()
        await expect(dialog.locator(".person")).to_have_count(1)
        await expect(dialog.get_by_role("button", name="Close")).to_be_focused()
        # What was accepted meanwhile waits no more.
        await act(node, "ken", "invitation.send", to="edith", client_id="likewise")
        await expect(dialog).to_contain_text("No request of yours waits for an answer.")
        # On the other device, what was withdrawn is seen by looking again.
        await edith.page.keyboard.press("Escape")
        dialog = await sent_by(edith)
        await expect(dialog).to_contain_text("No request of yours waits for an answer.")


@in_both_schemes
async def test_who_is_not_known_is_not_told(
    browser: Browser, node: Running, settings: dict[str, Any]
) -> None:
    async with (
        person(browser, node.base, ADA, **settings) as ada,
        person(browser, node.base, ADA) as elsewhere,
        person(browser, node.base, TIM) as tim,
    ):
        refuse = ada.page.get_by_role("button", name=f"I don't know this person: {TIM}")
        dialog = ada.page.get_by_role("dialog", name=f"You don't know {TIM}?")
        await no_violations(ada.page, "who asks to connect")
        assert await ada.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await refuse.click()
        await expect(dialog).to_contain_text("They are not told.")
        await dialog.get_by_role("button", name="Cancel").click()
        await expect(refuse).to_be_visible()
        await refuse.press("Enter")
        await dialog.get_by_role("button", name="I don't know them").click()
        for one in (ada, elsewhere):
            await expect(one.page.locator(".request")).to_contain_text([KEN])

        # To him it waits, as if nobody had looked.
        sent = await sent_by(tim)
        await expect(sent.locator(".person")).to_contain_text([ADA])
        await tim.page.keyboard.press("Escape")
        await act(node, "grace", "message.send", to="tim", body="The last.", client_id="last")
        await expect(tim.row("Grace Lindqvist")).to_contain_text("The last.")
        assert "invitation.answered" not in "".join(tim.received)
