"""The event loops that gdns runs on."""
