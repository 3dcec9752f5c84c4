"""The page's parts that need no page: run as they are, in the browser that they are made for.

Each `test_…` function of a module in cases/ is one test: it imports the real modules, hands in
time, chance and the network, and throws what it finds wrong.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.browser.scripted import CASES, ORIGIN, ScriptedServer
from tests.support import services

NAMED = re.compile(r"^export (?:async )?function (test_\w+)", re.MULTILINE)
FOUND = [
    (file.name, name)
    for file in sorted(CASES.glob("*.js"))
    for name in NAMED.findall(file.read_text(encoding="utf-8"))
]


pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def blank(browser: Browser) -> AsyncIterator[Page]:
    """An empty page of the origin that serves the modules; they keep no state between cases."""
    context = await browser.new_context(timezone_id="UTC")
    await ScriptedServer().serve(context)
    page = await context.new_page()
    await page.goto(f"{ORIGIN}/blank")
    yield page
    await context.close()


@pytest.mark.parametrize(("module", "case"), FOUND)
async def test_case(blank: Page, module: str, case: str) -> None:
    await blank.evaluate(
        "async ([url, name]) => (await import(url))[name]()", [f"/cases/{module}", case]
    )


async def test_the_cases_are_found() -> None:
    files = {file.name for file in CASES.glob("*.js")} - {"assert.js"}
    assert {module for module, _ in FOUND} == files
    assert len(FOUND) >= 80


async def test_a_missing_browser_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError, match=r"^none of chromium.+ is on the PATH: run .+$"):
        services.chromium()
