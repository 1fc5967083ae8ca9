"""The pages of a run of claims: overview, papers, claims, errata."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from ..claims import Claim, Paper
from ..dependencies import PROOFS, STATEMENTS, Dependencies
from ..judging import Judgement
from ..running import Run
from ..sources import helpers_of, source_of
from .errata import AMENDED, WRONG, as_mail, entries
from .shell import Site, address, paper_address
from .verdicts import VERDICTS

__all__ = ["claim_pages"]


def claim_pages(
    site: Site,
    run: Run,
    papers: Sequence[Paper],
    *,
    command: Callable[[Claim], str],
    source: Callable[[Claim], str | None],
) -> None:
    """Add index.html, papers/KEY.html, claims/ID.html and errata.html.

    Args:
        site: where to add them.
        run: the judgements to show.
        papers: the papers that they are of.
        command: what a reader runs to judge a claim again.
        source: where a claim's code stands, as a reader should read it: "claims.py:12"; None for no such line.

    Raises:
        ValueError: one of these pages is there already.
    """
    dependencies = Dependencies(run.judgements)
    site.judgements.update({judgement.claim.id: judgement for judgement in run.judgements})
    site.context.update(dependencies=dependencies, statements=STATEMENTS, proofs=PROOFS)
    whole: dict[str, Paper] = {}
    for paper in papers:
        whole.setdefault(paper.key, paper)  # a paper may come in parts
    chapters = [(paper, _of(paper, run)) for paper in whole.values()]
    site.page(
        "index.html",
        "overview.html",
        title=site.context["site_title"],
        description=f"Verdicts on {len(run.judgements)} claims of {', '.join(paper.title for paper in whole.values())}",
        run=run,
        chapters=[
            (paper, judged, _counts(judged), dependencies.drawing([j.claim for j in judged]))
            for paper, judged in chapters
        ],
        shown=[name for name in VERDICTS if any(j.verdict == name for j in run.judgements)],
        total=_counts(run.judgements),
    )
    for paper, judged in chapters:
        site.page(
            paper_address(paper.key),
            "paper.html",
            title=f"{paper.key}: every claim",
            description=f"The verdict on each of {len(judged)} claims of {paper.title}",
            paper=paper,
            judged=judged,
            counts=_counts(judged),
        )
        for number, judgement in enumerate(judged):
            claim = judgement.claim
            code = source_of(claim)
            site.page(
                address(claim.id),
                "claim.html",
                title=f"{claim.id} {claim.locator}: {judgement.verdict}",
                description=f"{claim.statement} ({claim.id}: {judgement.verdict})",
                paper=paper,
                judgement=judgement,
                claim=claim,
                code="\n\n".join(piece.text for piece in (code, *helpers_of(claim))) if code else "",
                where=source(claim) or "",
                repeat=command(claim),
                before=judged[number - 1] if number else None,
                after=judged[number + 1] if number + 1 < len(judged) else None,
            )
    errata = [(paper, entries(judged, WRONG), entries(judged, AMENDED)) for paper, judged in chapters]
    site.page(
        "errata.html",
        "errata.html",
        title="Errata",
        description="Each statement that is not right as printed, beside what is right",
        errata=[(paper, wrong, amended, as_mail(paper, wrong, amended)) for paper, wrong, amended in errata],
    )


def _of(paper: Paper, run: Run) -> list[Judgement]:
    return [judgement for judgement in run.judgements if judgement.claim.paper == paper.key]


def _counts(judgements: Sequence[Judgement]) -> dict[str, int]:
    """How many there are of each verdict, in the order of `VERDICTS`."""
    found = Counter(judgement.verdict for judgement in judgements)
    return {name: found[name] for name in VERDICTS if found[name]}
