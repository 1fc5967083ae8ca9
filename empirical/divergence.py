"""What a run raises when it leaves the finite numbers."""


class DivergenceError(ArithmeticError):
    """A run left the finite numbers; the message names the step, the task or start, and the setting.

    Attributes:
        run: the number of the run among those that ran at once, if it is known.
    """

    def __init__(self, message: str, run: int | None = None):
        super().__init__(message)
        self.run = run
