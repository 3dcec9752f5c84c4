"""The page for everybody: by keyboard alone, in both colour schemes, at any width, with axe."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.browser.people import Person, person
from tests.support.running import Running, running_node

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Without transitions no colour is measured half way.
STILL = {"reduced_motion": "reduce"}
ADA, GRACE = "Ada Okafor", "Grace Lindqvist"
WIDE, SMALL = ViewportSize(width=1200, height=800), ViewportSize(width=360, height=740)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def node() -> AsyncIterator[Running]:
    async with running_node(demo=True) as running:
        yield running


async def no_violations(page: Page, where: str) -> None:
    """Axe finds nothing serious, which includes contrast below AA."""
    found = (await Axe().run(page)).response
    serious = [
        (rule["id"], [node["target"] for node in rule["nodes"]])
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
    assert serious == [], where
    assert len(found["passes"]) > 10, "axe has looked at something"


async def everywhere(someone: Person) -> None:
    """Every view of the page, one after the other."""
    page = someone.page
    await no_violations(page, "the list")
    await someone.open(GRACE)
    await expect(someone.message("The reading room's beams").first).to_be_visible()
    await someone.use("Then I'll ring him", "React")
    await no_violations(page, "a conversation with the picker open")
    await page.keyboard.press("Escape")
    await someone.use("Then I'll ring him", "Reply")
    await no_violations(page, "an answer being written")
    await someone.page.goto(f"{someone.base}/#")
    for opener in ("New conversation", "Settings of"):
        await page.get_by_role("button", name=opener).click()
        await no_violations(page, opener)
        await page.keyboard.press("Escape")
    await someone.open("Library site, week 47")
    await page.get_by_role("button", name="People in this conversation").click()
    await no_violations(page, "the people")
    await page.get_by_role("button", name="Add people").click()
    await no_violations(page, "who may come in")
    await page.keyboard.press("Escape")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious(browser: Browser, node: Running, scheme: str) -> None:
    async with person(browser, node.base, ADA, color_scheme=scheme, **STILL) as ada:
        await everywhere(ada)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nor_on_a_phone(browser: Browser, node: Running, scheme: str) -> None:
    async with person(browser, node.base, ADA, color_scheme=scheme, viewport=SMALL, **STILL) as ada:
        await everywhere(ada)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nor_at_the_door(browser: Browser, node: Running, scheme: str) -> None:
    context = await browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    page = await context.new_page()
    await page.goto(node.base)
    await expect(page.get_by_role("button", name=ADA)).to_be_visible()
    await no_violations(page, "the door")
    await page.set_viewport_size(SMALL)
    assert await page.evaluate("document.documentElement.scrollWidth") == SMALL["width"]
    await context.close()


async def test_everything_by_keyboard(browser: Browser, node: Running) -> None:
    async with (
        person(browser, node.base, ADA, reduced_motion="reduce") as ada,
        person(browser, node.base, GRACE) as grace,
    ):
        keys = ada.page.keyboard
        await ada.page.mouse.move(0, 0)  # a message under the mouse shows its tools
        await ada.rows.first.focus()
        while GRACE not in await ada.page.evaluate("document.activeElement.textContent"):
            await keys.press("ArrowDown")
        await keys.press("Enter")
        await expect(ada.field).to_be_focused()
        await keys.type("By keyboard alone.")
        await keys.press("Enter")
        mine = ada.message("By keyboard alone.")
        await expect(mine.get_by_text("Sending…")).to_have_count(0)

        # Into the messages: one of them is in the tab order, its tools behind it.
        await keys.press("Shift+Tab")
        focused = ada.page.locator(":focus")
        for _ in range(8):
            if "message" in str(await focused.get_attribute("class")):
                break
            await keys.press("Shift+Tab")
        await expect(mine).to_be_focused()
        await keys.press("ArrowUp")
        await expect(mine).not_to_be_focused()
        await keys.press("End")
        await expect(mine).to_be_focused()
        await keys.press("Tab")
        await expect(focused).to_have_attribute("aria-label", "React")
        await keys.press("Enter")
        await keys.press("ArrowRight")
        await keys.press("Enter")
        await expect(mine.locator(".reaction")).to_have_text("❤️1")
        await mine.focus()
        await keys.press("Tab")
        await keys.press("Tab")
        await expect(focused).to_have_attribute("aria-label", "Reply")
        await keys.press("Enter")
        await expect(ada.field).to_be_focused()
        await expect(ada.page.locator(".answering")).to_be_visible()
        await keys.press("Escape")
        await expect(ada.page.locator(".answering")).to_be_hidden()

        await ada.field.focus()
        await keys.press("ArrowUp")
        await expect(ada.field).to_have_value("By keyboard alone.")
        await keys.press("Escape")
        await expect(ada.field).to_have_value("")

        outline = await ada.rows.first.evaluate(
            "row => (row.focus(), getComputedStyle(row).outline)"
        )
        assert "solid" in outline
        await grace.open(ADA)
        await expect(grace.message("By keyboard alone.").locator(".reaction")).to_have_text("❤️1")


async def test_narrow_and_wide_never_scroll_sideways(browser: Browser, node: Running) -> None:
    async with person(browser, node.base, ADA) as ada:
        await ada.open(GRACE)
        await ada.say("https://example.org/" + "a-very-long-address-without-a-break" * 8)
        for width in (320, 480, 760, 1200, 1900):
            await ada.page.set_viewport_size({"width": width, "height": 700})
            assert await ada.page.evaluate("document.documentElement.scrollWidth") <= width
            over = await ada.page.evaluate(
                "[...document.querySelectorAll('.bubble')]"
                ".filter(one => one.getBoundingClientRect().right > innerWidth).length"
            )
            assert over == 0, f"at {width}"


@pytest.mark.parametrize(
    ("scheme", "screen"), [("light", WIDE), ("dark", SMALL)], ids=["desktop", "phone"]
)
async def test_nor_along_the_ways(
    browser: Browser, node: Running, scheme: str, screen: ViewportSize
) -> None:
    """Groups, credits, the way to a stranger, what asks before it costs, what is closed."""
    settings = {"color_scheme": scheme, "viewport": screen, **STILL}
    async with person(browser, node.base, "Joan Whitfield", **settings) as joan:
        page = joan.page
        await joan.open("Niklaus Frey")
        await expect(page.locator(".asking")).to_be_visible()
        await no_violations(page, "a request")
        await page.goto(f"{node.base}/#")
        await page.get_by_role("button", name="Groups").click()
        await no_violations(page, "the groups")
        await page.get_by_role("button", name="Heritage guild").click()
        await no_violations(page, "a group")
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Settings of").click()
        await page.get_by_role("button", name="Credit history").click()
        await expect(page.locator(".entry").first).to_be_visible()
        await no_violations(page, "the credits")
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Settings of").click()
        await page.get_by_role("button", name="Blocked people").click()
        await no_violations(page, "whom one blocks")
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="New conversation").click()
        await page.get_by_role("dialog").get_by_role("searchbox").fill("light")
        await no_violations(page, "somebody who is no connection")
        await page.get_by_role("dialog").get_by_role("button", name="Hedy").click()
        await expect(page.locator(".way")).to_contain_text("InMail")
        await joan.field.fill("Would you light it?")
        await joan.field.press("Enter")
        await expect(page.get_by_role("button", name="Send for a credit")).to_be_visible()
        await no_violations(page, "what asks before it costs")
    async with person(browser, node.base, "Edith", **settings) as edith:
        await edith.page.goto(f"{node.base}/#to/hedy")
        await expect(edith.page.locator(".way")).to_contain_text("You cannot write to Hedy")
        await no_violations(edith.page, "where no way leads")
