"""From a committed outcome to the sockets of exactly those who may have it."""
