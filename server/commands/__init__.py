"""The command table, and for each command what it reads, decides and emits. No I/O."""
