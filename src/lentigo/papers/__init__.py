"""Published studies: what they claim, whether it can be, and what is left of it."""
