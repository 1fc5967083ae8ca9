"""Meta-learners: what is learned across tasks, how a task adapts from it, and how the outer gradient is made.

A learner serves R runs at once, each with its own learned numbers: a dict of tensors with a leading dimension R. What the trainer
needs of one stands in `learner.Learner`. A run never sees another's numbers, so that a run beside others is the run by
itself.
"""

from .learner import Learner
from .maml import ANIL, MAML
from .reptile import Reptile
from .shrinkage import Shrinkage

__all__ = ["ANIL", "MAML", "Learner", "Reptile", "Shrinkage"]
