"""The terminal around the messenger: lines in, lines out, with an editor or plainly.

On a terminal, prompt_toolkit edits the line below what scrolls by. Plainly, lines are read from
standard input and everything is printed as it comes, so that a script can hold a conversation:
`/wait TEXT` waits until a line that contains TEXT is printed, and the end of the input ends the
messenger once everything is sent. Called by the command line.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Callable
from typing import TextIO

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.patch_stdout import patch_stdout
from rich.console import Console

from client_demo.chat import Chat
from client_demo.client import Client
from client_demo.errors import ClientError, SessionEnded, StateUnusable
from client_demo.inbox import Inbox
from client_demo.pacing import Clock, SystemClock
from client_demo.screen import Screen, explained
from client_demo.slash import COMMANDS, Quit, obey

WAIT_S = 30.0  # for /wait: a script that waits for what never comes ends with an error
LEAVING_S = 5.0  # at the end, for what is not answered yet
KEPT_LINES = 500  # printed lines that /wait looks back on


class WaitedInVain(ClientError):
    """`/wait` did not see its text."""


async def live(client: Client, clock: Clock | None = None) -> None:
    """Run the messenger on this terminal until the user is done.

    Raises: SessionEnded, StateUnusable.
    """
    with patch_stdout(raw=True):
        console = Console(force_terminal=True, highlight=False, markup=False, emoji=False)
        inbox = Inbox()
        screen = Screen(inbox, lambda line: console.print(line, soft_wrap=True))
        chat = Chat(client, inbox, screen, clock or SystemClock(), prints_typing=False)
        await _together(chat, _edited_lines(chat), _welcome)


async def plain(
    client: Client,
    lines: AsyncIterator[str],
    out: Callable[[str], None],
    *,
    echo: bool = False,
    clock: Clock | None = None,
) -> None:
    """Run the messenger over lines, printing lines, until the input ends. `echo` prints the
    input too.

    Raises: SessionEnded, StateUnusable; WaitedInVain.
    """
    clock = clock or SystemClock()
    inbox = Inbox()
    printed = Printed(out)
    screen = Screen(inbox, lambda line: printed.add(line.plain))
    chat = Chat(client, inbox, screen, clock)
    await _together(chat, _scripted(chat, lines, printed, echo), None)


class Printed:
    """The lines printed so far, and waiting for one; each line answers one wait."""

    def __init__(self, out: Callable[[str], None]) -> None:
        self._out = out
        self._lines: list[str] = []
        self._stirred = asyncio.Event()

    def add(self, line: str) -> None:
        """Print a line."""
        self._out(line)
        self._lines = [*self._lines[1 - KEPT_LINES :], line]
        self._stirred.set()

    async def wait_for(self, text: str) -> None:
        """Return when a line contains the text; lines up to it are not looked at again.

        Raises: WaitedInVain.
        """
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    for number, line in enumerate(self._lines):
                        if text in line:
                            self._lines = self._lines[number + 1 :]
                            return
                    self._stirred.clear()
                    await self._stirred.wait()
        except TimeoutError:
            raise WaitedInVain(f"no line with “{text}” within {WAIT_S:g} s") from None


async def _together(
    chat: Chat, lines: AsyncIterator[str], welcome: Callable[[Chat], None] | None
) -> None:
    """Follow the events and obey the lines, until the lines or the session end."""

    async def obeying(beside: list[asyncio.Task[None]]) -> None:
        await chat.ready()
        if welcome is not None:
            welcome(chat)
        async for line in lines:
            try:
                await obey(chat, line)
            except Quit:
                break
            except (SessionEnded, StateUnusable):
                raise
            except ClientError as error:
                chat.screen.error(explained(error))
        await _leave(chat)
        for task in beside:
            task.cancel()

    try:
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(chat.follow()), group.create_task(chat.tell())]
            group.create_task(obeying(beside))
    except* (SessionEnded, StateUnusable, WaitedInVain) as ended:
        raise _first(ended) from None


async def _leave(chat: Chat) -> None:
    """Give what was sent the time to be answered; the rest is sent by the next start."""
    deadline = chat.clock.monotonic() + LEAVING_S
    while chat.awaited and chat.clock.monotonic() < deadline:
        await chat.clock.sleep(0.05)
    if chat.awaited:
        chat.screen.notice(f"{len(chat.awaited)} messages are still on their way")


def _first(group: BaseExceptionGroup[ClientError]) -> ClientError:
    for error in group.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise RuntimeError("an empty group of errors")


def _welcome(chat: Chat) -> None:
    chat.screen.heading(f"Subrosa, as {chat.inbox.me}")
    rooms = chat.latest_first()
    chat.listed = [room.id for room in rooms]
    chat.screen.conversations(rooms)
    chat.screen.notice("/open NUMBER or NAME to talk, /help for everything else")


# --- lines from an editor -----------------------------------------------------------------------


async def _edited_lines(chat: Chat) -> AsyncIterator[str]:
    """What the user enters, line by line, until they end the input (^D)."""

    def words() -> list[str]:
        return [*(f"/{name}" for name in COMMANDS), *chat.inbox.names]

    def changed(buffer: Buffer) -> None:
        chat.typing(buffer.text)

    session: PromptSession[str] = PromptSession(
        completer=WordCompleter(words, sentence=False, WORD=True),
        complete_while_typing=False,
        erase_when_done=True,
        bottom_toolbar=chat.status,
        refresh_interval=1.0,
    )
    session.default_buffer.on_text_changed += changed
    while True:
        try:
            yield await session.prompt_async("> ")
        except KeyboardInterrupt:
            continue
        except EOFError:
            return


# --- lines from a script ------------------------------------------------------------------------


async def _scripted(
    chat: Chat, lines: AsyncIterator[str], printed: Printed, echo: bool
) -> AsyncIterator[str]:
    """The lines, with /wait done here."""
    async for line in lines:
        line = line.rstrip("\n")
        if line.startswith("/wait "):
            await printed.wait_for(line.removeprefix("/wait ").strip())
            continue
        if echo and line.strip():
            printed.add(f"> {line}")
        yield line


async def lines_of(file: TextIO) -> AsyncIterator[str]:
    """A file's lines without blocking the loop: a pipe or terminal as they come."""
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        for line in await asyncio.to_thread(file.readlines):
            yield line
        return
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    try:
        while data := await reader.readline():
            yield data.decode(errors="replace")
    finally:
        transport.close()
