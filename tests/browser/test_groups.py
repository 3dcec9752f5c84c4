"""The page's groups: which one is in, their conversations, announcements, and who only reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from msgspec.structs import replace
from playwright.async_api import Browser, Locator, expect

from server.domain.policy import DEFAULT
from tests.browser.people import Person, on_both_screens, person
from tests.support.running import Running, running_node

pytestmark = pytest.mark.asyncio(loop_scope="session")

JOAN, MARY, EDITH, KEN = "Joan Whitfield", "Mary Achieng", "Edith Sørensen", "Ken Watanabe"
TIM, RADIA = "Tim Adeyemi", "Radia Haddad"


@pytest_asyncio.fixture(loop_scope="session")
async def small() -> AsyncIterator[Running]:
    """A server where a conversation of more than four is a large one."""
    async with running_node(demo=True, policy=replace(DEFAULT, signals_up_to=4)) as running:
        yield running


async def act(node: Running, who: str, cmd: str, **params: Any) -> dict[str, Any]:
    """A member's command, from elsewhere than the page."""
    headers = {"Authorization": f"Bearer {node.token(who)}"}
    async with httpx.AsyncClient(base_url=node.base, headers=headers) as http:
        answer = await http.post(f"/v1/{cmd}", json=params)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()["result"]
    return result


async def open_group(one: Person, name: str) -> Locator:
    await one.page.get_by_role("button", name="Groups").click()
    groups = one.page.get_by_role("list", name="Your groups")
    await groups.get_by_role("button", name=name).click()
    return one.page.get_by_role("dialog", name=name)


async def people_here(one: Person) -> Locator:
    await one.page.get_by_role("button", name="People in this conversation").click()
    return one.page.get_by_role("dialog").locator(".person")


@on_both_screens
async def test_an_owner_begins_a_conversation_of_the_group(
    browser: Browser, node: Running, screen: dict[str, Any]
) -> None:
    async with (
        person(browser, node.base, JOAN, **screen) as joan,
        person(browser, node.base, EDITH) as edith,
    ):
        dialog = await open_group(joan, "Heritage guild")
        await expect(dialog).to_contain_text("7 members. You own it.")
        await dialog.get_by_label("Title (optional)").fill("Listing the old mill")
        await dialog.get_by_role("searchbox").fill("okaf")
        await dialog.get_by_role("checkbox", name="Ada").check()
        await dialog.get_by_role("button", name="Start with 1 person").click()
        # Who is no member cannot come in; nothing that was entered is lost.
        await expect(dialog.get_by_role("alert")).to_contain_text("nothing here that you can reach")
        await dialog.get_by_role("checkbox", name="Ada").uncheck()
        for words in ("edith", "watan"):
            await dialog.get_by_role("searchbox").fill(words)
            await dialog.get_by_role("checkbox").check()
        await dialog.get_by_role("searchbox").fill("some-id")  # of whom this page has not heard
        by_id = dialog.get_by_role("checkbox", name="some-id")
        await by_id.check()
        await dialog.get_by_role("searchbox").fill("")
        await by_id.uncheck()
        assert await joan.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await dialog.get_by_role("button", name="Start with 2 people").click()
        await expect(joan.page.locator(".head-subtitle")).to_have_text("Group · 3 people")
        await joan.field.fill("The council decides on Thursday.")
        await joan.page.get_by_role("button", name="Send", exact=True).click()

        await expect(edith.row("Listing the old mill")).to_contain_text("Of a group")
        await edith.open("Listing the old mill")
        written = edith.message("The council decides")
        await expect(written).to_contain_text("Joan Whitfield · leads the group")
        await edith.say("I can speak for the garden.")
        await expect(joan.message("I can speak")).to_contain_text(EDITH)
        await expect(joan.message("I can speak")).not_to_contain_text("leads the group")

        people = await people_here(edith)
        await expect(people.filter(has_text=JOAN)).to_contain_text("Leads the group")
        await expect(edith.page.get_by_role("button", name="Rename")).to_have_count(0)
        # To another participant one can write by themselves, by whatever way there is.
        await people.filter(has_text=KEN).click()
        await expect(edith.page.get_by_role("heading", level=1)).to_have_text(KEN)
        await expect(edith.page.locator(".way")).to_contain_text("in a group together")

        people = await people_here(joan)
        await expect(joan.page.get_by_role("button", name="Rename")).to_be_visible()
        await joan.page.keyboard.press("Escape")
        await joan.page.goto(f"{node.base}/#")
        await joan.page.get_by_role("button", name="Groups").click()
        said = joan.page.get_by_role("list", name="Conversations")
        await said.get_by_role("button", name="Listing the old mill").click()
        await expect(joan.page.get_by_role("heading", level=1)).to_have_text("Listing the old mill")


async def test_an_announcement_reaches_all_and_few_may_answer(
    browser: Browser, small: Running
) -> None:
    async with (
        person(browser, small.base, JOAN) as joan,
        person(browser, small.base, EDITH) as edith,
        person(browser, small.base, TIM) as tim,
    ):
        dialog = await open_group(joan, "Heritage guild")
        await dialog.get_by_label("Title (optional)").fill("Open day")
        await dialog.get_by_role("button", name="Announce to all").click()
        asked = joan.page.get_by_role("dialog", name="Announce to all of Heritage guild?")
        await expect(asked).to_contain_text("All 7 members come into this conversation.")
        await asked.get_by_role("button", name="Announce").click()
        await expect(joan.page.get_by_role("heading", level=1)).to_have_text("Open day")
        await joan.say("The mill is open on Sunday.")

        await edith.open("Open day")
        await expect(edith.message("The mill is open")).to_be_visible()
        await expect(edith.page.locator(".head-subtitle")).to_have_text("Group · 7 people")
        await expect(edith.page.locator(".way")).to_contain_text(
            "Only the group's owner and managers write here."
        )
        await expect(edith.field).to_be_hidden()
        await edith.use("The mill is open", "React")
        await edith.page.get_by_role("button", name="Rose").click()
        await expect(joan.message("The mill is open").locator(".reaction")).to_have_text("🌹1")
        await edith.page.get_by_role("button", name="People in this conversation").click()
        await expect(edith.page.get_by_role("dialog")).to_contain_text("too many people here")
        await edith.page.keyboard.press("Escape")
        await joan.say("Bring boots.")
        await expect(edith.message("Bring boots.")).to_be_visible()

        dialog = await open_group(joan, "Heritage guild")
        await dialog.get_by_role("button", name="Announce to all").click()
        await asked.get_by_role("button", name="Announce").click()
        await expect(dialog.get_by_role("alert")).to_contain_text("within a week")

        await tim.page.get_by_role("button", name="Groups").click()
        await expect(tim.page.get_by_role("dialog")).to_contain_text("You are in no group.")
        assert "Open day" not in "".join(tim.received)


async def test_who_was_mentioned_reads_and_does_nothing_more(
    browser: Browser, node: Running
) -> None:
    made = await act(
        node, "joan", "conversation.start", group="heritage", members=["mary", "radia"],
        title="The old mill", client_id="mill",
    )  # fmt: skip
    here = made["conversation"]
    async with (
        person(browser, node.base, MARY) as mary,
        person(browser, node.base, EDITH) as edith,
    ):
        await mary.open("The old mill")
        await mary.say("Between us three.")
        await act(
            node, "joan", "message.send", conversation=here, body="Edith knows its garden.",
            mentions=["edith"], client_id="mention",
        )  # fmt: skip
        await expect(mary.page.locator(".line.notice")).to_have_text(
            f"{EDITH} was mentioned and can read from here on."
        )
        await expect(mary.page.locator(".head-subtitle")).to_have_text(
            "Group · 3 people · 1 more can read"
        )
        people = await people_here(mary)
        await expect(people.filter(has_text=EDITH)).to_contain_text("Was mentioned: can read")
        await mary.page.keyboard.press("Escape")

        await edith.open("The old mill")
        await expect(edith.message("Edith knows its garden.")).to_be_visible()
        await expect(edith.page.locator(".way")).to_contain_text("You were mentioned here")
        await expect(edith.field).to_be_hidden()
        await edith.message("Edith knows its garden.").hover()
        await expect(edith.page.get_by_role("button", name="React")).to_have_count(0)
        await mary.say("And its well.")
        await expect(edith.message("And its well.")).to_be_visible()
        assert "Between us three." not in "".join(edith.received)

        # Brought in as a participant, she writes.
        await act(node, "joan", "conversation.add", conversation=here, member="edith")
        await edith.say("The well is dry.")
        await expect(mary.message("The well is dry.")).to_be_visible()
        await node.operate("group.remove", group="heritage", member="edith")
        await expect(edith.page.locator(".way")).to_contain_text("You are out of this conversation")
        await expect(edith.field).to_be_hidden()


async def test_a_member_is_told_who_begins_conversations(browser: Browser, node: Running) -> None:
    async with person(browser, node.base, RADIA) as radia:
        dialog = await open_group(radia, "Heritage guild")
        await expect(dialog).to_contain_text("You are a member.")
        await expect(dialog).to_contain_text("Its owner and managers begin its conversations.")
        await expect(dialog.get_by_role("checkbox")).to_have_count(0)
        # Groups are as they are when one looks: no event tells of them.
        await radia.page.keyboard.press("Escape")
        await node.operate("group.add", group="heritage", member="radia", role="manager")
        await radia.page.get_by_role("button", name="Groups").click()
        groups = radia.page.get_by_role("list", name="Your groups")
        await expect(groups).to_contain_text("You manage it")
