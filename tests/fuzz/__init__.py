"""Octets that nobody would send, and files that nobody would write."""
