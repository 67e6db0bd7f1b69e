"""How long a description may be where nobody says."""

LONGEST = 96
"""Tokens, the end token included."""
