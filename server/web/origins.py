"""The origins of pages that may open a socket here: the server's own, and those listed."""

from __future__ import annotations

_LOCAL = ("127.0.0.1", "localhost", "::1", "0.0.0.0", "::")


def own_origins(host: str, port: int) -> list[str]:
    """The origins of a page that this server serves itself."""
    hosts = {host, "127.0.0.1", "localhost", "[::1]"} if host in _LOCAL else {host}
    return [f"{scheme}://{name}:{port}" for name in sorted(hosts) for scheme in ("http", "https")]
