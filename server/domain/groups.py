"""A group's roles, and what its numbers allow. Pure."""

from __future__ import annotations

OWNER, MANAGER, MEMBER = "owner", "manager", "member"
MANAGING = (OWNER, MANAGER)  # they start its conversations, and write where few may
GONE = ""
