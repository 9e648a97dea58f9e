"""The gdns command."""
