"""arnold2021's claims: complete, as accepted, and each able to fail."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from paper_checks import ACCEPTED, papers
from paper_checks.arnold2021 import PAPER
from paper_checks.framework import Definition, Formula, Measurement, Proposition
from paper_checks.framework.judging import judge
from paper_checks.framework.running import accepted, run

FORMULAS_AS_PRINTED = Path(__file__).parents[3] / "shared" / "papers" / "arnold_equations.md"
CLAIMS = {claim.id: claim for claim in PAPER.claims}
# a measured claim's bounds are held against made-up records in test_synthetic_experiments.py and test_image_experiments.py
JUDGED = [id for id, claim in CLAIMS.items() if not isinstance(claim.build(), Definition | Measurement)]


def test_a_run_is_sound_and_as_accepted():
    assert run(papers(), expected=accepted(ACCEPTED)).problems == ()


def test_every_printed_locator_has_a_claim():
    if not FORMULAS_AS_PRINTED.exists():
        pytest.skip("the restated formulas are not beside this checkout")
    section = FORMULAS_AS_PRINTED.read_text().split("## arnold2021")[1].split("Meta-optimizers (Section 5.3)")[0]
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")]
    printed = {name for row in rows[1:] for name in ([row] if not row.startswith("(") else re.findall(r"\(\d+\)", row))}
    located = {claim.locator for claim in PAPER.claims}
    assert printed - located == set()
    assert len(printed) > 40  # the table was read


@pytest.mark.parametrize("id", JUDGED)
def test_every_claim_has_a_witness_and_can_fail(id):
    """With its control in place of the printed statement no claim may keep a favourable verdict."""
    claim = CLAIMS[id]
    content = claim.build()
    assert content.witness is not None
    if isinstance(content, Formula):
        changed = replace(content, printed=content.control, before=None)
    else:
        assert isinstance(content, Proposition)
        changed = replace(content, stated=content.control, weaker=None)
    judged = judge(replace(claim, build=lambda: changed))
    assert judged.verdict not in ("proved", "proved-up-to", "conditional")


@pytest.mark.parametrize(
    ("id", "verdict", "told"),
    [
        ("t1-printed-below-six", "refuted", "it does in all nine cells but Omniglot's with CNN(4)"),
        ("t1-printed-six-degrades", "refuted", "= −0.40. Right is: there are on Omniglot alone"),
        ("t1-printed-six-linnet", "conditional", "holds if further means: than with four layers"),
        ("t1-printed-mini-imagenet", "proved", "= 0.30"),
        ("t3-printed-as-t1", "refuted", "= −0.20. Right is: it has on CIFAR-FS and mini-ImageNet"),
        ("fig4-printed-size", "refuted", "from CNN(4) to CNN(6) on Omniglot"),
    ],
)
def test_what_is_said_of_the_printed_tables(id, verdict, told):
    found = judge(CLAIMS[f"arnold2021.{id}"])
    assert found.verdict == verdict and told in found.reason and not found.problems
