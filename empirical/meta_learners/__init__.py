"""Meta-learners: what is learned across tasks, how a task adapts from it, and how the outer gradient is made.

A learner serves R runs at once, each with its own learned numbers: a dict of tensors with a leading dimension R,
"phi" (R, P) among them. It has

- `init(phi, ...)`: the learned numbers at the start;
- `gradients(learned, support, query)`: what the outer loop descends along, by name, and the query loss (R,);
- `adapt(learned, support, steps, observe)`: adapted parameters (R, T, P).

A run never sees another's numbers, so that a run beside others is the run by itself.
"""

from .maml import MAML
from .reptile import Reptile
from .shrinkage import Shrinkage

__all__ = ["MAML", "Reptile", "Shrinkage"]
