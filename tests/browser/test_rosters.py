"""The page's rosters: bringing people in, taking them out, and who is offered neither."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.people import Person, on_both_screens, person
from tests.browser.scripted import Failure, ScriptedServer
from tests.support.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADA, GRACE, LINUS, MARY = "Ada Okafor", "Grace Lindqvist", "Linus Marchetti", "Mary Achieng"
TIM, JOAN, EDITH, KEN = "Tim Adeyemi", "Joan Whitfield", "Edith Sørensen", "Ken Watanabe"
SITE = "Library site, week 47"


async def people_here(one: Person) -> Locator:
    await one.page.get_by_role("button", name="People in this conversation").click()
    return one.page.get_by_role("dialog", name="People in this conversation")


async def add(one: Person, *names: str) -> Locator:
    """Choose these by name; returns the dialog, in which nothing is sent yet."""
    await (await people_here(one)).get_by_role("button", name="Add people").click()
    dialog = one.page.get_by_role("dialog", name="Add people")
    for name in names:
        await dialog.get_by_role("searchbox").fill(name)
        await dialog.get_by_role("checkbox", name=name).check()
    return dialog


@on_both_screens
async def test_somebody_comes_in_and_somebody_is_removed(
    browser: Browser, node: Running, screen: dict[str, Any]
) -> None:
    async with (
        person(browser, node.base, GRACE, **screen) as grace,
        person(browser, node.base, TIM) as tim,
        person(browser, node.base, LINUS) as linus,
    ):
        await grace.open(SITE)
        await linus.open(SITE)
        dialog = await add(grace, TIM)
        await dialog.get_by_role("searchbox").fill("Ada")
        await expect(dialog).to_contain_text("Nobody matches.")  # she is here
        assert await grace.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await dialog.get_by_role("button", name="Add 1 person").click()
        await expect(dialog).to_be_hidden()
        await expect(grace.page.locator(".head-subtitle")).to_have_text("6 people")
        await expect(grace.page.locator(".line.notice")).to_have_text(f"{TIM} was added.")
        await tim.open(SITE)
        await expect(tim.page.locator(".head-subtitle")).to_have_text("6 people")

        asked = grace.page.get_by_role("dialog", name=f"Remove {LINUS}?")
        for answer in ("Cancel", "Remove"):
            dialog = await people_here(grace)
            await expect(dialog.get_by_role("button", name=f"Remove {GRACE}")).to_have_count(0)
            await dialog.get_by_role("button", name=f"Remove {LINUS}").click()
            await expect(asked).to_contain_text("and see nothing after it")
            await asked.get_by_role("button", name=answer, exact=True).click()
            await expect(asked).to_be_hidden()
            opener = grace.page.get_by_role("button", name="People in this conversation")
            await expect(opener).to_be_focused()
            count = "6 people" if answer == "Cancel" else "5 people"
            await expect(grace.page.locator(".head-subtitle")).to_have_text(count)
        await expect(tim.page.locator(".line.notice").last).to_have_text(f"{LINUS} was removed.")
        await tim.say("Who builds the stairs now?")
        await expect(grace.message("Who builds the stairs")).to_be_visible()

        # Who is out is offered nothing, and is told nothing more.
        await expect(linus.page.locator(".way")).to_contain_text("You are out")
        dialog = await people_here(linus)
        await expect(dialog).to_contain_text(GRACE)
        for action in ("Add people", "Leave", "Rename", "Remove"):
            await expect(dialog.get_by_role("button", name=action)).to_have_count(0)
        await linus.page.keyboard.press("Escape")
        await linus.open(ADA)
        await linus.say("I am off the site.")
        assert "Who builds the stairs" not in "".join(linus.received)


async def test_what_is_offered_goes_while_one_looks(browser: Browser, node: Running) -> None:
    async with (
        person(browser, node.base, GRACE) as grace,
        person(browser, node.base, ADA) as ada,
    ):
        await ada.open(SITE)
        await grace.open(SITE)
        adding = await add(ada, "Guido Ferreira")
        await (await people_here(grace)).get_by_role("button", name=f"Remove {ADA}").click()
        await grace.page.get_by_role("button", name="Remove", exact=True).click()
        await expect(adding).to_be_hidden()
        await expect(ada.page.locator(".way")).to_contain_text("You are out")


async def test_two_become_several_elsewhere(browser: Browser, node: Running) -> None:
    async with (
        person(browser, node.base, ADA) as ada,
        person(browser, node.base, GRACE) as grace,
        person(browser, node.base, LINUS) as linus,
    ):
        await ada.open(GRACE)
        await ada.say("Between the two of us.")
        dialog = await people_here(ada)
        await expect(dialog.get_by_role("button", name="Remove")).to_have_count(0)
        await ada.page.keyboard.press("Escape")
        dialog = await add(ada, LINUS, MARY)
        await expect(dialog).to_contain_text("This begins a new conversation")
        await dialog.get_by_role("button", name="Add 2 people").press("Enter")
        await expect(ada.page.locator(".head-subtitle")).to_have_text("4 people")
        await expect(ada.page.locator(".message")).to_have_count(0)
        await ada.say("Now the four of us.")
        await expect(linus.row("Ada, Grace, Mary")).to_contain_text("Now the four of us.")
        await expect(grace.row("Ada, Linus, Mary")).to_contain_text("Now the four of us.")
        await expect(grace.row(ADA)).to_contain_text("Between the two of us.")
        assert "Between the two of us." not in "".join(linus.received)


async def test_in_a_group_who_leads_it_brings_in(browser: Browser, node: Running) -> None:
    async with (
        person(browser, node.base, JOAN) as joan,
        person(browser, node.base, KEN) as ken,
    ):
        await joan.page.get_by_role("button", name="Groups").click()
        groups = joan.page.get_by_role("list", name="Your groups")
        await groups.get_by_role("button", name="Heritage guild").click()
        dialog = joan.page.get_by_role("dialog", name="Heritage guild")
        await dialog.get_by_label("Title (optional)").fill("The old mill")
        await dialog.get_by_role("checkbox", name=KEN).check()
        await dialog.get_by_role("button", name="Start with 1 person").click()

        dialog = await add(joan, TIM)
        await dialog.get_by_role("button", name="Add 1 person").click()
        # He is in no group; that is as far as anybody is told.
        await expect(dialog.get_by_role("alert")).to_contain_text("nothing here that you can reach")
        await dialog.get_by_role("checkbox", name=TIM).uncheck()
        await dialog.get_by_role("searchbox").fill(EDITH)
        await dialog.get_by_role("checkbox", name=EDITH).check()
        await dialog.get_by_role("button", name="Add 1 person").click()
        await expect(joan.page.locator(".head-subtitle")).to_have_text("Group · 3 people")

        await ken.open("The old mill")
        dialog = await people_here(ken)
        await expect(dialog.get_by_role("button", name="Leave")).to_be_visible()
        for action in ("Add people", "Remove"):
            await expect(dialog.get_by_role("button", name=action)).to_have_count(0)


async def test_a_refusal_is_shown(
    page: Page, scripted: ScriptedServer, signed_in: Callable[[], Awaitable[ScriptedServer]]
) -> None:
    people = [
        {"member": member, "name": member.title(), "role": "participant"}
        for member in ("ada", "grace", "linus")
    ]
    talk: dict[str, Any] = {
        "id": "c", "kind": "several", "title": "Tea", "last": None, "seq": 0, "read": 0,
        "unread": 0, "state": "open", "at": {}, "participants": people, "participant_count": 3,
    }  # fmt: skip
    scripted.answers["conversation.list"] = {"conversations": [talk], "more": False, "at": {}}
    scripted.answers["connection.list"] = {"members": [{"member": "mary", "name": "Mary"}]}

    def refuse(_: dict[str, Any]) -> dict[str, Any]:
        raise Failure("refused", rule="participants_per_conversation")

    scripted.answers["conversation.add"] = scripted.answers["conversation.remove"] = refuse
    await signed_in()
    await page.locator(".conversation-row").click()
    await page.get_by_role("button", name="People in this conversation").click()
    await page.get_by_role("button", name="Remove Linus").click()
    await page.get_by_role("button", name="Remove", exact=True).click()
    await expect(page.locator(".toast")).to_have_text("Words for refused.")
    assert scripted.sent("conversation.remove") == [{"conversation": "c", "member": "linus"}]

    await page.get_by_role("button", name="People in this conversation").click()
    await page.get_by_role("button", name="Add people").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("checkbox", name="Mary").check()
    await dialog.get_by_role("button", name="Add 1 person").click()
    await expect(dialog.get_by_role("alert")).to_have_text("Words for refused.")
    await expect(dialog.get_by_role("checkbox", name="Mary")).to_be_checked()
