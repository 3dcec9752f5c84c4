"""The schema's versions, forward only."""
