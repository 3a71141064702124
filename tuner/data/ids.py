"""What a model reads for a token or a character: a whole number."""

PADDING, UNKNOWN, FIRST = 0, 1, 2
"""None, any that is not known, and the first known one."""
