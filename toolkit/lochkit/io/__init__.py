"""The outside world: thin wrappers that take no decisions."""
