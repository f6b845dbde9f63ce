"""The soak and fault suite: load, kills, full disks, damaged pictures and bad requests.

    python -m tests.soak --minutes 15     # all parts, with the shipped networks
    python -m tests.soak --short kills    # one part, with narrow networks, in seconds

Each part is a function from a `Plan` to rows of a table; docs/proof.md shows one such table.
"""
