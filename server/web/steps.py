"""A job's step: a command of the house's own, carried out behind everybody else's."""

from __future__ import annotations

import asyncio
from typing import Any

from server.commands.command import Params
from server.commands.outcome import Call, Caller, Outcome
from server.store.port import Store

OPERATOR = Caller("")


def submitted(store: Store, caller: Caller, cmd: str, params: Params) -> asyncio.Future[Outcome]:
    """What a command will come to. Raises `Busy`."""
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def done(outcome: Outcome) -> None:
        if not future.done():
            future.set_result(outcome)

    store.submit(Call(caller, cmd, params, done))
    return future


async def carried_out(store: Store, caller: Caller, cmd: str, params: Params) -> dict[str, Any]:
    """A command's result. Raises what it was answered with."""
    outcome = await asyncio.shield(submitted(store, caller, cmd, params))
    if outcome.error is not None:
        raise outcome.error
    return outcome.result or {}
