"""`group.put` with any number of members: found out from a snapshot, then done in small steps.

The operator's answer comes after the last step. What fails in between leaves the steps before it
done; the same command again does the rest.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from server.commands import groups
from server.commands.groups import PutGroup
from server.store.port import Store
from server.web.steps import OPERATOR, carried_out


async def put_group(store: Store, p: PutGroup) -> dict[str, Any]:
    """Make or change a group and who is in it. Raises a `CommandError`."""
    steps = await store.read(lambda snapshot: groups.steps(p, snapshot))
    bare = replace(p, managers=None, members=None)
    for cmd, params in (("group.put", bare), *(("group.step", step) for step in steps)):
        await carried_out(store, OPERATOR, cmd, params)
    return {"id": p.id}
