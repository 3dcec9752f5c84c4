"""House rules that a machine can check: imports, size, locks, links in the documents."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
CODE = ("server", "client_demo", "tests")
LONGEST = 400  # lines; a module past that is two things

# The house from the top down; those on a line do not know each other.
FLOORS = [
    "__main__",
    "cli",
    "app",
    "web | settings | demo",
    "realtime | store",
    "commands | protocol",
    "domain",
    "errors",
]


def sources(*suffixes: str) -> Iterator[Path]:
    """The project's own files under `CODE`, without what tools leave there."""
    for top in CODE:
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in suffixes and "node_modules" not in path.parts:
                yield path


def pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def lint_imports(directory: Path) -> subprocess.CompletedProcess[str]:
    """Run every import contract on the packages in `directory`."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )


# --- imports ---------------------------------------------------------------------------------


def test_imports_keep_every_contract() -> None:
    run = lint_imports(ROOT)
    assert run.returncode == 0, run.stdout
    assert "4 kept, 0 broken" in run.stdout


def test_the_contract_covers_the_whole_house() -> None:
    contracts = {
        contract["id"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]
    }
    assert contracts["house"]["layers"] == FLOORS
    assert contracts["house"]["exhaustive"] is True
    assert "ignore_imports" not in str(contracts)


PLANTED = [
    ("server/commands/__init__.py", "import server.store", "house"),
    ("server/realtime/__init__.py", "from server import store", "house"),
    ("server/errors.py", "import server.domain", "house"),
    ("server/unlisted.py", "", "house"),
    ("server/domain/__init__.py", "import time", "pure"),
    ("server/protocol/__init__.py", "import asyncio", "pure"),
    ("client_demo/__init__.py", "import server.errors", "wire-alone"),
    ("server/app.py", "import client_demo", "client-by-cli"),
]


@pytest.mark.parametrize(("module", "line", "broken"), PLANTED)
def test_a_planted_import_breaks_its_contract(
    tmp_path: Path, module: str, line: str, broken: str
) -> None:
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    for part in re.findall(r"\w+", " ".join(FLOORS)):
        package = tmp_path / "server" / part
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
    (tmp_path / "server" / "__init__.py").touch()
    (tmp_path / "client_demo").mkdir()
    (tmp_path / "client_demo" / "__init__.py").touch()
    assert lint_imports(tmp_path).returncode == 0
    planted = tmp_path / module
    if not planted.exists() and planted.with_suffix("").is_dir():
        planted = planted.with_suffix("") / "__init__.py"
    planted.write_text(line + "\n")

    run = lint_imports(tmp_path)

    names = {c["id"]: c["name"] for c in PROJECT["tool"]["importlinter"]["contracts"]}
    assert run.returncode == 1
    assert f"{names[broken]} BROKEN" in run.stdout


def test_every_imported_library_is_declared() -> None:
    """A library that only happens to be installed is missing on the next machine."""
    runtime = {name(line) for line in PROJECT["project"]["dependencies"]}
    dev = {name(line) for line in PROJECT["project"]["optional-dependencies"]["dev"]}
    distributions = packages_distributions()
    undeclared = []
    for path in sources(".py"):
        allowed = runtime | dev if "tests" in path.relative_to(ROOT).parts else runtime
        for top in imported(path) - sys.stdlib_module_names - set(CODE):
            provided_by = {canonicalize_name(d) for d in distributions.get(top, [])}
            if not provided_by & allowed:
                undeclared.append(f"{path.relative_to(ROOT)}: {top}")
    assert undeclared == []


def imported(path: Path) -> set[str]:
    """The top-level names of what a module imports absolutely."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


# --- size ------------------------------------------------------------------------------------


def test_no_module_is_two_things() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in sources(".py", ".js", ".css")}
    assert len(lengths) > 20, "found hardly any module: looked in the wrong place"
    assert {str(p.relative_to(ROOT)): n for p, n in lengths.items() if n > LONGEST} == {}


# --- locks -----------------------------------------------------------------------------------


def name(requirement: str) -> str:
    return canonicalize_name(Requirement(requirement).name)


def pins(lock: str) -> dict[str, str]:
    """Name to version of a lock; every pin must carry a hash."""
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", (ROOT / lock).read_text()):
        pin = re.match(r"([\w.-]+)==(\S+)", entry)
        assert pin, entry
        assert "--hash=sha256:" in entry, entry
        found[canonicalize_name(pin[1])] = pin[2]
    return found


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_names_no_place_to_install_from(lock: str) -> None:
    assert re.findall(r"(?m)^-.*|\S*://\S*|\S+ @ \S+", (ROOT / lock).read_text()) == []


def test_locks_fit_the_declared_dependencies_and_each_other() -> None:
    runtime, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    declared = PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"]
    for lock, lines in (
        (runtime, declared),
        (dev, declared + PROJECT["project"]["optional-dependencies"]["dev"]),
    ):
        for requirement in map(Requirement, lines):
            assert lock[canonicalize_name(requirement.name)] in requirement.specifier, requirement
    assert runtime.items() <= dev.items()


# --- documents -------------------------------------------------------------------------------

LINK = re.compile(r"\[[^]]*]\(([^)#\s]+)[^)]*\)")


def links(page: Path) -> set[Path]:
    """The files that a page links to, as paths."""
    return {
        (page.parent / target).resolve()
        for target in LINK.findall(page.read_text())
        if "://" not in target and not target.startswith("mailto:")
    }


def test_links_between_documents_lead_somewhere() -> None:
    dead = [
        f"{page.relative_to(ROOT)}: {to}"
        for page in pages()
        for to in links(page)
        if not to.exists()
    ]
    assert dead == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached, open_ = set(), [ROOT / "README.md"]
    while open_:
        page = open_.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        open_ += links(page)
    assert set(pages()) - reached == set()


def test_the_readme_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    for command in ("make run", "make test"):
        assert command in text
        assert re.search(rf"^{command.split()[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_changelog_has_a_place_for_the_next_line() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    first = re.search(r"(?m)^## \[(.+?)]", text)
    assert first
    assert first[1] == "Unreleased"


def test_what_the_server_loads_is_locked_to_run() -> None:
    """What the tests install as well must not stand in for what is missing there."""
    sooner_or_later = "import sys, server.cli, server.app, alembic.command; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", sooner_or_later],
        capture_output=True, text=True, check=True, cwd=ROOT,
    ).stdout.split()  # fmt: skip
    owners = packages_distributions()
    found = {
        canonicalize_name(owner)
        for name in {module.partition(".")[0] for module in loaded}
        for owner in owners.get(name, ())
    }
    locked = re.findall(r"(?m)^([a-z0-9.-]+)==", (ROOT / "requirements.lock").read_text())
    allowed = {canonicalize_name(name) for name in locked} | {"subrosa", "setuptools"}
    assert "greenlet" in found, "the test sees what is loaded"
    assert found <= allowed
