"""The claims about meta-optimizers, of arnold2019 and of arnold2021's Section 5.3 and Appendix C."""

from dataclasses import replace

import pytest
import torch

from paper_checks.arnold2019 import PAPER, cnn_sizes, witness
from paper_checks.arnold2021 import PAPER as ARNOLD2021
from paper_checks.arnold2021 import meta_optimizers
from paper_checks.framework import Definition, Formula, Measurement, Proposition
from paper_checks.framework.judging import judge

LATER = ("(21)", "(22)", "(23)", "(24)", "(25)", "(26)", "5.3", "C.1", "C.1.1")
ALL = (*PAPER.claims, *(c for c in ARNOLD2021.claims if c.locator in LATER))
# the measured ones are those of test_synthetic_experiments.py and test_image_experiments.py
CONTENTS = {c.id: content for c in ALL if not isinstance(content := c.build(), Measurement)}
CLAIMS = {c.id: c for c in ALL if c.id in CONTENTS}
JUDGED = [id for id, content in CONTENTS.items() if not isinstance(content, Definition)]


@pytest.fixture(scope="module")
def judgements():
    return {id: judge(claim) for id, claim in CLAIMS.items()}


def test_every_locator_has_a_claim():
    assert set(PAPER.locators) == {claim.locator for claim in PAPER.claims}
    assert set(LATER) <= set(ARNOLD2021.locators)


@pytest.mark.parametrize("id", JUDGED)
def test_every_claim_has_a_witness_and_can_fail(id):
    """With its control in place of the printed statement no claim may keep a favourable verdict."""
    claim, content = CLAIMS[id], CONTENTS[id]
    assert content.witness is not None
    if isinstance(content, Formula):
        changed = replace(content, printed=content.control)
    else:
        assert isinstance(content, Proposition)
        changed = replace(content, stated=content.control, weaker=None)
        assert not content.witness(**content.control).holds
    judged = judge(replace(claim, build=lambda: changed))
    assert judged.verdict not in ("proved", "proved-up-to", "conditional")


@pytest.mark.parametrize(
    ("id", "told"),
    [
        ("arnold2019.s42-efficient", "m = 100, n = 1 (the synthetic experiment) takes 10100 multiplications and 10001"),
        ("arnold2019.s42-best-case", "the memory is k**2 + 1"),
        ("arnold2019.s42-gradient-descent", "G = [[1, -2], [-3, 4]] becomes [[1, 0], [0, 4]]"),
        ("arnold2019.a11-kfc-omniglot", "3,073,405"),
        ("arnold2019.a11-omniglot-split", "1,200 + 100 + 423 = 1,723. Right is: 1,100 for meta-training"),
        ("arnold2019.a12-kfc-omniglot", "without that it fails: 264,314 with 4 layers, 132,562 with 2 layers"),
        ("arnold2019.a12-kfc-mini-imagenet", "(2,632,909 with 4 layers, 2,598,701 with 2 layers)"),
        ("arnold2019.a12-kfc-readings", "of 855 readings 4 layers for every weight, m = C, a factor for each entry"),
        ("arnold2019.table-a3-cfc1-omniglot", "right is 8,095"),
        ("arnold2019.a12-unit-norm", "so that ‖G‖ U(G/‖G‖) = U(G)"),
        ("arnold2019.algorithm1-last-step", "its gradient in ξ_init is 0"),
        (
            "arnold2019.t1-printed-chance",
            "46.50 LR w/ MAML (Table 1, Omniglot), said to be at most 25.00. Right is: they do on the",
        ),
        ("arnold2019.t1-printed-similar", "= −7.43, said to be at least −2.00. Right is: all do but KLin on Omniglot"),
        ("arnold2019.t2-printed-best", "(Table 2, mini-ImageNet) = −2.34. Right is: it does on Omniglot and CIFAR-FS"),
        ("arnold2019.ta1-printed-competitive", "holds if the rank is 10"),
        ("arnold2019.ta1-printed-prune", "holds if the meta-optimizer is KFC"),
        ("arnold2019.ta1-printed-prune-chance", "holds if barely includes not at all"),
        ("arnold2019.printed-twice", "of 52, the closest is"),
        ("arnold2021.eq25", "right is T W − α T Tᵀ ∇ℓ_τ(T W)"),
        ("arnold2021.eq26-generalizes", "with ReLU f(g) = 0 where G = −L⁻¹ J R⁻¹"),
        ("arnold2021.c1-shape", "Rᵀ ⊗ L is 6×6, and not 2×3"),
        ("arnold2021.c11-rate", "It would hold if α = 1"),
    ],
)
def test_what_is_said(judgements, id, told):
    assert told in judgements[id].reason


def test_what_both_papers_print_is_judged_by_the_same_check(judgements):
    for later, earlier in {
        "c1-positiveness": "s42-positiveness",
        "c1-full-rank": "s42-full-rank",
        "c1-identity": "s42-identity",
        "c1-gradient-descent": "s42-gradient-descent",
        "c11-last-step": "algorithm1-last-step",
    }.items():
        one, other = judgements[f"arnold2021.{later}"], judgements[f"arnold2019.{earlier}"]
        assert (one.claim.statement, one.verdict, one.reason) == (other.claim.statement, other.verdict, other.reason)


def test_the_witness_does_not_import_the_exact_part():
    assert not [name for name in vars(witness) if "sympy" in name or "analysis" in name]
    assert meta_optimizers.witness is witness


def test_algorithm_1_of_the_witness_by_hand():
    """ℓ = ½|θ|², U = ξg on two parameters: ξ moves by α⟨θ₂, θ₁⟩ before the second step, not before the first."""
    theta = witness.tensor([1.0, -2.0]).requires_grad_()
    xi = witness.tensor(0.25).requires_grad_()
    _, second, third = witness.algorithm(lambda t: (t @ t) / 2, lambda by, g: by * g, theta, xi, 0.1, 2)
    torch.testing.assert_close(second, 0.75 * theta)
    rate = 0.25 + 0.1 * (second @ theta)
    torch.testing.assert_close(third, (1 - rate) * second)
    (slope,) = torch.autograd.grad(third.sum(), xi)  # through the adaptation of ξ too
    s, total = (theta @ theta).item(), theta.sum().item()
    # θ₃ = (1 − ξ − α(1 − ξ)s)(1 − ξ)θ = (1 − αs)(1 − ξ)²θ
    assert float(slope) == pytest.approx(-2 * (1 - 0.1 * s) * 0.75 * total)


def test_the_blind_gradient_of_the_witness():
    left, right = witness.generic(3, 3, 1), witness.generic(4, 4, 2)
    torch.testing.assert_close(left @ witness.blind_gradient(left, right) @ right, -torch.ones(3, 4).double())


@pytest.mark.parametrize("layers", [2, 4])
@pytest.mark.parametrize("dataset", cnn_sizes.TITLES)
def test_the_weights_that_are_counted_are_those_of_the_real_model(dataset, layers):
    real = [(kind, tuple(weight.shape)) for kind, weight in cnn_sizes.real_weights(dataset, layers)]
    assert sorted(real) == sorted(cnn_sizes.shapes(dataset, layers))
    assert {kind for kind, _ in real} == set(cnn_sizes.KINDS)


@pytest.mark.parametrize("rank", [None, 1, 10])
def test_meta_optimizers_of_every_reading_are_counted_alike(rank):
    for factor in ("none", "one", "entry"):
        for filters in (True, False):
            reading = cnn_sizes.Reading(("convolution", "norm bias", "linear"), 3, factor, filters)
            assert cnn_sizes.exactly("cifar-fs", 2, reading, rank) == cnn_sizes.counted("cifar-fs", 2, reading, rank)


def test_a_rounded_size_is_rounded_or_cut_off():
    found = [cnn_sizes._is(2_600_000, size, 10_000) for size in (2_594_999, 2_595_000, 2_609_999, 2_610_000)]
    assert found == [False, True, True, False] and cnn_sizes._is(7, 7, 1) and not cnn_sizes._is(7, 8, 1)
