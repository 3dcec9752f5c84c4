"""Sockets and HTTP: bytes in and out, nothing decided here."""
