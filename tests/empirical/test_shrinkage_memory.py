import pytest

from empirical.benchmarks import shrinkage_memory


def test_both_ways_are_measured_at_one_loss():
    found = shrinkage_memory.compare({"h_free": (2, 30), "unrolled": (2, 30)})
    for ours, theirs in zip(found["h_free"], found["unrolled"], strict=True):
        assert ours["steps"] == theirs["steps"] and ours["query_loss"] == pytest.approx(theirs["query_loss"], rel=1e-9)
    # thirty steps are kept by the one, two by the other
    assert found["growth"]["unrolled"] > 3 > found["growth"]["h_free"]


def test_a_different_loss_is_noticed(monkeypatch):
    losses = iter([1.0, 1.0, 2.0, 2.0])
    monkeypatch.setattr(
        shrinkage_memory, "_measured", lambda way, steps: {"peak_mib": 1.0, "seconds": 1.0, "query_loss": next(losses)}
    )
    with pytest.raises(RuntimeError, match="taken at different losses"):
        shrinkage_memory.compare({"h_free": (2, 3), "unrolled": (2, 3)})
