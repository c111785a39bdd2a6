"""The simulator's errors."""


class ControlError(ValueError):
    """A control request that cannot be carried out. The text is shown to the caller."""
