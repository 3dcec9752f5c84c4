"""The load tester: drives a server as hard as told, and checks every delivery meanwhile.

It knows the wire alone, as the client does. The way of a message through it:

    schedule (when it is due) → deeds (who says what) → fleet → session → socket
    socket → session → reading (bytes) → ledger (may they have it?) → findings, histograms

`command` is its entry: it makes a `plan`, has `provision` make the members, and gives each
generator process (`generator`) its part through `coordinator`. What comes of it: `verdict` puts the
processes' books together, `report` and `page` say it.
"""
