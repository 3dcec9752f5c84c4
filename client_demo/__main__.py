"""The command line: `python -m client_demo chat | send | listen`. Parses and calls, no logic.

A token comes from --token-file or SUBROSA_TOKEN, else from the server, if it is a demonstration.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from client_demo import terminal
from client_demo.client import Client
from client_demo.demo_token import demo_token
from client_demo.errors import ClientError, StateUnusable
from client_demo.protocol import Encoding
from client_demo.screen import explained
from client_demo.tokens import Source

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="A messenger for the terminal, and for scripts.",
)

As = Annotated[str, typer.Option("--as", metavar="MEMBER", help="Who you are.")]
Url = Annotated[
    str, typer.Option(envvar="SUBROSA_URL", help="The server, as http://HOST:PORT or https://HOST.")
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, help="A file with a token, read again when one is due."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON on the wire, not msgpack.")]
LOCAL = "http://127.0.0.1:8000"


@app.command()
def chat(
    member: As,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    json_wire: Json = False,
    state: Annotated[
        Path | None,
        typer.Option(help="Where unsent messages are kept; by default with your other state."),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="No line editor: lines in, lines out, for scripts.")
    ] = False,
) -> None:
    """Talk: conversations, messages, typing and receipts, live. /help lists the commands."""

    async def run() -> None:
        path = state or _state_path(url, member)
        try:
            await talk(path)
        except StateUnusable as error:
            if state is not None:
                raise
            typer.echo(f"· {explained(error)}: unsent messages end with this terminal", err=True)
            await talk(None)

    async def talk(path: Path | None) -> None:
        async with _client(url, member, token_file, json_wire, path) as client:
            if plain or not sys.stdin.isatty():
                lines = terminal.lines_of(sys.stdin)
                await terminal.plain(client, lines, _print, echo=not sys.stdin.isatty())
            else:
                await terminal.live(client)

    _main(run())


@app.command()
def send(
    member: As,
    to: Annotated[str, typer.Option(metavar="MEMBER", help="Whom to write to.")],
    text: Annotated[str, typer.Argument(help="What to write.")],
    url: Url = LOCAL,
    token_file: TokenFile = None,
    json_wire: Json = False,
    wait_s: Annotated[float, typer.Option("--wait", help="Seconds to try for.")] = 30.0,
) -> None:
    """Send one message and print its result as JSON."""

    async def run() -> None:
        async with _client(url, member, token_file, json_wire, None) as client:
            try:
                async with asyncio.timeout(wait_s):
                    result = await client.send(to=to, body=text)
            except TimeoutError:
                why = client.trouble or "no answer"
                raise ClientError(f"not known to be sent within {wait_s:g} s: {why}") from None
            _print(json.dumps(result, ensure_ascii=False))

    _main(run())


@app.command()
def listen(
    member: As,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    json_wire: Json = False,
    state: Annotated[
        Path | None, typer.Option(help="Go on from where an earlier run with this file was.")
    ] = None,
    count: Annotated[
        int, typer.Option(help="Stop after so many of the server's events; 0 never.")
    ] = 0,
) -> None:
    """Print every event as a line of JSON: {event, topic, pos, data}."""

    async def run() -> None:
        left = count
        async with _client(url, member, token_file, json_wire, state) as client:
            async for event in client.events():
                line = {"event": event.name, "topic": event.topic, "pos": event.pos}
                _print(json.dumps({**line, "data": event.data}, ensure_ascii=False))
                if not event.name.startswith("client."):
                    left -= 1
                    if left == 0:
                        return

    _main(run())


def _client(
    url: str, member: str, token_file: Path | None, json_wire: bool, state: Path | None
) -> Client:
    encoding: Encoding = "json" if json_wire else "msgpack"
    token = _token(url, member, token_file)
    return Client(url, token=token, device="terminal", encoding=encoding, state=state)


def _token(url: str, member: str, token_file: Path | None) -> Source:
    if token_file is not None:
        return token_file.read_text
    return os.environ.get("SUBROSA_TOKEN", "").strip() or demo_token(url, member)


def _state_path(url: str, member: str) -> Path:
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    server = re.sub(r"[^A-Za-z0-9.-]", "_", urlsplit(url).netloc)
    return home / "subrosa" / server / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', member)}.db"


def _print(line: str) -> None:
    print(line, flush=True)


def _main(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end; a failure is one line and a non-zero exit."""
    try:
        asyncio.run(work)
    except (ClientError, ValueError) as error:
        _fail(explained(error) if isinstance(error, ClientError) else str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(141)


def _fail(text: str) -> None:
    typer.echo(f"client_demo: {text}", err=True)
    sys.exit(1)


if __name__ == "__main__":
    app()
