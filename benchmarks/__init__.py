"""What a look-up costs: gdns beside its peers. README.md says how to run it and how to read it."""
