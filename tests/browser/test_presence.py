"""Who is there, on the page: between connections, and as long as both let it be seen."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser.people import Person, in_both_schemes, person
from tests.browser.test_access import no_violations
from tests.support.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADA, GRACE = "Ada Okafor", "Grace Lindqvist"
SITE = "Library site, week 47"


async def look_again(one: Person) -> None:
    """What coming back to the page does, instead of waiting for a minute."""
    await one.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


async def set_active_status(one: Person, on: bool) -> None:
    await one.page.get_by_role("button", name="Settings of").click()
    switch = one.page.get_by_role("switch", name="Active status")
    await switch.set_checked(on)
    await one.page.keyboard.press("Escape")


@in_both_schemes
async def test_a_connection_is_there_or_was(
    browser: Browser, node: Running, settings: dict[str, Any]
) -> None:
    async with person(browser, node.base, ADA, **settings) as ada:
        head = ada.page.locator(".head-subtitle")
        async with person(browser, node.base, GRACE):
            await ada.open(GRACE)
            await expect(head).to_have_text("Active now · Site manager at Norrbro Construction")
            await no_violations(ada.page, "somebody who is there")
            assert await ada.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        while "Active now" in (await head.text_content() or ""):  # until her leaving is known
            await look_again(ada)
        await expect(head).to_contain_text("Active just now · Site manager")
        await no_violations(ada.page, "somebody who was there")
        # Of a conversation of several nothing is asked.
        await ada.page.goto(f"{node.base}/#")
        await ada.open(SITE)
        await expect(head).to_have_text("5 people")


async def test_whoever_hides_sees_nobody(browser: Browser, node: Running) -> None:
    async with (
        person(browser, node.base, ADA) as ada,
        person(browser, node.base, GRACE) as grace,
    ):
        await ada.open(GRACE)
        await grace.open(ADA)
        there = {one: one.page.locator(".presence") for one in (ada, grace)}
        for one in (ada, grace):
            await look_again(one)
            await expect(there[one]).to_have_text("Active now")
        await set_active_status(ada, False)
        await expect(there[ada]).to_have_count(0)
        await look_again(grace)
        await expect(there[grace]).to_have_count(0)
        await set_active_status(ada, True)
        await expect(there[ada]).to_have_text("Active now")
        await look_again(grace)
        await expect(there[grace]).to_have_text("Active now")

        # What was between them ends, and this with it.
        await node.operate("connection.delete", a="ada", b="grace")
        for one in (ada, grace):
            await expect(there[one]).to_have_count(0)
