"""Asks the kernel from which address it would speak to another."""

class Routes:
    """Finds source addresses as glibc's getaddrinfo does, for the use of one thread.

    A UDP socket is connected to the destination and asked for its name: nothing is sent. One socket a family
    is kept, whose connection is dissolved before the next question.
    """

    def source_of(self, destination: str) -> bytes | None:
        """The octets of the address that packets to this one come from; None if there is no way to it.

        None, too, for what is no address, and where there is no descriptor to be had.
        """
    def close(self) -> None:
        """Close the sockets; another question would open them again."""
