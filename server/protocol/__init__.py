"""The conversation with one client: frames, encodings, states. No I/O, no clock."""
