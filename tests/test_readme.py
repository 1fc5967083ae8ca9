"""What the README shows is what the commands print."""

import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from analysis.__main__ import main
from paper_checks import ACCEPTED
from paper_checks.framework.running import accepted

HOME = Path(__file__).parents[1]
README = (HOME / "README.md").read_text()
SHOWN = re.findall(r"^\$ python -m analysis (.*)\n((?:(?!\$ |```).*\n)*)", README, re.MULTILINE)


@pytest.mark.parametrize(("arguments", "output"), SHOWN)
def test_analysis_prints_what_is_shown(arguments, output):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(shlex.split(arguments)) == 0
    assert printed.getvalue() == output


def test_every_analysis_command_was_found():
    assert len(SHOWN) == 4


def test_the_verdict_counts_are_the_accepted_ones():
    counts = Counter(accepted(ACCEPTED).values())
    line = f"{sum(counts.values())} claims: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common())
    assert line in README


def test_the_benchmark_is_the_recorded_one():
    record = json.loads((HOME / "results" / "analysis" / "bench.json").read_text())
    for number in ("{terms:,} terms", "{analysis_seconds:.3f} s", "{sympy_seconds:.1f} s", "{ratio:.0f} times faster"):
        assert number.format(**record) in README


def test_ones_own_paper_runs_as_shown(tmp_path):
    (snippet,) = re.findall(r"```python\n(import sympy\n.*?)```", README, re.DOTALL)
    (tmp_path / "mine.py").write_text(snippet)
    for arguments, code in ([], 1), (["--accept"], 0), ([], 0):  # nothing is accepted at first
        done = subprocess.run([sys.executable, "mine.py", *arguments], cwd=tmp_path, env={"PYTHONPATH": str(HOME)})
        assert done.returncode == code


def test_the_shrinkage_example_runs_as_shown(tmp_path):
    (snippet,) = re.findall(r"```python\n(import math\n.*?)```", README, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", snippet], cwd=tmp_path, env={"PYTHONPATH": str(HOME)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "'head'" in done.stdout


def test_the_engine_example_runs_as_shown(tmp_path):
    (snippet,) = re.findall(r"```python\n(import torch\nfrom empirical import MAML.*?)```", README, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", snippet], cwd=tmp_path, env={"PYTHONPATH": str(HOME)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert float(re.search(r"accuracy ([\d.]+)", done.stdout).group(1)) > 0.75


def test_the_memory_is_the_recorded_one():
    record = json.loads((HOME / "results" / "empirical" / "memory.json").read_text())
    for way, growth in record["growth"].items():
        first, *_, last = (row["steps"] for row in record[way])
        assert f"{growth:.2f} times the memory for {last // first} times the steps" in README


def test_the_speeds_are_the_recorded_ones():
    from empirical.benchmarks.measuring import FLOORS, table

    record = json.loads((HOME / "results" / "empirical" / "bench.json").read_text())
    assert list(record["workloads"]) == list(FLOORS)
    assert all(w["engines"]["metaproof"]["right"] for w in record["workloads"].values())
    assert table(record, markdown=True) in README
    peaks = [
        w["engines"]["metaproof"]["memory"]["step_mib"] / w["engines"]["loop"]["memory"]["step_mib"]
        for w in record["workloads"].values()
        if "memory" in w["engines"]["metaproof"]
    ]
    assert len(peaks) == 6 and f"at most {max(peaks):.1f} times the loop's" in README


def test_what_was_found_of_regression_is_what_the_claims_found():
    from paper_checks.arnold2021.figure1_left import exact

    accepted = json.loads((HOME / "paper_checks" / "verdicts.json").read_text())
    verdicts = {name: entry["verdict"] for name, entry in accepted.items() if "fig1-left" in name}
    assert len(verdicts) == 5 and set(verdicts.values()) == {"reproduced"}
    assert "**Figure 1 (left) holds**" in README
    assert f"{exact(None, best_rate=True)} on the expectation and {exact(10, best_rate=True)} on 10 points" in " ".join(
        README.split()
    )
    assert f"at its printed rate has {float(exact(None)):g}" in " ".join(README.split())


def test_what_was_found_of_linear_models_of_images_is_what_the_records_say():
    from paper_checks.image_records import read

    assert "**Linear models of Omniglot do not fail at chance**" in README
    accepted = json.loads((HOME / "paper_checks" / "verdicts.json").read_text())
    for name in ("arnold2021.fig3-chance-omniglot", "arnold2019.fig1-omniglot-chance"):
        assert accepted[name]["verdict"] == "not-reproduced"
    steps = [("arnold2021/linear-images", f"omniglot LR, {steps}") for steps in ("1 step", "5 steps")]
    for experiment, name in [*steps, ("arnold2019/omniglot-linear", "LR")]:
        cell = read(experiment, name, "full")
        gained = cell.by_seed() - cell.by_seed("test_accuracy_from_scratch")
        assert cell.by_seed().mean() > cell.chance + 0.25 and abs(gained.mean()) < 0.015
    linnet = read("arnold2021/linear-images", "omniglot LR+LinNet, 1 step", "full")
    plain = read(*steps[0], "full")
    assert linnet.by_seed().min() > plain.by_seed().max() + 0.2
    collapsed = linnet.studied("collapsing", "collapsed, then adapted")
    assert collapsed.max() < plain.by_seed("test_accuracy_from_scratch").min()


def test_what_was_found_of_the_printed_tables_is_what_the_claims_found():
    from paper_checks.published import accuracy

    accepted = json.loads((HOME / "paper_checks" / "verdicts.json").read_text())
    refuted = {name for name, entry in accepted.items() if "-printed-" in name and entry["verdict"] == "refuted"}
    told = {"arnold2021.t1-printed-below-six", "arnold2021.t1-printed-six-degrades", "arnold2021.t3-printed-as-t1"}
    told |= {"arnold2019.t1-printed-similar", "arnold2019.t2-printed-best"}
    assert told < refuted
    assert refuted - told == {
        "arnold2021.fig4-printed-size",
        "arnold2019.t1-printed-chance",
    }  # as those, or of a caption
    text = " ".join(README.split())
    for words, cells in {
        "{:.1f} without them, {:.1f} with": [("Table 1", "Omniglot", f"CNN(4) MAML{e}") for e in ("", " w/ LinNet")],
        "{:.1f} in Table 1 and {:.1f} in Table 3": [(t, "Omniglot", "CNN(2) MAML") for t in ("Table 1", "Table 3")],
    }.items():
        assert words.format(*(100 * accuracy("arnold2021", *cell).value for cell in cells)) in text
    for words, cells in {
        "{:.2f} to {:.2f}": [("Table 1", "Omniglot", m) for m in ("LR w/ KLin", "LR+LinNet w/ MAML")],
        "{:.2f} to the {:.2f} of Meta-Curvature": [("Table 2", "mini-ImageNet", f"CNN(2) {m}") for m in ("KFC", "MC")],
    }.items():
        assert words.format(*(100 * accuracy("arnold2019", *cell).value for cell in cells)) in text


def test_what_was_found_of_chen2019_is_what_was_measured():
    from analysis import best_rates, chen2019_experiment1, plateaus
    from paper_checks.chen2019 import records

    def both(estimate, sign="±"):
        return f"{estimate.value:.3f} {sign} {estimate.standard_error:.3f}"

    problem, modular = chen2019_experiment1(4), records.end("spiral", "M-Shrinkage")
    lead = records.paired("spiral", ("Shrinkage", "last"), ("M-Shrinkage", "last"))
    seeds = records.read("linear", "M-Shrinkage joint MAP").details["test"]["loss"]
    found = README[README.index("- **Experiment 1.**") : README.index("## Ask for yourself")]
    for number in (
        f"Bayes risk, {problem.bayes_risk():.3f}",
        f"({best_rates(problem, 100, [0] * 4 + [1] * 4).loss:.3f} exactly)",
        f"arrived ({plateaus(problem)['joint_map'].loss:.3f})",
        f"hangs on the seed ({', '.join(sorted(f'{row[-1]:.2f}' for row in seeds))})",
        f"M-Shrinkage ({both(modular)})",
        f"by {both(lead)}",
        f"FO-M-MAML ({records.least('spiral', 'FO-M-MAML').value:.3f})",
    ):
        assert number in " ".join(found.split()), number


def test_what_was_found_of_the_synthetic_experiments_is_what_was_measured():
    from paper_checks.arnold2019 import records
    from paper_checks.arnold2019.synthetic import POINTS, SYNTHETIC, exact

    found = README[README.index("- **Logistic regression does not") : README.index("Of chen2019:")]

    def measured(name):
        return f"{records.accuracy(SYNTHETIC, name).value:.3f}"

    assert max(records.divergence(SYNTHETIC, name).value for name in ("LinNet", "KLin", "KFC")) < 100
    for number in (
        f"exactly {exact(POINTS):.4f}",
        f"({measured('LR')}, the",
        f"LinNet has {measured('LinNet, outer rate × 0.1')}",
        f"KLin {measured('KLin, outer rate × 0.1')}",
        f"(KLin {measured('KLin one set of points, outer rate × 0.1')})",
    ):
        assert number in " ".join(found.split()), number
