"""One readable file per figure or table of a paper; EXPERIMENTS maps each id to its module.

A module has ID, SUMMARY (one line), TIERS and run(tier, *, device, seed, progress), which returns the
records. One with several METHODS takes `methods` too, `work`, a folder from which a killed run continues, and `recorded`, finished
records that are returned in place of a run.
"""

from types import ModuleType

from . import (
    arnold2019_cnn,
    arnold2019_costs,
    arnold2019_figure_a1,
    arnold2019_omniglot_linear,
    arnold2019_synthetic,
    arnold2021_cnn,
    arnold2021_figure1_left,
    arnold2021_figure1_right,
    arnold2021_figure2,
    arnold2021_linear_images,
    chen2019_linear,
    chen2019_spiral,
)

EXPERIMENTS: dict[str, ModuleType] = {
    module.ID: module
    for module in (
        arnold2019_synthetic,
        arnold2019_figure_a1,
        arnold2019_omniglot_linear,
        arnold2019_cnn,
        arnold2019_costs,
        arnold2021_figure1_left,
        arnold2021_figure1_right,
        arnold2021_figure2,
        arnold2021_linear_images,
        arnold2021_cnn,
        chen2019_linear,
        chen2019_spiral,
    )
}

__all__ = ["EXPERIMENTS"]
