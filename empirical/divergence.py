"""What a run raises when it leaves the finite numbers."""


class DivergenceError(ArithmeticError):
    """A run left the finite numbers; the message names the step, the task or start, and the setting."""
