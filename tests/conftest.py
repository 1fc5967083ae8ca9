"""What all tests share: one thread each, and property tests that draw the same examples in every run, without a time limit."""

import os

from hypothesis import settings

# the sizes are tiny: threads would only wait for each other, in the processes that tests start as well
os.environ["OMP_NUM_THREADS"] = "1"

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")
