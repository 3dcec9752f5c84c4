"""Measurements against budgets: `make bench`. Nothing here is a test."""
