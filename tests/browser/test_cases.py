"""The page's parts that need no page: run as they are, in the browser that they are made for.

Each `test_…` function of a module in cases/ is one test: it imports the real modules, hands in
time, chance and the network, and throws what it finds wrong.
"""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page

from tests.browser.scripted import CASES, ORIGIN, ScriptedServer

NAMED = re.compile(r"^export (?:async )?function (test_\w+)", re.MULTILINE)
FOUND = [
    (file.name, name)
    for file in sorted(CASES.glob("*.js"))
    for name in NAMED.findall(file.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("module", "case"), FOUND)
async def test_case(page: Page, scripted: ScriptedServer, module: str, case: str) -> None:
    await page.goto(f"{ORIGIN}/blank")
    await page.evaluate(
        "async ([url, name]) => (await import(url))[name]()", [f"/cases/{module}", case]
    )


def test_the_cases_are_found() -> None:
    assert {module for module, _ in FOUND} == {"link.js", "model.js", "protocol.js", "views.js"}
    assert len(FOUND) >= 60
