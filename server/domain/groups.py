"""The roles in a group."""

from __future__ import annotations

OWNER, MANAGER, MEMBER = "owner", "manager", "member"
MANAGING = (OWNER, MANAGER)  # they start its conversations, and write where few may
GONE = ""
