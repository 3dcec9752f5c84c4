"""Answering a message on the page: what is quoted, where, and what becomes of the quote."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.people import PHONE, person
from tests.browser.scripted import Failure, ScriptedServer
from tests.browser.test_access import no_violations
from tests.browser.test_faults import Enter, arrange, message, open_grace
from tests.support.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADA, GRACE = "Ada Okafor", "Grace Lindqvist"
LATER = "Then I'll ring him after the pour. Thanks for being quick!"


def over_composer(page: Page) -> Locator:
    return page.locator(".answering")


async def test_an_answer_quotes_what_it_answers(browser: Browser, node: Running) -> None:
    async with (
        person(browser, node.base, ADA) as ada,
        person(browser, node.base, GRACE) as grace,
    ):
        await ada.open(GRACE)
        await grace.open(ADA)
        await ada.use(LATER, "Reply")
        await expect(over_composer(ada.page)).to_contain_text(f"Replying to {GRACE}")
        await expect(over_composer(ada.page)).to_contain_text(LATER)
        await expect(ada.field).to_be_focused()
        await expect(ada.field).to_have_accessible_description(f"Replying to {GRACE}: {LATER}")
        await ada.say("He is out until two.")
        await expect(over_composer(ada.page)).to_be_hidden()
        for one in (ada, grace):
            answer = one.message("He is out until two.")
            await expect(answer.get_by_role("button", name="In reply to")).to_contain_text(LATER)
        await ada.say("Nothing is answered now.")
        await expect(grace.message("Nothing is answered now.").locator(".quote")).to_have_count(0)

        # From the answer to what it answers, by keyboard.
        await grace.message("He is out until two.").locator(".quote").focus()
        await grace.page.keyboard.press("Enter")
        answered = grace.page.locator(".message.gone-to")
        await expect(answered).to_contain_text(LATER)
        await expect(answered).to_be_focused()
        await grace.field.focus()
        await expect(answered).to_have_count(0)

        # The quote says what the message says by now.
        await grace.say("The pour is at one.")
        await ada.use("The pour is at one.", "Reply")
        await ada.field.fill("I'll be there.")
        await grace.use("The pour is at one.", "Edit")
        await grace.field.fill("The pour is at three.")
        await grace.field.press("Enter")
        await expect(over_composer(ada.page)).to_contain_text("The pour is at three.")
        await ada.field.press("Enter")
        await expect(grace.message("I'll be there.")).to_contain_text("In reply to You")
        await ada.use("The pour is at three.", "Reply")
        await grace.use("The pour is at three.", "Delete")
        await grace.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await expect(over_composer(ada.page)).to_be_hidden()
        for one in (ada, grace):
            await expect(one.message("I'll be there.").locator(".quote")).to_contain_text(
                "Message deleted"
            )


async def test_an_answer_can_be_given_up(browser: Browser, node: Running) -> None:
    async with person(browser, node.base, ADA) as ada:
        line = over_composer(ada.page)
        await ada.open(GRACE)
        await ada.use(LATER, "Reply")
        await ada.field.fill("Half an answer")
        await ada.field.press("Escape")
        await expect(line).to_be_hidden()
        await expect(ada.field).to_have_value("Half an answer")  # what is written stays
        await ada.use(LATER, "Reply")
        await line.get_by_role("button", name="Cancel").click()
        await expect(line).to_be_hidden()
        await expect(ada.field).to_be_focused()
        await ada.field.fill("")

        # It is either an answer or a change, and of this conversation alone.
        await ada.say("Mine.")
        await ada.use(LATER, "Reply")
        await ada.use("Mine.", "Edit")
        await expect(line).to_be_hidden()
        await ada.use(LATER, "Reply")
        await expect(ada.field).to_have_value("")
        await ada.open("Linus Marchetti")
        await expect(line).to_be_hidden()
        await ada.open(GRACE)
        await expect(line).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_phone_by_finger(browser: Browser, node: Running, scheme: str) -> None:
    settings = {**PHONE, "color_scheme": scheme, "reduced_motion": "reduce"}
    async with person(browser, node.base, ADA, **settings) as ada:
        await ada.row(GRACE).tap()
        await ada.message(LATER).locator(".bubble").tap()
        await ada.message(LATER).focus()
        await ada.message(LATER).get_by_role("button", name="Reply", exact=True).tap()
        await expect(over_composer(ada.page)).to_contain_text(LATER)
        await ada.field.fill("By finger.")
        await ada.page.get_by_role("button", name="Send", exact=True).tap()
        await expect(ada.message("By finger.").get_by_text("Sending…")).to_have_count(0)
        await ada.message("By finger.").get_by_role("button", name="In reply to").tap()
        await expect(ada.page.locator(".gone-to")).to_contain_text(LATER)
        await no_violations(ada.page, "an answer, and what it answers")
        wide = await ada.page.locator(".scroller").evaluate("one => one.scrollWidth - innerWidth")
        assert wide <= 0


async def test_what_is_not_on_the_page_is_not_quoted(
    page: Page, scripted: ScriptedServer, signed_in: Enter
) -> None:
    arrange(scripted, message(7, "Yes.", reply_to="m1"), message(8, "No <b>.", reply_to="m7"))

    def refuse(_: dict[str, Any]) -> dict[str, Any]:
        raise Failure("unreachable")

    scripted.answers["message.send"] = refuse
    await signed_in()
    await open_grace(page)
    earlier = page.locator(".message").filter(has_text="Yes.").first.locator(".quote")
    await expect(earlier).to_have_text("In reply to An earlier message")
    await expect(page.get_by_role("button", name="In reply to")).to_have_count(1)

    last = page.locator(".message").last
    await last.hover()
    await last.get_by_role("button", name="Reply", exact=True).click()
    await expect(over_composer(page)).to_contain_text("No <b>.")
    await page.get_by_role("textbox", name="Message").fill("Why?")
    await page.keyboard.press("Enter")
    failed = page.locator(".message.failed")
    await expect(failed.locator(".quote")).to_contain_text("No <b>.")
    del scripted.answers["message.send"]
    scripted.silent.add("message.send")
    await failed.get_by_role("button", name="Try again").click()
    first, again = scripted.sent("message.send")[0], await scripted.wait_sent("message.send", 2)
    assert first == again  # what is repeated answers the same
    assert first["reply_to"] == "m8"
