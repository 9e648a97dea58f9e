"""One resolver used from many threads at once, while others change it: `python -m tests.threads`."""
