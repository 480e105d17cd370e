"""What can go wrong with a snapshot."""


class SnapshotError(Exception):
    """A snapshot that cannot be used: `where: fault. What to do`."""
