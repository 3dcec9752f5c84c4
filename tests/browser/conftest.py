"""One browser for all tests of the page; each test gets contexts of its own in it.

The browser lives as long as the session, so its tests run on the session's loop: each module
says so by its `pytestmark`.
"""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize

from tests.browser.scripted import ScriptedServer, sign_in
from tests.support.chromium import chromium
from tests.support.running import Running, running_node

# Read from disk at its first use otherwise, inside a loop in which nothing may block.
mimetypes.init()

SCREEN = ViewportSize(width=1200, height=800)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The system's Chromium."""
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def node() -> AsyncIterator[Running]:
    """A server with the sample members."""
    async with running_node(demo=True) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A person's browser: nothing is shared with another one."""
    made = await browser.new_context(viewport=SCREEN, locale="en-GB", timezone_id="UTC")
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext) -> AsyncIterator[Page]:
    """A tab in which no script may fail and the policy may refuse nothing."""
    made = await context.new_page()
    wrong: list[str] = []

    def logged(message: ConsoleMessage) -> None:
        if message.type == "error":
            wrong.append(message.text)

    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("console", logged)
    yield made
    # A refused favicon or socket is logged as an error too, and is what some tests arrange.
    assert [text for text in wrong if "Failed to load resource" not in text] == []


@pytest_asyncio.fixture(loop_scope="session")
async def scripted(context: BrowserContext) -> ScriptedServer:
    """A scripted server that `page` talks to, without sample members."""
    server = ScriptedServer()
    await server.serve(context)
    return server


@pytest.fixture
def signed_in(page: Page, scripted: ScriptedServer) -> Callable[[], Awaitable[ScriptedServer]]:
    """Call it once the answers are arranged: the page is then live."""

    async def enter() -> ScriptedServer:
        await sign_in(page)
        await scripted.wait_sent("settings.get")
        return scripted

    return enter
