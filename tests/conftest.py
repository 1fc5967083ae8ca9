"""What all tests share: property tests draw the same examples in every run, and have no time limit."""

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")
