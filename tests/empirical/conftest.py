"""Lets the tests of this folder import what they share, `oracle` and `engine_cases`, and computes in one thread."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
torch.set_num_threads(1)  # the sizes here are tiny: threads would only wait for each other
