"""What a model reads for a token or a character: a whole number."""

PADDING, UNKNOWN, FIRST = 0, 1, 2
"""None, any that is not known, and the first known one."""

START, END, FIRST_DECODED = 2, 3, 4
"""Of the texts that a decoder gives: what it reads first, what ends a text, and the first known
token."""
