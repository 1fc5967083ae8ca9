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
    parser = _Parser(prog="python -m analysis", description=f"Exact theory of MAML on linear networks. {CONVENTION}")
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

    bench = commands.add_parser("bench", help="time the derivation of the loss against plain sympy")
    bench.add_argument("--depth", type=_count, default=2)
    bench.add_argument("--steps", type=_count, default=3)
    bench.add_argument("--json", action="store_true", help="print JSON")
    return parser


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
