"""The version of gdns, readable without building anything."""

__version__ = "0.1.0"
