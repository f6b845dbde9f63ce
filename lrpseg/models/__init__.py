"""The networks: what lrpseg asks of one, those that there are, and their weights on disk."""
