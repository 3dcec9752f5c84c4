"""The rulebook, pure: no clock, no loop, no store. Everything above asks it and obeys."""
