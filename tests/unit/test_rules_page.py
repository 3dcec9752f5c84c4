"""docs/rules.md is the rulebook as built: its settings, sources and code are those there are."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from server.domain.policy import Policy

ROOT = Path(__file__).parents[2]
RULES = (ROOT / "docs" / "rules.md").read_text()
CODE = (ROOT / "server" / "domain" / "policy.py").read_text()
HOMES = ("server.domain", "server.commands")


def rows() -> list[dict[str, str]]:
    """Each row of each table, by the names of its columns."""
    found: list[dict[str, str]] = []
    head: list[str] = []
    for line in RULES.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            head = []
        elif not head:
            head = cells
        elif not set(line) <= set("|- "):
            found.append(dict(zip(head, cells, strict=True)))
    return found


def sources(name: str) -> set[str]:
    """The sources that the code gives for a setting."""
    line = re.search(rf"^    {name}: .*$", CODE, re.MULTILINE)
    assert line, name
    return set(re.findall(r"\[\w+]", line[0].partition("#")[2]))


def there(name: str) -> bool:
    """Whether a name is one of the code's: module.function."""
    module, function = name.split(".")
    for home in HOMES:
        try:
            if hasattr(importlib.import_module(f"{home}.{module}"), function):
                return True
        except ModuleNotFoundError:
            continue
    return False


def test_every_rule_says_where_it_is_and_what_it_rests_on() -> None:
    assert len(rows()) > 35
    for row in rows():
        names = re.findall(r"`([\w.]+)`", row["where"])
        assert names, row
        assert all(map(there, names)), row
        assert re.findall(r"\[(?:A|O|3P|X)]", row["source"]), row


def test_every_number_of_the_model_has_its_rule_with_its_source() -> None:
    told: dict[str, set[str]] = {}
    for row in rows():
        for name in re.findall(r"`(\w+)`", row.get("settings", "")):
            told.setdefault(name, set()).update(re.findall(r"\[\w+]", row["source"]))
    modelled = {name for name in Policy.__struct_fields__ if sources(name)}
    assert set(told) == modelled
    for name in modelled:
        assert sources(name) <= told[name], name
