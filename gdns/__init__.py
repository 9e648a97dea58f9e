"""A DNS resolver for greenlets: c-ares on the hub's event loop."""

from gdns._version import __version__

__all__ = ["__version__"]
