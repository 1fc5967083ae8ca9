"""A folder with a package of the same name says so, instead of a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import paper_checks
from paper_checks.siblings import shadowed

HOME = Path(paper_checks.__file__).resolve().parent.parent


def test_the_packages_are_the_ones_beside_each_other(tmp_path):
    assert shadowed("analysis", "empirical", "figures") is None
    assert "'analysis' would be imported from" in shadowed("analysis", home=tmp_path)
    assert "missing" in shadowed("no_such_package")


@pytest.mark.parametrize("name", ["analysis.py", "empirical/__init__.py"])
def test_the_command_says_so(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("raise RuntimeError('imported')\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{HOME}"}
    command = [sys.executable, "-m", "paper_checks", "--only", "eq1"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.count("\n") == 1 and str(tmp_path) in done.stderr
