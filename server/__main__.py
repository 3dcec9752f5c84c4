"""`python -m server` is `subrosa`."""

from server.cli import main

main()
