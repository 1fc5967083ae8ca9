"""The model, the learning strategy and Algorithm 1 (main text, Sections 2 and 3)."""

from __future__ import annotations

import sympy
import torch
from torch.func import grad

from analysis import HierarchicalNormal, ModularMap, joint_map_stationary_points, predictive_gradient
from analysis.implicit_gradient import central_step
from analysis.joint_map import joint_map_profile, log_joint, posterior_profile

from ..framework import Finding, Formula, Proposition
from . import witness
from .paper import PAPER
from .setup import MEANS, TOY, K, N, S, grand_mean, phi, s, true2, two_modules, x

PAPER.definition("eq1", "(1)", "p(φ,θ,D|σ) = p(φ) ∏_m ∏_t N(θ_{m,t}|φ_m, σ_m² I) ∏_t ∏_n p(x_{t,n}|θ_t)", "the model")


@PAPER.claim(
    "eq2", "(2)", "maximising log p(θ_{1:T}, φ | D^train, σ) over θ and φ is maximising the log joint density (1)"
)
def eq2() -> Proposition:
    """In the toy, T = 2, N = 1, with the data symbolic: log joint − log posterior = log p(D|σ)."""
    rows, theta = [[row[0]] for row in x[:2]], sympy.symbols("theta1 theta2", real=True)
    variables = (phi, *theta)
    joint = log_joint(rows, theta, phi, s)
    precision = -sympy.hessian(joint, variables)
    model = HierarchicalNormal([row[0] for row in rows], 1)
    gap = sympy.Matrix(variables) - sympy.Matrix([model.phi_hat(s), *model.theta_hat(s)])
    normal = sympy.log(sympy.factor(precision.det())) / 2 - (gap.T * precision * gap)[0] / 2
    difference = joint - normal

    def check(over: tuple[sympy.Symbol, ...]) -> Finding:
        slopes = {v: sympy.cancel(difference.diff(v)) for v in over}
        moving = [v for v, slope in slopes.items() if slope != 0]
        if moving:
            maxima = [p.sigma2 for p in joint_map_stationary_points("9/2", 1) if p.kind == "maximum"]
            falls = sympy.simplify(posterior_profile(s, 4, 1).diff(s))
            return Finding(
                False,
                f"the difference log p(D|σ) depends on {', '.join(map(str, moving))}: at S = 9/2, N = 1, T = 4 the joint density, θ and φ "
                f"at their best, has a local maximum at σ² = {maxima[0]}, and the posterior none, for its slope is {falls}",
            )
        return Finding(True, "in the toy their difference is log p(D|σ), which contains neither θ nor φ")

    def numerically(over: tuple[sympy.Symbol, ...]) -> Finding:
        data = witness.observations((1.0, -2.0))

        def gap_at(sigma2: float, point: tuple[float, ...]) -> float:
            z = witness.tensor(point)
            joint_value = witness.log_joint(z[1:], z[0], witness.tensor(sigma2), data)
            return float(joint_value - witness.posterior(sigma2, data).log_prob(z))

        here = gap_at(0.7, (0.1, 0.5, -0.4))
        moved = [gap_at(0.7, (0.6, -1.0, 2.0))] + [gap_at(1.3, (0.1, 0.5, -0.4))] * (s in over)
        return Finding(all(abs(other - here) < 1e-9 for other in moved), f"the difference is {here:.6f} and {moved}")

    return Proposition(
        check,
        stated={"over": variables},
        control={"over": (*variables, s)},
        witness=numerically,
        note="Over σ as well they are not the same: Props. 1 and 3 are about the joint density",
    )


@PAPER.claim(
    "eq3",
    "(3)",
    "argmax_σ log p(D^val|D^train, σ) ≈ argmax_σ Σ_t log p(D_t^val|θ̂_t(σ)) = argmax ℓ_PLL",
    assumptions=("the toy of Appendix B", "T → ∞: what ≈ becomes there"),
)
def eq3() -> Proposition:
    def check(scale: sympy.Expr) -> Finding:
        """Whether both expected log-likelihoods per task have a maximum at σ² = scale · σ_True²."""
        r = 1 / N
        w, noise = s / (s + r), s * r / (s + r) + 1 / K  # the variance of ȳ_t given x̄_t, at σ²
        error = (1 - w) ** 2 * true2 + w**2 * r + 1 / K  # E (ȳ_t − θ̂_t)²
        exact = -sympy.log(noise) / 2 - error / (2 * noise)
        slopes = [sympy.simplify(f.diff(s).subs(s, scale * true2)) for f in (exact, -K * error / 2)]
        if any(slope != 0 for slope in slopes):
            return Finding(False, f"at {scale} σ_True² the slopes per task are {slopes[0]} and {slopes[1]}")
        bends = [sympy.factor(f.diff(s, 2).subs(s, scale * true2)) for f in (exact, -K * error / 2)]
        return Finding(all(bend.is_negative for bend in bends), "as T → ∞ both have a maximum at σ² = σ_True²")

    def numerically(scale: sympy.Expr) -> Finding:
        n, k, true = 2, 3, 0.8

        def slope(plug_in: bool) -> float:
            def at(u: torch.Tensor) -> torch.Tensor:
                precision = n + torch.exp(-u)

                def density(mean: torch.Tensor, held_out: torch.Tensor) -> torch.Tensor:
                    center = n * mean / precision
                    variance = witness.tensor(1 / k) if plug_in else 1 / precision + 1 / k
                    return torch.distributions.Normal(center, variance.sqrt()).log_prob(held_out)

                return witness.expected(density, true, n, k)

            return float(grad(at)(witness.tensor(float(scale) * true).log()))

        slopes = [slope(False), slope(True)]
        return Finding(max(map(abs, slopes)) < 1e-12, f"slopes in log σ² by quadrature: {slopes}")

    example = HierarchicalNormal([3, -3, 1], 2).predictive_maximiser([3, -2, -1])
    return Proposition(
        check,
        stated={"scale": sympy.Integer(1)},
        control={"scale": sympy.Integer(2)},
        witness=numerically,
        note="With few tasks ℓ_PLL may have its maximum at any σ² from 0 to ∞: for x̄ = (3, −3, 1), N = 2 it is "
        f"{example} for ȳ = (3, −2, −1), 0 for ȳ = (−3, 3, 1) and ∞ for ȳ = (4, −4, 1)",
    )


@PAPER.claim(
    "s3-joint-map",
    "3",
    "the optimal σ when the joint distribution is maximised over θ, φ and σ is 0",
    assumptions=("the toy of Appendix B",),
    uses=("prop1",),
)
def joint_map_collapses() -> Proposition:
    tasks, r = sympy.Symbol("T", positive=True), sympy.Symbol("r", positive=True)

    def check(optimum: sympy.Expr) -> Finding:
        """The supremum over σ² is approached at `optimum`, and nowhere else."""
        profile = joint_map_profile(s, S, tasks, r)
        limits = {
            sympy.S.Zero: sympy.limit(profile, s, 0, "+"),
            sympy.oo: sympy.limit(profile, s, sympy.oo),
        }
        here = limits.get(optimum, profile.subs(s, optimum))
        others = [value for place, value in limits.items() if place != optimum]
        holds = here == sympy.oo and sympy.oo not in others
        return Finding(
            holds, f"the profile {profile} tends to {limits[0]} as σ → 0, and is finite at σ > 0; at {optimum}: {here}"
        )

    def numerically(optimum: sympy.Expr) -> Finding:
        data = witness.observations((3.0, -3.0, 0.0, 0.5))
        place = {sympy.S.Zero: 1e-30, sympy.oo: 1e30}.get(optimum, float(optimum))
        here = witness.joint_profile(place, data)
        others = max(witness.joint_profile(10.0**e, data) for e in range(-8, 9))
        return Finding(here > others, f"log joint density {here:.1f} there, at most {others:.1f} for 10⁻⁸ ≤ σ² ≤ 10⁸")

    return Proposition(
        check,
        stated={"optimum": sympy.S.Zero},
        control={"optimum": sympy.oo},
        witness=numerically,
        note="The supremum is +∞ and is not attained: at σ = 0 itself there is no density",
    )


@PAPER.claim("s3-no-adaptation", "3", "modules do not adapt at σ = 0: θ̂_t = φ", assumptions=("the toy of Appendix B",))
def no_adaptation() -> Formula:
    adapted = TOY.theta_hat(s)
    return Formula(
        printed=[0] * 3,
        derived=[sympy.limit(sympy.cancel(t - TOY.phi_hat(s)), s, 0, "+") for t in adapted],
        control=[mean - grand_mean for mean in MEANS],
        witness=lambda xbar1, xbar2, xbar3: [
            float(t - z[0])
            for z in [witness.map_point(witness.tensor(1e-22), witness.observations((xbar1, xbar2, xbar3)))]
            for t in z[1:]
        ],
        note="In the limit σ → 0; the control is the limit σ → ∞",
    )


def _counts_model(counts: tuple[int, ...]) -> HierarchicalNormal:
    return HierarchicalNormal([3, -1, "1/2"], counts)


@PAPER.claim(
    "eq4",
    "(4)",
    "∂ℓ_PLL/∂log σ_m² ≈ Σ_t (θ_{m,t} − φ_m)ᵀ ∂log p(D_t^val|θ̂_t)/∂θ̂_{m,t}",
    assumptions=("σ_m⁻² ≫ the curvature of the training likelihood, as (30) has it", "the toy of Appendix B, any N_t"),
    uses=("eq30", "block-gradient"),
)
def eq4() -> Proposition:
    """≈ is read as: the ratio to the exact gradient tends to 1 where (30) says so, σ² → 0."""
    validation = (2, 0, 1)

    def check(counts: tuple[tuple[int, ...], ...], at: sympy.Expr) -> Finding:
        for n in counts:
            model = _counts_model(n)
            gradients = [predictive_gradient(model, validation, 2, s, method) for method in ("h-free", "exact")]
            ratio = sympy.cancel(gradients[0] / gradients[1])
            if len(set(n)) == 1 and sympy.expand(ratio - (1 + n[0] * s)) != 0:
                raise ArithmeticError("with equal N_t the ratio is not 1 + Nσ²")
            ratio = ratio.subs(s, at)
            if ratio != 1:
                return Finding(
                    False,
                    f"for N_t = {n}, x̄ = (3, −1, ½), ȳ = {validation} the ratio of (4) to the exact gradient is {ratio} "
                    + ("in the limit σ² → 0" if at == 0 else f"at σ² = {at}"),
                )
        return Finding(True, "then φ̂ = x̄ whatever σ is, and the ratio is 1 + Nσ², which tends to 1 as σ² → 0")

    def numerically(counts: tuple[tuple[int, ...], ...], at: sympy.Expr) -> Finding:
        u = witness.tensor(float(at) or 1e-4).log()
        held_out = witness.observations(validation)
        for n in counts:
            data = witness.observations((3.0, -1.0, 0.5), n)
            exact = grad(
                lambda u, data=data: witness.validation_log_likelihood(
                    witness.map_point(torch.exp(u), data)[1:], held_out
                )
            )(u)
            z = witness.map_point(torch.exp(u), data)
            slope = grad(lambda theta: witness.validation_log_likelihood(theta, held_out))(z[1:])
            ratio = float((z[1:] - z[0]) @ slope / exact)
            if abs(ratio - 1) > 5e-3:
                return Finding(False, f"by autograd through θ̂(σ), φ̂(σ) the ratio is {ratio:.5f} for N_t = {n}")
        return Finding(True, "by autograd through θ̂(σ), φ̂(σ) at σ² = 1e-4 the ratio is 1 within 0.005")

    equal, unequal = ((2, 2, 2), (5, 5, 5)), (1, 2, 5)
    at = sympy.Rational(9, 10)
    signs = {
        name: predictive_gradient(_counts_model(unequal), validation, 2, at, method)
        for name, method in (("exact", "exact"), ("(28)", "block-diagonal"), ("(4)", "h-free"))
    }
    return Proposition(
        check,
        stated={"counts": (*equal, unequal), "at": sympy.S.Zero},
        weaker={"counts": equal, "at": sympy.S.Zero},
        assumption="φ̂ does not move with σ, as with equal N_t and a flat prior; (28) drops that movement, and the limit of (30) does not "
        "bring it back",
        control={"counts": equal, "at": sympy.S.One},
        witness=numerically,
        note="With equal N_t and a flat prior (4) is the exact gradient times 1 + Nσ² at every σ, so it has its sign and its zero. With "
        f"N_t = {unequal}, σ² = {at} the signs themselves differ: "
        + ", ".join(f"{name} {float(value):.4f}" for name, value in signs.items()),
    )


PAPER.definition(
    "algorithm1",
    "Algorithm 1",
    "θ_t ← φ; K steps of SGD on ℓ_MAP for each θ_t; one SGD step on ℓ_MAP for φ; one on ℓ_PLL for log σ², by (4)",
    "an algorithm; its steps ascend, since ℓ_MAP and ℓ_PLL are to be maximised. It stands still where (2) holds and (4) is 0",
)


@PAPER.claim(
    "s3-reptile",
    "3",
    "Reptile is the case σ → ∞ of Algorithm 1 with an appropriate learning rate",
    assumptions=("flat prior on φ", "the rate of the φ step is ε σ²"),
    uses=("algorithm1",),
)
def reptile() -> Formula:
    """Two inner steps of rate η on two tasks of the toy; Reptile: the same on the likelihood alone, then φ + ε Σ(θ_t − φ)."""
    eta, eps = sympy.symbols("eta epsilon", positive=True)
    data = [(x[0][0],), (x[1][0],)]
    variable = sympy.Symbol("_theta", real=True)

    def adapted(row: tuple) -> sympy.Expr:
        slope = log_joint([row], [variable], phi, s).diff(variable)
        theta = phi
        for _ in range(2):
            theta = sympy.expand(theta + eta * slope.subs(variable, theta))
        return theta

    shrunk = central_step([adapted(row) for row in data], phi, s, eps * s)
    plain = [phi + (1 - (1 - eta) ** 2) * (row[0] - phi) for row in data]  # two steps of gradient descent from φ

    def numerically(x1_1: float, x2_1: float, phi: float, eta: float, epsilon: float) -> float:
        sigma2, center = witness.tensor(1e14), witness.tensor(phi)
        rows = [witness.tensor([x1_1]), witness.tensor([x2_1])]
        theta = center.repeat(2)
        for _ in range(2):
            theta = theta + eta * grad(lambda t: witness.log_joint(t, center, sigma2, rows))(theta)
        return float(center + epsilon * sigma2 * grad(lambda c: witness.log_joint(theta, c, sigma2, rows))(center))

    return Formula(
        printed=phi + eps * sum(t - phi for t in plain),
        derived=sympy.limit(sympy.cancel(shrunk), s, sympy.oo),
        control=phi,
        witness=numerically,
        note="The appropriate rate grows like σ²: with any fixed rate φ does not move as σ → ∞ (the control), and with a proper prior on φ "
        "its own pull would grow with that rate. Reptile's mean over T tasks is ε/T here",
    )


@PAPER.claim(
    "s3-first-order-maml",
    "3",
    "φ learned by ℓ_PLL: its approximate gradient is the first-order MAML update",
    assumptions=("the approximation is that of (4): H_t is left out beside Σ⁻¹",),
    uses=("eq4",),
)
def first_order_maml() -> Formula:
    model = two_modules()
    share = sympy.Symbol("_share", positive=True)  # of H_t beside Σ⁻¹
    system = ModularMap([share * h for h in model.curvatures], [1 / p for p in model.precision])
    gradient = sympy.zeros(2, 1)
    for response, slope in zip(system.central_response(), model.slopes, strict=True):
        gradient += response.applyfunc(lambda entry: sympy.cancel(entry).subs(share, 0)).T * slope
    first_order = sum(model.slopes[1:], model.slopes[0])

    def numerically(**at: float) -> list[float]:
        """Autograd through θ̂_t(φ), with fixed curvatures as good as absent beside Σ⁻¹."""
        total = torch.zeros(2, dtype=torch.float64)
        precision = witness.tensor([0.7, 1.9])
        for t, h in ((1, [[2.0, 0.5], [0.5, 1.0]]), (2, [[1.0, -0.3], [-0.3, 3.0]])):
            matrix = 1e-16 * witness.tensor(h)
            slope = witness.tensor([at[f"g{t}_1"], at[f"g{t}_2"]])

            def adapted(center: torch.Tensor, matrix: torch.Tensor = matrix) -> torch.Tensor:
                return witness.extremum(lambda z: -z @ matrix @ z / 2 - (precision * (z - center) ** 2).sum() / 2, 2)

            total += witness.jacobian(adapted, torch.zeros(2, dtype=torch.float64)).T @ slope
        return total.tolist()

    return Formula(
        printed=first_order,
        derived=gradient,
        control=first_order / 2,
        witness=numerically,
        note="Exactly it is Σ_t Σ⁻¹(H_t + Σ⁻¹)⁻¹∇_t, where ∇_t = ∂log p(D_t^val|θ̂_t)/∂θ_t. First-order MAML's inner steps climb the "
        "likelihood alone; those of Algorithm 1 are drawn back to φ as well",
    )
