"""Members at their browsers, on a real server with sample members."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, WebSocket, expect

PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True,
}  # fmt: skip
on_both_screens = pytest.mark.parametrize("screen", [{}, PHONE], ids=["desktop", "phone"])
# Contrast is the scheme's and layout the screen's: each once is enough.
in_both_schemes = pytest.mark.parametrize(
    "settings",
    [
        {"color_scheme": "light", "reduced_motion": "reduce"},
        {**PHONE, "color_scheme": "dark", "reduced_motion": "reduce"},
    ],
    ids=["desktop-light", "phone-dark"],
)


class Person:
    """One member, signed in, in a browser that shares nothing with anybody's.

    `received` are the texts of all frames that the server sent to this browser.
    """

    def __init__(self, page: Page, base: str, name: str) -> None:
        self.page = page
        self.base = base
        self.name = name
        self.received: list[str] = []
        self.wrong: list[str] = []
        page.on("websocket", self._opened)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))

    def _opened(self, socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: self.received.append(str(frame)))

    async def sign_in(self) -> None:
        """Choose oneself among the sample members, and wait for the conversations."""
        await self.page.goto(self.base)
        await self.page.get_by_role("button", name=self.name).click()
        listed = self.page.locator(".conversation-row, .list .empty")
        await expect(listed.filter(visible=True).first).to_be_visible()

    @property
    def rows(self) -> Locator:
        return self.page.locator(".conversation-row")

    @property
    def field(self) -> Locator:
        return self.page.get_by_role("textbox", name="Message")

    def row(self, title: str) -> Locator:
        """A conversation in the list."""
        return self.rows.filter(has=self.page.locator(".row-title", has_text=title))

    def message(self, text: str) -> Locator:
        """A message in the open conversation, by its own text: what it quotes is another's."""
        bubble = self.page.locator(".bubble").filter(has_text=text)
        return self.page.locator(".message").filter(has=bubble)

    async def open(self, title: str) -> None:
        await self.row(title).click()
        await expect(self.page.get_by_role("heading", level=1)).to_have_text(title)

    async def say(self, text: str) -> None:
        """Write and send; returns once the server has it."""
        await self.field.fill(text)
        await self.field.press("Enter")
        message = self.message(text)
        await expect(message).to_be_visible()
        await expect(message.get_by_text("Sending…")).to_have_count(0)

    async def use(self, text: str, tool: str) -> None:
        """One of the tools of a message."""
        message = self.message(text)
        await message.hover()
        await message.get_by_role("button", name=tool, exact=True).click()


@asynccontextmanager
async def person(browser: Browser, base: str, name: str, **context: Any) -> AsyncIterator[Person]:
    """A signed-in member; no script may have failed by the end."""
    settings = {"viewport": {"width": 1200, "height": 800}, "locale": "en-GB"} | context
    own = await browser.new_context(**settings)
    someone = Person(await own.new_page(), base, name)
    try:
        await someone.sign_in()
        yield someone
        assert someone.wrong == []
    finally:
        await own.close()
