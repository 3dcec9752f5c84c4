"""Subrosa: private real-time messaging for a professional network.

An event's way through the house:

    bytes → codec → session → command → [ one transaction: lock · read · decide · write ]
          → publish → hub → sockets

    cli, __main__   parse and call
    app             the composition root
    web             sockets and HTTP: bytes in and out, nothing decided
    settings, demo  what a process is started with; sample members
    realtime        topics, sessions, the hub, the bus: from outcomes to sockets
    store           durable truth: group commit, snapshots, SQLite
    commands        the command table and its handlers: what each command reads, decides, emits
    protocol        frames, codec, the conversation with one client; no I/O
    domain          the rulebook, pure
    errors          the whole error tree

Imports point down; CI proves it.
"""
