"""The report on this project's papers: the site of their claims, and beside it the results, the figures and the explorer."""
