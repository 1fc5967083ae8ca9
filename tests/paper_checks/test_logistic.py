"""The claims about logistic regression: their verdicts, and that their two routes agree beyond what the claims compare."""

import math

import pytest
import torch

from analysis import GaussianLogistic, expected_gradient
from paper_checks.arnold2019 import PAPER as ARNOLD2019
from paper_checks.arnold2021 import PAPER as ARNOLD2021
from paper_checks.arnold2021 import logistic
from paper_checks.framework.judging import judge

CLAIMS = {claim.id: claim for paper in (ARNOLD2019, ARNOLD2021) for claim in paper.claims}


@pytest.mark.parametrize(
    ("id", "verdict", "said"),
    [
        ("arnold2021.b1-minimizer", "conditional", "2.6742"),
        ("arnold2021.b1-origin-best", "proved", "0.6931"),
        ("arnold2021.b1-sufficient", "conditional", "log(2)"),
        ("arnold2019.s32-minimizers", "conditional", "no minimiser"),
        ("arnold2019.s32-origin-best", "proved", "0.8807"),
        ("arnold2019.s32-sufficient", "proved", "makes no error"),
    ],
)
def test_verdicts(id, verdict, said):
    judged = judge(CLAIMS[id])
    assert (judged.verdict, judged.problems) == (verdict, ())
    assert said in judged.reason and judged.control.startswith("fails")


def test_the_witness_has_the_moments_of_a_standard_normal():
    x, w = logistic.X, logistic.X_WEIGHT
    assert w.sum().item() == pytest.approx(1, abs=1e-12)
    torch.testing.assert_close((w[:, None] * x).T @ x, torch.eye(2).double(), atol=1e-12, rtol=0)
    assert (w @ x[:, 0].clamp(min=0)).item() == pytest.approx(1 / math.sqrt(2 * math.pi), abs=1e-12)


@pytest.mark.parametrize("labels", ["separable", "sampled"])
def test_the_two_gradients_agree(labels):
    c = torch.tensor([[0.7, -1.1]]).double()
    norms = torch.tensor([1.3 if labels == "sampled" else math.inf]).double()
    slope = logistic.task_gradient(c, norms)[0]
    assert slope.tolist() == pytest.approx(expected_gradient(c[0], [1.3, 0.0], labels).tolist(), abs=1e-8)


@pytest.mark.parametrize(("labels", "dimension"), [("separable", 2), ("sampled", 2), ("separable", 20)])
def test_the_two_maml_losses_agree(labels, dimension):
    tasks = GaussianLogistic(dimension, labels)
    for start, rate in ((0.0, 0.9), (1.3, 0.9), (0.6, 8.0)):
        loss, _ = logistic._maml_slope(start, rate, dimension, labels)
        assert loss == pytest.approx(tasks.maml_loss(start, rate), abs=1e-6)
