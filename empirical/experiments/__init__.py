"""One readable file per figure or table of a paper; EXPERIMENTS maps each id to its module.

A module has ID, SUMMARY (one line), TIERS and run(tier, *, device, seed, progress), which returns the
records.
"""

from types import ModuleType

from . import arnold2021_figure1_left, arnold2021_figure2

EXPERIMENTS: dict[str, ModuleType] = {module.ID: module for module in (arnold2021_figure1_left, arnold2021_figure2)}

__all__ = ["EXPERIMENTS"]
