"""The sockets of one hub, behind one epoll descriptor and known by handles that are never reused."""

def receive_window() -> int:
    """How many small replies the kernel holds for one UDP socket before it drops the next.

    Raises OSError when no socket can be made.
    """

class Owner:
    """Who is told when a socket is ready."""

class Socket:
    """One socket: its descriptor closes with it, whatever else happens."""

    @property
    def fd(self) -> int: ...
    @property
    def handle(self) -> int: ...
    @property
    def is_stream(self) -> bool: ...
    @property
    def joins(self) -> bool: ...
    @property
    def is_spare(self) -> bool: ...

class Sockets:
    """One epoll set and all that is in it. Raises OSError when the system has no descriptors left."""

    @property
    def budget(self) -> int:
        """How many more datagrams the last `poll` would have taken."""
    @property
    def by_handle(self) -> dict[int, Socket]: ...
    def __len__(self) -> int: ...
    def fileno(self) -> int:
        """The epoll descriptor, for a hub to watch; -1 after `close()`."""
    def wake(self) -> None:
        """Make `fileno()` readable; the one method that any thread may call."""
    def poll(self, limit: int) -> bool:
        """Tell the owners of ready sockets, until about `limit` datagrams have been taken.

        What is left keeps `fileno()` readable. Returns whether `wake()` was called since the last poll.
        """
    def drop_spares(self) -> bool:
        """Close what was kept for look-ups to come; whether there was anything."""
    def close(self) -> None:
        """Close the set and every socket in it; safe to call twice."""
