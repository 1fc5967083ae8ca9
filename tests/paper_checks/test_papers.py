"""What holds of every paper under check."""

import pytest

from paper_checks import papers


@pytest.mark.parametrize("paper", papers(), ids=lambda paper: paper.key)
def test_the_chain_of_uses_has_no_cycle(paper):
    claims = {claim.id: claim for claim in paper.claims}
    done: set[str] = set()

    def visit(id: str, path: tuple[str, ...]) -> None:
        assert id not in path, f"{' → '.join((*path, id))}"
        if id not in done:
            for used in claims[id].uses:
                visit(used, (*path, id))
            done.add(id)

    for id in claims:
        visit(id, ())
