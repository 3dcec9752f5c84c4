"""The command line: parses, calls, and prints one clear line where something is wrong.

The server is loaded where a command needs it: without it the load tester and each of its processes
start in half the time.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Any

import typer
import uvloop
from rich.console import Console
from typer.exceptions import TyperException

import client_demo
from client_demo.load import command as load_tester
from client_demo.load.plan import LoadError
from server import settings as configuration
from server.domain.ids import is_member_id
from server.errors import CommandError, SetupError
from server.settings import Settings
from server.web import keys, logs, rights
from server.web.tokens import LONGEST_S

ASSETS = Path(client_demo.__file__).parent / "web"
cli = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    help="Subrosa: private real-time messaging.",
)  # fmt: skip

Data = Annotated[Path | None, typer.Option(help="The data directory (./data).")]
Database = Annotated[str | None, typer.Option(help="A database to use instead of DIR's own.")]


def _settings(**flags: Any) -> Settings:
    return configuration.load(flags, os.environ)


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 for any.")] = None,
    data: Data = None,
    database: Database = None,
    redis: Annotated[str | None, typer.Option(help="The bus between nodes.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes on this machine.")] = None,
    demo: Annotated[bool | None, typer.Option("--demo", help="With sample members.")] = None,
) -> None:
    """Run the server."""
    from server import app as composition

    settings = _settings(
        host=host, port=port, data=data, database=database, redis=redis, workers=workers, demo=demo
    )
    logs.configure(settings.log_level)
    uvloop.run(composition.run_server(settings, ASSETS, lambda line: print(line, flush=True)))


@cli.command()
def migrate(data: Data = None, database: Database = None) -> None:
    """Bring a database to this version; `serve` does so by itself."""
    from server import app as composition

    settings = _settings(data=data, database=database)
    logs.configure("warning")
    if not settings.database:
        keys.make_dir(settings.data)
    print(f"the database is of version {asyncio.run(composition.migrate(settings))}")


@cli.command()
def token(
    member: Annotated[str, typer.Argument(help="The member's id.")],
    data: Data = None,
    ttl: Annotated[int, typer.Option(help="Seconds, at most 86400.")] = LONGEST_S,
) -> None:
    """Print a token for a member, signed with the deployment's key."""
    from server import app as composition

    if not 1 <= ttl <= LONGEST_S:
        raise SetupError(f"--ttl is between 1 and {LONGEST_S} seconds")
    if not is_member_id(member):
        raise SetupError(f"{member!r} is no member's id: letters, digits and _ . - up to 64")
    print(composition.make_tokens(_settings(data=data)).issue(member, ttl))


@cli.command("import")
def import_(
    file: Annotated[str, typer.Argument(help="One JSON map a line; - for standard input.")],
    data: Data = None,
    database: Database = None,
) -> None:
    """Carry out the operator's commands of a file: {"cmd", "params"} a line."""
    from server import app as composition

    settings = _settings(data=data, database=database)
    logs.configure("warning")
    lines = _read(file)
    commands = [(cmd, params) for _, cmd, params in lines]
    errors = asyncio.run(composition.run_commands(settings, commands))
    failed = [
        (line[0], error) for line, error in zip(lines, errors, strict=True) if error is not None
    ]
    for line, error in failed:
        print(f"line {line}: {error}", file=sys.stderr)
    print(f"{len(errors) - len(failed)} of {len(errors)} commands done")
    if failed:
        raise typer.Exit(1)


@cli.command()
def export(
    member: Annotated[str, typer.Argument(help="The member's id.")],
    data: Data = None,
    database: Database = None,
    out: Annotated[
        Path | None, typer.Option(help="Write it here, for its owner alone; else it is printed.")
    ] = None,
) -> None:
    """All that is a member's, as one JSON document."""
    from server import app as composition

    settings = _settings(data=data, database=database)
    logs.configure("warning")

    async def run(file: IO[str]) -> int:
        async with composition.operating(settings) as operate:
            return await rights.write_export(operate, member, file)

    if out is None:
        asyncio.run(run(sys.stdout))
        return
    with rights.owners_file(out) as file:
        count = asyncio.run(run(file))
    print(f"{count} items in {out}")


@cli.command()
def audit(
    data: Data = None,
    database: Database = None,
    member: Annotated[str | None, typer.Option(help="By or about this member.")] = None,
    since: Annotated[str | None, typer.Option(help="36h, 7d, or a date.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="One JSON map a line.")] = False,
) -> None:
    """What operators did, and members where it matters, the newest first."""
    from server import app as composition

    settings = _settings(data=data, database=database)
    logs.configure("warning")
    since_ms = rights.since_ms(since, datetime.now(UTC))

    async def run() -> list[dict[str, Any]]:
        async with composition.operating(settings) as operate:
            return [entry async for entry in rights.acts(operate, member, since_ms)]

    entries = asyncio.run(run())
    if json_:
        print("".join(f"{json.dumps(entry)}\n" for entry in entries), end="")
    else:
        Console().print(rights.table(entries))


@cli.command()
def load(
    scenario: Annotated[str | None, typer.Argument(help="Without one, they are listed.")] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help="A node, http://HOST:PORT; may be repeated. Without one, its own."),
    ] = None,
    admin_key: Annotated[
        str | None, typer.Option(envvar="SUBROSA_ADMIN_KEY", help="The target's admin key.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="The target's data directory, to read admin.key there.")
    ] = None,
    members: Annotated[int | None, typer.Option(help="How many members.")] = None,
    sessions: Annotated[int | None, typer.Option(help="How many sessions in all.")] = None,
    rate: Annotated[
        float | None, typer.Option(help="Messages a second (storm: connections).")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="How long.")] = None,
    ramp: Annotated[float | None, typer.Option(help="Seconds until the full rate.")] = None,
    processes: Annotated[int, typer.Option(help="Generator processes.")] = 1,
    encoding: Annotated[str, typer.Option(help="msgpack, json or both.")] = "both",
    seed: Annotated[int, typer.Option(help="Of everything that is left to chance.")] = 1,
    html: Annotated[Path | None, typer.Option(help="Write the report with charts here.")] = None,
    json_: Annotated[
        Path | None, typer.Option("--json", help="Write the report as JSON here.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the members behind.")] = False,
    own: Annotated[
        bool, typer.Option("--i-own-this-server", help="Allow targets beyond this machine.")
    ] = False,
) -> None:
    """Put a server under load, and check every delivery."""
    if scenario is None:
        print("\n".join(load_tester.scenario_lines()))
        return
    options = load_tester.Options(
        scenario=scenario, targets=tuple(target or ()), admin_key=admin_key, data=data,
        members=members, sessions=sessions, rate=rate, seconds=seconds, ramp=ramp,
        processes=processes, encoding=encoding, seed=seed, html=html, json=json_, keep=keep,
        own=own,
    )  # fmt: skip
    try:
        code = load_tester.load(options, Console())
    except LoadError as error:
        print(f"subrosa: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    raise typer.Exit(code)


def _read(file: str) -> list[tuple[int, str, dict[str, Any]]]:
    """The commands of a file, with the numbers of their lines."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{file} cannot be read: {error}") from None
    commands = []
    for number, line in enumerate(text.split("\n"), 1):  # a text may hold other line ends
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            cmd, params = value["cmd"], value.get("params", {})
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            cmd = params = None
        if not isinstance(cmd, str) or not isinstance(params, dict):
            raise SetupError(f'{file}, line {number}: not a map with "cmd" and "params"')
        commands.append((number, cmd, params))
    return commands


def main() -> None:
    """The console script: every foreseen failure is one line and a non-zero exit."""
    try:
        code = cli(prog_name="subrosa", standalone_mode=False)
    except TyperException as error:
        if error.format_message():  # without arguments, it has shown its help already
            print(f"subrosa: {error.format_message()}", file=sys.stderr)
        raise SystemExit(2) from None
    except (SetupError, CommandError) as error:
        print(f"subrosa: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except (KeyboardInterrupt, typer.Abort):
        raise SystemExit(130) from None
    raise SystemExit(code)
