"""Whoever asks cannot tell which lane an answer came by."""
