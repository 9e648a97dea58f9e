"""Many look-ups through a lossy link to servers that come and go; nothing may get lost but packets."""
