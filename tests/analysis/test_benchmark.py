import pytest

from analysis import benchmark
from analysis.maml import Maml


@pytest.mark.parametrize(("depth", "steps"), [(1, 2), (2, 1), (2, 2), (3, 1)])
def test_both_derivations_give_one_polynomial(depth, steps):
    found = benchmark.compare(depth=depth, steps=steps, repeats=1)
    assert (found["depth"], found["steps"]) == (depth, steps) and found["terms"] > 1
    assert found["ratio"] == pytest.approx(found["sympy_seconds"] / found["analysis_seconds"])


def test_a_wrong_derivation_is_noticed(monkeypatch):
    monkeypatch.setattr(Maml, "loss", property(lambda maml: maml.task_loss))  # θ not averaged
    with pytest.raises(ArithmeticError, match="derive different losses at depth 2, 1 steps"):
        benchmark.compare(depth=2, steps=1, repeats=1)
