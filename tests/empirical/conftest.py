"""Lets the tests of this folder import what they share, `oracle` and `engine_cases`, computes in one thread, and finds real data."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from empirical.data import DATASETS, DataError

sys.path.insert(0, str(Path(__file__).parent))
torch.set_num_threads(1)  # the sizes here are tiny: threads would only wait for each other

BESIDE = Path(__file__).parents[3] / "shared" / "data"
"""Real images that may lie beside the project: Omniglot's zips, and a script that writes CIFAR-100 in its official layout."""


@pytest.fixture(scope="session")
def real_data(tmp_path_factory):
    """From the name of a data set to the folder of its real files: that of METAPROOF_DATA, or what lies beside the project."""
    written = {}

    def folder(name):
        found = os.environ.get("METAPROOF_DATA")
        script = BESIDE / "write_cifar100.py"
        if not found and name == "omniglot":
            found = BESIDE / "omniglot"
        if not found and name == "cifar-fs" and script.exists():
            if name not in written:
                written[name] = tmp_path_factory.mktemp("cifar-100")
                subprocess.run([sys.executable, script, written[name]], check=True, capture_output=True)
            found = written[name]
        if not found:
            pytest.skip(f"METAPROOF_DATA names no folder, and there is no {name} beside the project")
        try:
            DATASETS[name].reader.files(Path(found))
        except DataError as error:
            pytest.skip(str(error))
        return Path(found)

    return folder
