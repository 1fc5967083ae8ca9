"""The static site of a run of claims, for any papers: a shell for pages, and the pages of the claims themselves."""

from .pages import claim_pages
from .shell import Site

__all__ = ["Site", "claim_pages"]
