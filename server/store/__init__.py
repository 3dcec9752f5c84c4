"""Durable truth: what is acknowledged is synced, and every read is one moment."""
