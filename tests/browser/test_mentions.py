"""Mentions on the page: who is offered, what is sent, how it is shown, and to whom."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.people import Person, in_both_schemes, person
from tests.browser.scripted import ScriptedServer
from tests.browser.test_access import no_violations
from tests.browser.test_faults import Enter, arrange, message, open_grace, write
from tests.browser.test_groups import EDITH, JOAN, MARY, act
from tests.support.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADA, GRACE, LINUS = "Ada Okafor", "Grace Lindqvist", "Linus Marchetti"
SITE = "Library site, week 47"


def mentioned(one: Person) -> list[Any]:
    """Whom the messages that this browser was told of mention, in their order."""
    events = [json.loads(text) for text in one.received if '"message.created"' in text]
    return [event["data"].get("mentions") for event in events]


@in_both_schemes
async def test_somebody_is_mentioned(
    browser: Browser, node: Running, settings: dict[str, Any]
) -> None:
    async with (
        person(browser, node.base, ADA, **settings) as ada,
        person(browser, node.base, GRACE, color_scheme=settings["color_scheme"]) as grace,
        person(browser, node.base, LINUS, color_scheme=settings["color_scheme"]) as linus,
    ):
        for one in (ada, grace, linus):
            await one.open(SITE)
        keys = ada.page.keyboard
        offers = ada.page.get_by_role("listbox", name="People to mention")
        chosen = offers.get_by_role("option", selected=True)
        await ada.field.press_sequentially("Well, @")
        await expect(offers.get_by_role("option")).to_have_count(4)
        await no_violations(ada.page, "whom to mention")
        assert await ada.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await expect(chosen).to_contain_text(GRACE)
        await keys.press("ArrowDown")
        await expect(chosen).to_contain_text(LINUS)
        active = await ada.field.get_attribute("aria-activedescendant")
        assert await chosen.get_attribute("id") == active
        await expect(ada.field).to_have_attribute("aria-controls", "mention-list")
        await keys.press("ArrowUp")
        await keys.press("ArrowUp")
        await expect(chosen).to_contain_text("Lynn Abara")
        await keys.type("lin")
        await expect(offers.get_by_role("option")).to_have_count(2)  # Grace by her surname
        await keys.press("ArrowDown")
        await keys.press("Enter")
        await expect(offers).to_be_hidden()
        await expect(ada.field).to_have_value(f"Well, @{LINUS} ")
        await keys.type("and @gra")
        await offers.get_by_role("option", name=GRACE).click()
        await expect(ada.field).to_have_value(f"Well, @{LINUS} and @{GRACE} ")
        await expect(ada.field).to_be_focused()
        await keys.type("who lifts?")
        await ada.page.get_by_role("button", name="Send", exact=True).click()

        text = f"Well, @{LINUS} and @{GRACE} who lifts?"
        shown = linus.message(text)
        await expect(shown.locator(".mention")).to_have_text([f"@{LINUS}", f"@{GRACE}"])
        await expect(shown.locator(".oneself")).to_have_text(f"@{LINUS}")
        await expect(shown).to_contain_text("mentions you")
        await no_violations(linus.page, "a mention of oneself")
        await expect(ada.message(text).locator(".mention")).to_have_count(2)
        await expect(ada.message(text)).not_to_contain_text("mentions you")
        await no_violations(ada.page, "a mention of others")
        assert mentioned(grace) == [["linus", "grace"]]


async def test_the_keys_are_the_texts_where_nobody_is_meant(
    browser: Browser, node: Running
) -> None:
    async with (
        person(browser, node.base, ADA) as ada,
        person(browser, node.base, GRACE) as grace,
    ):
        await ada.open(SITE)
        await grace.open(SITE)
        keys = ada.page.keyboard
        offers = ada.page.get_by_role("listbox")
        lynn = ada.message("Hard hats for six")
        await lynn.hover()
        await lynn.get_by_role("button", name="Reply", exact=True).click()
        await keys.type("@li")
        await expect(offers).to_be_visible()
        await keys.press("Escape")  # the list alone, and for this "@"
        await expect(offers).to_be_hidden()
        await expect(ada.page.locator(".answering")).to_be_visible()
        await keys.type("n")
        await expect(offers).to_be_hidden()
        await keys.press("Enter")
        await expect(grace.message("@lin").locator(".mention")).to_have_count(0)

        await keys.type("ada@gr")
        await expect(offers).to_be_hidden()
        await keys.type(" @nobody")
        await expect(offers).to_be_hidden()
        await keys.press("Enter")
        await expect(grace.message("ada@gr @nobody")).to_be_visible()

        # A name that is typed is a mention too; one that is edited in is none, and not offered.
        await keys.type(f"@{GRACE} ")
        await keys.press("Enter")
        own = grace.message(f"@{GRACE}").filter(has_text="mentions you")
        await expect(own.locator(".oneself")).to_have_count(1)
        await keys.press("ArrowUp")
        await keys.type("and @li")
        await expect(offers).to_be_hidden()
        await keys.press("Escape")
        await keys.type("@li")
        await expect(offers).to_be_visible()
        await ada.row(LINUS).click()
        await expect(offers).to_be_hidden()
        assert mentioned(grace) == [None, None, ["grace"]]


async def test_in_a_group_a_mention_shows_somebody_what_follows(
    browser: Browser, node: Running
) -> None:
    made = await act(
        node, "joan", "conversation.start", group="heritage", members=["mary"],
        title="The old mill", client_id="mill",
    )  # fmt: skip
    here = made["conversation"]
    await act(
        node, "joan", "message.send", conversation=here, body="Between us.", client_id="first"
    )
    async with (
        person(browser, node.base, MARY) as mary,
        person(browser, node.base, EDITH) as edith,
    ):
        await mary.open("The old mill")
        offers = mary.page.get_by_role("listbox", name="People to mention")
        await mary.field.press_sequentially("@")
        await expect(offers.get_by_role("option")).to_have_text([re.compile(JOAN)])
        await mary.page.keyboard.type("edi")
        await expect(offers.get_by_role("option")).to_contain_text("Not in this conversation.")
        await mary.page.keyboard.press("Tab")
        await mary.page.keyboard.type("knows the garden.")
        await mary.page.keyboard.press("Enter")
        await expect(mary.page.locator(".head-subtitle")).to_have_text(
            "Group · 2 people · 1 more can read"
        )
        await edith.open("The old mill")
        await expect(edith.message("knows the garden.")).to_contain_text("mentions you")
        assert "Between us." not in "".join(edith.received)


async def test_what_is_sent_again_mentions_the_same(
    page: Page, scripted: ScriptedServer, signed_in: Enter
) -> None:
    arrange(scripted, message(1, "Hm.", sender="ada", mentions=["ada", "grace"]))
    scripted.silent.add("message.send")
    await signed_in()
    await open_grace(page)
    # Where the text has no name, that one is meant is said all the same.
    await expect(page.locator(".message")).to_contain_text("mentions you")
    await write(page, "@Grace Lindqvist <b>here</b>?")
    await expect(page.locator(".outgoing .mention")).to_have_text("@Grace Lindqvist")
    first = await scripted.wait_sent("message.send")
    assert first["mentions"] == ["grace"]
    await scripted.close(4001)
    assert await scripted.wait_sent("message.send", 2) == first
