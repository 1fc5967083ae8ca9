import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

import analysis
from analysis import LinearNetwork, Maml, critical_learning_rate, stationary_points, theorem
from analysis.__main__ import main


@pytest.fixture
def command(capsys):
    """Runs one command in this process: (exit code, standard output, standard error)."""
    limit = sys.get_int_max_str_digits()

    def run(*argv):
        try:
            code = main(argv)
        except SystemExit as left:
            code = left.code
        return code, *capsys.readouterr()

    yield run
    sys.set_int_max_str_digits(limit)


# --- loss --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["7/10,-3/10", "-7/10,3/10", "-7/10,-3/10", "-3/10,7/10"])
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_loss_is_exact(command, by_hand, at, steps):
    weights = [Fraction(part) for part in at.split(",")]
    wanted = by_hand.Setting(alpha=Fraction(1, 4), steps=steps).loss(weights)
    options = ("loss", "--depth", "2", "--steps", str(steps), "--alpha", "1/4")
    assert command(*options, "--at", at) == (0, f"{wanted}\n", "")
    assert command(*options, f"--at={at}") == (0, f"{wanted}\n", "")


def test_the_printed_example(command, by_hand):
    wanted = by_hand.Setting(alpha=Fraction(1, 4), steps=2).loss([Fraction(7, 10), Fraction(-3, 10)])
    assert command("loss", "--depth", "2", "--steps", "2", "--at", "7/10,-3/10", "--alpha", "1/4") == (
        0,
        f"{wanted}\n",
        "",
    )


def test_decimals_are_fractions(command):
    exact = command("loss", "--at", "7/10,-3/10", "--alpha", "1/4", "--mu", "-1/2", "--s2", "3/2", "--v", "1/1000")
    assert exact == command("loss", "--at", "0.7,-.3", "--alpha", "0.25", "--mu", "-0.5", "--s2", "1.5", "--v", "1e-3")
    assert exact[0] == 0 and exact != command("loss", "--at", "7/10,-3/10", "--alpha", "1/4")


def test_loss_of_other_networks_and_tasks(command, by_hand):
    setting = by_hand.Setting(
        alpha=Fraction(1, 10), mu=Fraction(-1, 2), tau2=Fraction(2), s2=Fraction(3, 2), v=Fraction(1, 5)
    )
    tasks = ("--mu", "-1/2", "--tau2", "2", "--s2", "3/2", "--v", "1/5", "--alpha", "1/10")
    assert command("loss", "--depth", "1", "--at", "-2/3", *tasks)[1] == f"{setting.loss([Fraction(-2, 3)])}\n"
    three = [Fraction(-1, 2), Fraction(1), Fraction(3, 4)]
    assert command("loss", "--depth", "3", "--at", "-1/2,1,3/4", *tasks)[1] == f"{setting.loss(three)}\n"
    masked = by_hand.Setting(alpha=Fraction(1, 4), adapts=(False, True)).loss([Fraction(1, 2), Fraction(2)])
    assert command("loss", "--at", "1/2,2", "--alpha", "1/4", "--adapts", "b")[1] == f"{masked}\n"


def test_loss_as_json(command):
    code, out, err = command("loss", "--at", "7/10,-3/10", "--alpha", "1/4", "--json")
    data = json.loads(out)
    assert (code, err, set(data)) == (0, "", {"loss", "float"})
    assert float(Fraction(data["loss"])) == data["float"]
    assert command("loss", "--at", "7/10,-3/10", "--alpha", "1/4")[1].strip() == data["loss"]


def test_a_huge_loss_as_json(command):
    code, out, _ = command("loss", "--at", "1e200,1e200", "--alpha", "1/4", "--json")
    assert code == 0 and Fraction(json.loads(out)["loss"]) > 10**400


def test_what_is_beyond_floats_is_null_in_json(command):
    code, out, _ = command("landscape", "--alpha", "1/10", "--v", "1e400", "--json")
    assert code == 0
    found = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert [point["loss"] for point in found["points"]] == [None] * 17


# --- landscape and theorem ---------------------------------------------------------------------------------------------


def test_landscape_in_words(command):
    code, out, err = command("landscape", "--depth", "2", "--alpha", "1/10")
    assert (code, err) == (0, "")
    for words in (
        "17 stationary points",
        "4 minima",
        "8 saddles",
        "5 maxima",
        "(3.16228, 0)",
        "noise variance included",
    ):
        assert words in out
    assert out.count("global minimum") == 4 and "Sturm" not in out
    assert "Sturm" in command("landscape", "--alpha", "1/10", "--certificate")[1]


@pytest.mark.parametrize(
    ("options", "network"),
    [
        (("--depth", "2"), LinearNetwork(2)),
        (("--depth", "1", "--mu", "-1/2", "--s2", "2"), LinearNetwork(1, mu="-1/2", s2=2)),
        (("--mu", "-1/2", "--tau2", "2", "--v", "0"), LinearNetwork(2, mu="-1/2", tau2=2, v=0)),
    ],
)
def test_landscape_as_json(command, options, network):
    code, out, err = command("landscape", "--alpha", "0.1", "--json", *options)
    data, found = json.loads(out), stationary_points("1/10", network)
    assert (code, err) == (0, "")
    for name, value in (("depth", network.depth), ("alpha", "1/10"), ("mu", str(network.mu)), ("v", str(network.v))):
        assert data[name] == value
    assert data["counts"] == found.counts and data["weights"] == [str(w) for w in network.weights]
    assert "½" in data["loss"] and "noise" in data["loss"]
    for entry, point in zip(data["points"], found.points, strict=True):
        assert entry == {
            "exact": [str(x) for x in point.coordinates],
            "coordinates": list(point.floats),
            "loss": point.loss,
            "hessian_eigenvalues": list(point.eigenvalues),
            "kind": point.kind,
            "global": point.is_global,
            "curve": point.curve,
        }
    assert [step["statement"] for step in data["certificate"]] == [step.statement for step in found.certificate]


def test_landscape_at_the_critical_rate(command):
    code, out, err = command("landscape", "--alpha", "critical")
    assert (code, err) == (0, "") and "13 stationary points" in out and "0.26746057" in out
    data = json.loads(command("landscape", "--alpha", "critical", "--s2", "2", "--json")[1])
    assert data["counts"] == theorem().counts["at"]
    assert data["alpha"] == str(
        stationary_points(critical_learning_rate(LinearNetwork(2, s2=2)), LinearNetwork(2, s2=2)).alpha
    )


def test_shallow_landscape_at_its_critical_rate(command):
    code, out, _ = command("landscape", "--depth", "1", "--alpha", "1")
    assert code == 0 and "1 stationary point: 1 degenerate" in out and "every real c" in out


def test_theorem(command):
    code, out, err = command("theorem")
    assert (code, err) == (0, "") and theorem().statement in out
    assert all(step.statement in out and step.evidence in out for step in theorem().steps)
    data = json.loads(command("theorem", "--json")[1])
    assert data["counts"] == theorem().counts and data["statement"] == theorem().statement
    assert [step["evidence"] for step in data["steps"]] == [step.evidence for step in theorem().steps]


def test_bench(command):
    code, out, err = command("bench", "--depth", "1", "--steps", "1")
    assert (code, err) == (0, "") and "sympy.Poly" in out and "ratio" in out
    data = json.loads(command("bench", "--depth", "2", "--steps", "1", "--json")[1])
    assert data["terms"] == len(Maml(LinearNetwork(2)).loss.to_dict()) and data["ratio"] > 0


# --- bad input ---------------------------------------------------------------------------------------------------------

POINT = ("loss", "--at", "1,2", "--alpha", "1/4")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ((), "required: COMMAND"),
        (("frob",), "invalid choice: 'frob'"),
        (("loss", "--alpha", "1/4"), "required: --at"),
        (("loss", "--at", "1,2"), "required: --alpha"),
        (("loss", "--at", "1", "--alpha", "1/4"), "given and depth 2 has 2: a, b"),
        (("loss", "--at", "1,2,3", "--alpha", "1/4"), "given and depth 2 has 2: a, b"),
        (("loss", "--at", "1,x", "--alpha", "1/4"), "argument --at: 'x' is not a rational number"),
        (("loss", "--at", "1,,2", "--alpha", "1/4"), "argument --at: '' is not a rational number"),
        (("loss", "--at", "", "--alpha", "1/4"), "argument --at: '' is not a rational number"),
        (("loss", "--at", "1/0,2", "--alpha", "1/4"), "'1/0' is not a rational number"),
        (("loss", "--at", "nan,2", "--alpha", "1/4"), "'nan' is not a rational number"),
        (("loss", "--at", "-x,2", "--alpha", "1/4"), "argument --at"),
        (("loss", "--at", "1,2", "--alpha", "0"), "argument --alpha: 0 is not above 0"),
        (("loss", "--at", "1,2", "--alpha", "-1/4"), "argument --alpha: -1/4 is not above 0"),
        (("loss", "--at", "1,2", "--alpha", "fast"), "argument --alpha: 'fast' is not a rational number"),
        ((*POINT, "--depth", "0"), "depth is 0; a linear network has 1 layer or more"),
        ((*POINT, "--depth", "-1"), "argument --depth: '-1' is not a whole number"),
        ((*POINT, "--depth", "2.5"), "argument --depth: '2.5' is not a whole number"),
        ((*POINT, "--steps", "-1"), "argument --steps: '-1' is not a whole number"),
        ((*POINT, "--adapts", "c"), "this network's weights are a, b"),
        ((*POINT, "--adapts", ""), "adapts names"),
        ((*POINT, "--tau2", "-1"), "tau2 is -1; this variance must be 0 or more"),
        ((*POINT, "--s2", "0"), "s2 is 0; this variance must be above 0"),
        ((*POINT, "--v", "-1/2"), "v is -1/2; this variance must be 0 or more"),
        ((*POINT, "--mu", "x"), "argument --mu: 'x' is not a rational number"),
        ((*POINT, "--frob"), "unrecognized arguments: --frob"),
        (("landscape",), "required: --alpha"),
        (("landscape", "--alpha", "x"), "argument --alpha: 'x' is not a rational number"),
        (("landscape", "--alpha", "-1"), "argument --alpha: -1 is not above 0"),
        (("landscape", "--alpha", "1/10", "--depth", "3"), "offered for depth 1 and 2, and depth is 3"),
        (("landscape", "--alpha", "1/10", "--depth", "0"), "depth is 0"),
        (("landscape", "--alpha", "1/10", "--tau2", "0"), "tau2 is 0; with a single task"),
        (("landscape", "--alpha", "critical", "--mu", "1"), "the critical rate is known for depth 2 and mu = 0"),
        (("landscape", "--alpha", "critical", "--depth", "1"), "the critical rate is known for depth 2 and mu = 0"),
        (("bench", "--depth", "0"), "depth is 0"),
        (("theorem", "--alpha", "1"), "unrecognized arguments"),
        (("joint-map", "--spread", "-1", "--n", "4"), "the spread S is -1, and must be 0 or more"),
        (("joint-map", "--spread", "1", "--n", "0"), "must be a whole number, 1 or more"),
        (("joint-map", "--spread", "1", "--n", "2", "--rho2", "0"), "must be a positive number"),
        (("curves", "--n", "0"), "n is 0"),
        (("curves", "--steps", "0"), "steps is 0"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(command, argv, words):
    code, out, err = command(*argv)
    assert (code, out) == (2, "")
    assert words in err and err.startswith("python -m analysis") and err.endswith("\n") and err.count("\n") == 1


def test_as_a_command():
    """In a process of its own: the exit code, one line and no traceback, and no torch."""
    root = Path(analysis.__file__).parents[1]
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))

    def run(*argv):
        return subprocess.run(
            [sys.executable, *argv],
            capture_output=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1"},
        )

    done = run("-m", "analysis", "loss", "--at", "-1/2,2", "--alpha", "1/4", "--steps", "0")
    assert (done.returncode, done.stdout, done.stderr) == (0, "3/2\n", "")
    done = run("-m", "analysis", "loss", "--at", "1", "--alpha", "1/4")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    done = run("-c", "import sys, analysis, analysis.__main__, analysis.benchmark; print('torch' in sys.modules)")
    assert done.stdout == "False\n"


def test_joint_map_says_where_ascent_collapses(command):
    code, out, _ = command("joint-map", "--spread", "5", "--n", "4", "--start", "1/100")
    assert code == 0 and "σ² = 9/4 - sqrt(5) ≈ 0.013932: minimum" in out and "it goes to 0" in out
    assert "marginal likelihood is greatest at σ² = 19/4." in out  # S − ρ²/N
    code, out, _ = command("joint-map", "--spread", "1/2", "--n", "4", "--rho2", "2")
    assert code == 0 and "no stationary points" in out and "from every start." in out


def test_curves_of_experiment_1(command):
    code, out, _ = command("curves", "--n", "4", "--steps", "30")
    lines = {line[:24].strip(): line for line in out.splitlines()}
    assert code == 0 and "5.1273" in lines["M-Shrinkage"] and "σ = 8, 2" in lines["M-Shrinkage"]
    assert "23.8200" in lines["no adaptation"]
    assert "after 30 steps; in the end 5.5000" in lines["MAML"]
