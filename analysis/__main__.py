"""`python -m analysis`: exact MAML losses and landscapes of linear networks on the command line."""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
from collections.abc import Sequence
from fractions import Fraction
from typing import NoReturn

import numpy as np

from .certificate import CertificateError
from .landscape import Landscape, stationary_points
from .landscape_theorem import PLURAL, critical_learning_rate, theorem
from .linear_network import LinearNetwork
from .maml import Maml
from .polynomial import exact_rational

CONVENTION = "Losses are E ½(y − ŷ)² with the noise variance included (½ where adaptation is perfect)."


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence and leaves with exit code 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _number(text: str) -> object:
    try:
        return exact_rational(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _rate(text: str) -> object:
    value = _number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0, and a learning rate must be")
    return value


def _rate_or_critical(text: str) -> object:
    return text if text == "critical" else _rate(text)


def _point(text: str) -> list:
    return [_number(part) for part in text.split(",")]


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m analysis", description="Exact theory of MAML on linear networks, and of shrinkage."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    tasks = argparse.ArgumentParser(add_help=False)
    tasks.add_argument("--depth", type=_count, default=2, help="layers of ŷ = w_L … w_1 x (default 2)")
    tasks.add_argument("--mu", type=_number, default=0, help="mean of θ (default 0)")
    tasks.add_argument("--tau2", type=_number, default=1, help="variance of θ (default 1)")
    tasks.add_argument("--s2", type=_number, default=1, help="variance of x (default 1)")
    tasks.add_argument("--v", type=_number, default=1, help="variance of the noise (default 1)")
    tasks.add_argument("--json", action="store_true", help="print JSON")

    landscape = commands.add_parser(
        "landscape",
        parents=[tasks],
        help="all stationary points of the one-step MAML loss",
        description=f"All real stationary points of the one-step MAML loss, exactly, with their kind. {CONVENTION}",
    )
    landscape.add_argument("--alpha", type=_rate_or_critical, required=True, help="inner learning rate, or 'critical'")
    landscape.add_argument("--certificate", action="store_true", help="print the proof that no point is missing")

    loss = commands.add_parser(
        "loss",
        parents=[tasks],
        help="the exact MAML loss at given weights",
        description=f"The exact rational value of the MAML loss after K inner steps. {CONVENTION}",
    )
    loss.add_argument("--alpha", type=_rate, required=True, help="inner learning rate")
    loss.add_argument("--steps", type=_count, default=1, help="inner steps K (default 1)")
    loss.add_argument(
        "--at", type=_point, required=True, metavar="W,…", help="the weights, upper layer first, e.g. 7/10,-3/10"
    )
    loss.add_argument("--adapts", metavar="NAME,…", help="weights that adapt, e.g. b (default: all)")

    proof = commands.add_parser("theorem", help="the deep model's landscape for every learning rate, proved")
    proof.add_argument("--json", action="store_true", help="print JSON")

    joint = commands.add_parser(
        "joint-map",
        help="what becomes of σ² when the joint density of the shrinkage toy is maximised over it too",
        description="The toy of chen2019, Appendix B: x ~ N(θ_t, ρ²), θ_t ~ N(φ, σ²). All stationary points of ℓ_MAP in σ², exactly, "
        "and the maximiser of the marginal likelihood beside them.",
    )
    joint.add_argument(
        "--spread", type=_number, required=True, help="S, the mean square of the task means about their mean"
    )
    joint.add_argument("--n", type=_count, required=True, help="N, observations of each task")
    joint.add_argument("--rho2", type=_number, default=1, help="ρ², variance of an observation (default 1)")
    joint.add_argument("--start", type=_number, help="a σ² from which gradient ascent starts: also say where it ends")

    curves = commands.add_parser(
        "curves",
        help="exact generalisation losses of MAML, Reptile and Shrinkage in chen2019's Experiment 1",
        description="The best parameters of each method in chen2019's Experiment 1, from the exact expected loss, without sampling. "
        "The loss is ½ Σ ((x − μ)/ξ)² of a new observation; 4.5 is that of the true parameters.",
    )
    curves.add_argument(
        "--n", type=_count, default=4, help="N, observations of each task (default 4; the paper does not say)"
    )
    curves.add_argument("--steps", type=_count, default=100, help="adaptation steps of MAML (default 100)")

    bench = commands.add_parser("bench", help="time the derivation of the loss against plain sympy")
    bench.add_argument("--depth", type=_count, default=2)
    bench.add_argument("--steps", type=_count, default=3)
    bench.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _print_joint_map(args: argparse.Namespace) -> None:
    from .hierarchical_normal import marginal_maximiser
    from .joint_map import ascent_limit, joint_map_stationary_points

    points = joint_map_stationary_points(args.spread, args.n, args.rho2)
    print(f"ℓ_MAP in σ², S = {args.spread}, N = {args.n}, ρ² = {args.rho2}: {len(points) or 'no'} stationary points")
    for point in points:
        print(f"  σ² = {point.sigma2} ≈ {float(point.sigma2):.6g}: {point.kind}")
    first = points[0] if points else None
    where = "every start" if first is None else f"every start below {float(first.sigma2):.6g}"
    print(f"Gradient ascent collapses to σ² = 0 from {where}.")
    if args.start is not None:
        end = ascent_limit(args.start, args.spread, args.n, args.rho2)
        about = "" if end.is_Rational else f" ≈ {float(end):.6g}"
        print(f"From σ² = {args.start} it goes to {end}{about}.")
    best = marginal_maximiser(
        args.spread, 2, args.n, args.rho2
    )  # with φ maximised it does not hang on the number of tasks
    print(f"The marginal likelihood is greatest at σ² = {best}.")


def _print_curves(n: int, steps: int) -> None:
    from .linear_gaussian import best_rates, chen2019_experiment1, plateaus

    problem = chen2019_experiment1(n)
    modules = [0] * 4 + [1] * 4

    def numbers(values: object) -> str:
        return ", ".join(f"{value:.4g}" for value in dict.fromkeys(round(float(v), 6) for v in np.atleast_1d(values)))

    known = plateaus(problem)
    rows = [("method", "what is best", "loss", "")]
    rows.append(("no adaptation", "", problem.limit(variance=0), ""))
    for name, labels in (("MAML", [0] * 8), ("M-MAML", modules)):
        best = best_rates(problem, steps, labels)
        rows.append(
            (name, f"rate {numbers(best.values)}", best.loss, f"after {steps} steps; in the end {problem.limit():.4f}")
        )
    best = known["early_stopping"]
    rows.append(
        (
            "Reptile, small steps",
            f"rate × steps = {numbers(best.values)}",
            best.loss,
            f"there; in the end {problem.limit():.4f}",
        )
    )
    for name, key, note in (
        ("Shrinkage", "shrinkage", "converged"),
        ("Shrinkage by (4)", "shrinkage_h_free", "converged; the zero of the approximate gradient"),
        ("M-Shrinkage", "m_shrinkage", "converged; the Bayes risk"),
        ("M-Shrinkage, joint MAP", "joint_map", "converged; σ = 0: does not adapt"),
    ):
        rows.append((name, f"σ = {numbers(np.sqrt(known[key].values))}", known[key].loss, note))
    print(f"Experiment 1 of chen2019 with N = {n}: expected loss ½ Σ ((x − μ)/ξ)² of a new observation\n")
    for name, parameters, value, note in rows:
        shown = value if isinstance(value, str) else f"{value:.4f}"
        print(f"{name:24}{parameters:34}{shown:9}{note}".rstrip())


def _join_negative_values(argv: Sequence[str]) -> list[str]:
    """`--at -3/10,1` as `--at=-3/10,1`: argparse takes a value that starts with a minus sign for an option."""
    joined: list[str] = []
    for word in argv:
        is_value = len(word) > 1 and word[0] == "-" and (word[1].isdigit() or word[1] == ".")
        if is_value and joined and joined[-1].startswith("--") and "=" not in joined[-1]:
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _finite(value: Fraction | float | None) -> float | None:
    """The nearest float; None for none, and beyond the range of floats, which JSON does not have."""
    try:
        number = None if value is None else float(value)
    except OverflowError:
        return None
    return number if number is not None and math.isfinite(number) else None


def _landscape_data(found: Landscape) -> dict:
    network = found.network
    return {
        "depth": network.depth,
        "alpha": str(found.alpha),
        **{name: str(getattr(network, name)) for name in ("mu", "tau2", "s2", "v")},
        "loss": "E ½(y − ŷ)², noise variance included",
        "weights": [str(weight) for weight in network.weights],
        "counts": found.counts,
        "points": [
            {
                "exact": [str(coordinate) for coordinate in point.coordinates],
                "coordinates": [_finite(x) for x in point.floats],
                "loss": _finite(point.loss),
                "hessian_eigenvalues": [_finite(x) for x in point.eigenvalues],
                "kind": point.kind,
                "global": point.is_global,
                "curve": point.curve,
            }
            for point in found.points
        ],
        "certificate": [{"statement": step.statement, "evidence": step.evidence} for step in found.certificate],
    }


def _print_landscape(found: Landscape, certificate: bool) -> None:
    names = ", ".join(map(str, found.network.weights))
    counts = ", ".join(f"{number} {kind if number == 1 else PLURAL[kind]}" for kind, number in found.counts.items())
    print(
        f"One-step MAML loss, depth {found.network.depth}, α = {found.alpha if found.alpha.is_Rational else found.alpha.evalf(12)}"
    )
    total = f"{len(found.points)} stationary point{'s' if len(found.points) > 1 else ''}"
    print(f"{total}: {counts}. {CONVENTION}\n")
    rows = [(f"({names})", "loss", "Hessian eigenvalues", "kind", "lies on")]
    for point in found.points:
        where = ", ".join(
            f"{x:.6g}" if x is not None else str(c) for x, c in zip(point.floats, point.coordinates, strict=True)
        )
        kind = f"global {point.kind}" if point.is_global else point.kind
        rows.append(
            (f"({where})", f"{point.loss:.6g}", ", ".join(f"{e:.6g}" for e in point.eigenvalues), kind, point.curve)
        )
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print("\nExact coordinates: --json. Proof that none is missing: --certificate.")
    if certificate:
        print()
        _print_steps(found.certificate)


def _print_steps(steps: Sequence) -> None:
    for number, step in enumerate(steps, 1):
        print(f"{number:2}. {step.statement}\n    [{step.evidence}]")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (0, or 2 for bad input)."""
    parser = _parser()
    args = parser.parse_args(_join_negative_values(sys.argv[1:] if argv is None else argv))
    try:
        return _run(args)
    except (ValueError, CertificateError) as error:
        parser.exit(2, f"python -m analysis {args.command}: {error}\n")


def _run(args: argparse.Namespace) -> int:
    if args.command == "joint-map":
        _print_joint_map(args)
        return 0
    if args.command == "curves":
        _print_curves(args.n, args.steps)
        return 0
    if args.command == "bench":
        from .benchmark import compare

        measured = compare(args.depth, args.steps)
        if args.json:
            print(json.dumps(measured, indent=1))
        else:
            print(
                "MAML loss, depth {depth}, {steps} steps, {terms} terms, from the set-up to the polynomial\n"
                "  analysis (python-flint)  {analysis_seconds:9.4f} s\n"
                "  sympy.Poly               {sympy_seconds:9.4f} s\n"
                "  ratio                    {ratio:9.0f} ×".format(**measured)
            )
        return 0
    if args.command == "theorem":
        proved = theorem()
        if args.json:
            steps = [{"statement": step.statement, "evidence": step.evidence} for step in proved.steps]
            critical = str(proved.critical_beta.as_sympy())
            print(
                json.dumps(
                    {"statement": proved.statement, "critical_beta": critical, "counts": proved.counts, "steps": steps},
                    indent=1,
                )
            )
        else:
            print(f"{proved.statement}\n\nProof, each step checked in this run:\n")
            _print_steps(proved.steps)
        return 0
    network = LinearNetwork(args.depth, mu=args.mu, tau2=args.tau2, s2=args.s2, v=args.v)
    if args.command == "loss":
        adapts = None if args.adapts is None else tuple(args.adapts.split(","))
        maml = Maml(network, steps=args.steps, alpha=args.alpha, adapts=adapts)
        value = maml.loss_at(args.at)
        print(json.dumps({"loss": str(value), "float": _finite(value)}) if args.json else value)
        return 0
    found = stationary_points(critical_learning_rate(network) if args.alpha == "critical" else args.alpha, network)
    if args.json:
        print(json.dumps(_landscape_data(found), indent=1, ensure_ascii=False))
    else:
        _print_landscape(found, args.certificate)
    return 0


if __name__ == "__main__":
    sys.set_int_max_str_digits(0)  # an exact value after many steps has tens of thousands of digits
    sys.stdout.reconfigure(errors="replace")  # a terminal without Greek letters shows question marks, and no traceback
    if hasattr(signal, "SIGPIPE"):  # end quietly when the reader, `head` say, has had enough
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
