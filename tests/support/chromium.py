"""The system's Chromium, for tests that look at the page as a person would.

Never a downloaded one: whoever runs the tests has a browser from their own system's packages.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str:
    """The path of an installed Chromium. Raises `RuntimeError` with the one line to act on."""
    for name in NAMES:
        path = shutil.which(name)
        if path is not None:
            return path
    raise RuntimeError(f"the browser tests need Chromium: install one of {', '.join(NAMES)}")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """One running browser; contexts in it share nothing."""
    path = find_chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()
