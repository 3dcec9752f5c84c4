"""The system's Chromium, for tests that look at the page as a person would.

Never a downloaded one: whoever runs the tests has a browser from their own system's packages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

from tests.support import services


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """One running browser; contexts in it share nothing."""
    path = services.chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=list(services.CHROMIUM_FLAGS)
        )
        try:
            yield browser
        finally:
            await browser.close()
