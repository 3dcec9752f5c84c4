"""What one does for oneself on the page: on both one's browsers, and never sent to another's."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Browser, expect

from tests.browser.people import Person, person
from tests.support.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADA, GRACE, LINUS = "Ada Okafor", "Grace Lindqvist", "Linus Marchetti"


async def choose(one: Person, action: str) -> None:
    """One of the things to do with the open conversation."""
    await one.page.get_by_role("button", name="This conversation, for you").click()
    await one.page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()


async def listed(one: Person, name: str) -> None:
    await one.page.get_by_label("Conversations shown").select_option(label=name)


async def test_marks_are_on_both_of_ones_browsers_alone(browser: Browser, node: Running) -> None:
    async with (
        person(browser, node.base, ADA) as ada,
        person(browser, node.base, ADA) as elsewhere,
        person(browser, node.base, GRACE) as grace,
    ):
        await grace.open(ADA)
        before = len(grace.received)
        await ada.open(GRACE)
        await choose(ada, "Star")
        await choose(ada, "Mute")
        for one in (ada, elsewhere):
            await expect(one.row(GRACE).locator(".star")).to_be_visible()
            await expect(one.row(GRACE)).to_contain_text("Muted")
        await listed(elsewhere, "Starred")
        await expect(elsewhere.rows).to_have_count(1)
        await listed(elsewhere, "Inbox")

        await choose(ada, "Mark as unread")
        for one in (ada, elsewhere):
            await expect(one.row(GRACE).locator(".badge")).to_have_text("Marked unread")
        await ada.open(GRACE)
        for one in (ada, elsewhere):
            await expect(one.row(GRACE).locator(".badge")).to_have_count(0)

        await choose(ada, "Archive")
        for one in (ada, elsewhere):
            await expect(one.row(GRACE)).to_have_count(0)
        await listed(elsewhere, "Archived")
        await expect(elsewhere.row(GRACE)).to_be_visible()
        await listed(elsewhere, "Inbox")
        await grace.say("Back to the roof, please.")
        for one in (ada, elsewhere):
            await expect(one.row(GRACE)).to_contain_text("Back to the roof")
        told = "".join(grace.received[before:])
        assert "Back to the roof" in told
        assert "conversation.changed" not in told
        assert "conversation.changed" in "".join(elsewhere.received)


async def test_a_deleted_conversation_comes_back_with_what_is_new(
    browser: Browser, node: Running
) -> None:
    async with (
        person(browser, node.base, ADA) as ada,
        person(browser, node.base, GRACE) as grace,
    ):
        await grace.open(ADA)
        await grace.say("Soon forgotten.")
        await ada.open(GRACE)
        await expect(ada.message("Soon forgotten.")).to_be_visible()
        await choose(ada, "Delete for me")
        await ada.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await expect(ada.row(GRACE)).to_have_count(0)
        await expect(grace.message("Soon forgotten.")).to_be_visible()
        await grace.say("Something new.")
        await ada.open(GRACE)
        await expect(ada.message("Something new.")).to_be_visible()
        await expect(ada.page.locator(".message")).to_have_count(1)


async def test_a_draft_is_on_the_other_browser_too(browser: Browser, node: Running) -> None:
    async with (
        person(browser, node.base, ADA) as ada,
        person(browser, node.base, ADA) as elsewhere,
    ):
        await ada.open(GRACE)
        await ada.field.fill("About the beam")
        await ada.open(LINUS)
        await expect(ada.row(GRACE)).to_contain_text("Draft: About the beam")
        await expect(elsewhere.row(GRACE)).to_contain_text("Draft: About the beam")
        await elsewhere.open(GRACE)
        await expect(elsewhere.field).to_have_value("About the beam")
        await elsewhere.say("About the beam: yes.")
        await expect(ada.row(GRACE)).to_contain_text("You: About the beam: yes.")
        await ada.open(GRACE)
        await expect(ada.field).to_have_value("")


async def test_words_are_searched_for_in_everything(browser: Browser, node: Running) -> None:
    async with person(browser, node.base, ADA) as ada:
        await ada.open(GRACE)
        await ada.say("The Überbau needs a drawing.")
        search = ada.page.get_by_role("searchbox")
        await search.fill("überbau DRAWING")
        await search.press("Enter")
        found = ada.page.locator(".found")
        await expect(found).to_have_count(1)
        await expect(found).to_contain_text("The Überbau needs a drawing.")
        await found.click()
        await expect(ada.page.get_by_role("heading", level=1)).to_have_text(GRACE)
        await search.fill("nobody said this")
        await search.press("Enter")
        found_none = ada.page.locator(".list").get_by_role("status")
        await expect(found_none).to_have_text("Nothing found.")
        await search.fill("")
        await expect(ada.row(GRACE)).to_be_visible()


async def test_a_reported_conversation_is_out_of_the_inbox(browser: Browser, node: Running) -> None:
    async with (
        person(browser, node.base, ADA) as ada,
        person(browser, node.base, GRACE) as grace,
    ):
        before = len(grace.received)
        await ada.open(GRACE)
        await choose(ada, "Report")
        await ada.page.get_by_label("What is wrong?").select_option("harassment")
        await ada.page.get_by_role("dialog").get_by_role("button", name="Report").click()
        await expect(ada.row(GRACE)).to_have_count(0)
        report = (await node.operate("report.list"))["reports"][0]
        assert (report["reason"], report["reporter"]) == ("harassment", "ada")
        await listed(ada, "Reported")
        await ada.open(GRACE)
        await choose(ada, "Take back into inbox")
        await listed(ada, "Inbox")
        await expect(ada.row(GRACE)).to_be_visible()
        told = {json.loads(frame).get("event") for frame in grace.received[before:]}
        assert told <= {"receipt.read"}
