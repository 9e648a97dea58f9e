"""One program for each peer; workers.py is what those in Python share."""
