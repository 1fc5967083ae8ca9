"""Task distributions: where tasks come from, and the points that stand for each of them."""

from .regression import Batch, RegressionEpisodes, RegressionTasks, population, sample, sample_theta, theta_nodes

__all__ = ["Batch", "RegressionEpisodes", "RegressionTasks", "population", "sample", "sample_theta", "theta_nodes"]
