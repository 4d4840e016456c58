"""Elementary functions without a float64 kernel in ONNX Runtime, or without any, in arithmetic.

Compensated: log1p and expm1 keep all digits next to 0 (W. Kahan's form, in N. Higham, "Accuracy and
Stability of Numerical Algorithms", 1.14.1); arctangent, and the normal distribution with its
inverse, are the rational approximations of S. Moshier's Cephes (`atan.c`, `ndtr.c`, `ndtri.c`),
which are SciPy's own for the latter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from onnxlet.convert.graph.converter import Tensor

LN2 = math.log(2.0)


def log1p(x: Tensor) -> Tensor:
    """log(1 + x): log(u) · x / (u - 1) with u = 1 + x as it is rounded."""
    u = x + 1.0
    log = u.unary("Log")
    compensated = u.equals(1.0).where(x, log * (x / (u - 1.0)))
    return (x > 1e16).where(log, compensated)


def expm1(x: Tensor) -> Tensor:
    """exp(x) - 1: (u - 1) · x / log(u) with u = exp(x) as it is rounded."""
    u = x.unary("Exp")
    less = u - 1.0
    compensated = u.equals(1.0).where(x, less * x / u.unary("Log"))
    return (x.unary("Abs") > 1.0).where(less, compensated)


def log2(x: Tensor) -> Tensor:
    """Exact at powers of two, where a quotient of logarithms may be off by the last digit."""
    return _snapped(x, x.unary("Log") / LN2, lambda whole: 2.0**whole)


def log10(x: Tensor) -> Tensor:
    """Exact at powers of ten, as `log2` is at powers of two."""
    return _snapped(x, x.unary("Log") / math.log(10.0), lambda whole: 10.0**whole)


def cube_root(x: Tensor) -> Tensor:
    """The cube root, of negative numbers too; exact at cubes."""
    root = x.unary("Sign") * x.unary("Abs") ** (1.0 / 3.0)
    return _snapped(x, root, lambda whole: whole * whole * whole)


def _snapped(x: Tensor, y: Tensor, back: Callable[[Tensor], Tensor]) -> Tensor:
    whole = y.unary("Round")
    return back(whole).equals(x).where(whole, y)


def truncated(x: Tensor) -> Tensor:
    """The whole part of each number: rounded towards 0."""
    return (x < 0.0).where(x.unary("Ceil"), x.unary("Floor"))


def sinh(x: Tensor) -> Tensor:
    """By expm1 of the magnitude, with the sign of x: no digits are lost next to 0."""
    t = expm1(x.unary("Abs"))
    return x.unary("Sign") * (t > 1e16).where(t, t + t / (t + 1.0)) / 2.0


def cosh(x: Tensor) -> Tensor:
    """(exp(x) + exp(-x)) / 2."""
    return (x.unary("Exp") + (-x).unary("Exp")) / 2.0


def arcsinh(x: Tensor) -> Tensor:
    """By log1p of the magnitude, with the sign of x."""
    a = x.unary("Abs")
    near = log1p(a + a * a / ((a * a + 1.0).unary("Sqrt") + 1.0))
    return x.unary("Sign") * (a > 1e8).where(a.unary("Log") + LN2, near)


def arccosh(x: Tensor) -> Tensor:
    """By log1p near 1, by the logarithm of 2x far from it; NaN below 1."""
    t = x - 1.0
    near = log1p(t + (t * (t + 2.0)).unary("Sqrt"))
    return (x < 1.0).where(np.nan, (x > 1e8).where(x.unary("Log") + LN2, near))


def arctanh(x: Tensor) -> Tensor:
    """The inverse hyperbolic tangent: infinite at -1 and 1, NaN beyond."""
    a = x.unary("Abs")
    return x.unary("Sign") * log1p(a * 2.0 / (1.0 - a)) / 2.0


ARCTAN = (
    (-8.750608600031904122785e-1, -1.615753718733365076637e1, -7.500855792314704667340e1,
     -1.228866684490136173410e2, -6.485021904942025371773e1),
    (1.0, 2.485846490142306297962e1, 1.650270098316988542046e2, 4.328810604912902668951e2,
     4.853903996359136964868e2, 1.945506571482613964425e2),
)  # fmt: skip


def arctan(x: Tensor) -> Tensor:
    """By Cephes' three ranges: around 0, around 1, and beyond by the reciprocal."""
    a = x.unary("Abs")
    large, middle = a > 2.414213562373095, a > 0.66
    reduced = large.where(-1.0 / a, middle.where((a - 1.0) / (a + 1.0), a))
    start = large.where(_like(x, math.pi / 2), middle.where(_like(x, math.pi / 4), 0.0))
    z = reduced * reduced
    made = start + (reduced * (z * _rational(z, *ARCTAN)) + reduced)
    return (x < 0.0).where(-made, made)


def arcsin(x: Tensor) -> Tensor:
    """The inverse sine; NaN beyond -1 and 1."""
    return arctan(x / ((1.0 - x) * (x + 1.0)).unary("Sqrt"))


def arccos(x: Tensor) -> Tensor:
    """The inverse cosine; NaN beyond -1 and 1."""
    return 2.0 * arctan(((1.0 - x) / (x + 1.0)).unary("Sqrt"))


def logistic(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)), with all digits where it is small."""
    return 1.0 / ((-x).unary("Exp") + 1.0)


def logit(p: Tensor) -> Tensor:
    """log(p / (1 - p)), with all digits around one half."""
    s = 2.0 * (p - 0.5)
    near = log1p(s) - log1p(-s)
    return (s.unary("Abs") < 0.3).where(near, (p / (1.0 - p)).unary("Log"))


MIDDLE = (
    (-5.99633501014107895267e1, 9.80010754185999661536e1, -5.66762857469070293439e1,
     1.39312609387279679503e1, -1.23916583867381258016e0),
    (1.0, 1.95448858338141759834e0, 4.67627912898881538453e0, 8.63602421390890590575e1,
     -2.25462687854119370527e2, 2.00260212380060660359e2, -8.20372256168333339912e1,
     1.59056225126211695515e1, -1.18331621121330003142e0),
)  # fmt: skip
TAIL = (
    (4.05544892305962419923e0, 3.15251094599893866154e1, 5.71628192246421288162e1,
     4.40805073893200834700e1, 1.46849561928858024014e1, 2.18663306850790267539e0,
     -1.40256079171354495875e-1, -3.50424626827848203418e-2, -8.57456785154685413611e-4),
    (1.0, 1.57799883256466749731e1, 4.53907635128879210584e1, 4.13172038254672030440e1,
     1.50425385692907503408e1, 2.50464946208309415979e0, -1.42182922854787788574e-1,
     -3.80806407691578277194e-2, -9.33259480895457427372e-4),
)  # fmt: skip
FAR_TAIL = (
    (3.23774891776946035970e0, 6.91522889068984211695e0, 3.93881025292474443415e0,
     1.33303460815807542389e0, 2.01485389549179081538e-1, 1.23716634817820021358e-2,
     3.01581553508235416007e-4, 2.65806974686737550832e-6, 6.23974539184983293730e-9),
    (1.0, 6.02427039364742014255e0, 3.67983563856160859403e0, 1.37702099489081330271e0,
     2.16236993594496635890e-1, 1.34204006088543189037e-2, 3.28014464682127739104e-4,
     2.89247864745380683936e-6, 6.79019408009981274425e-9),
)  # fmt: skip
EXP_MINUS_2 = 0.13533528323661269189


def normal_quantile(p: Tensor, smallest: float = 0.0) -> Tensor:
    """The inverse of the standard normal distribution; infinite at 0 and 1, NaN beyond.

    `smallest` is a bound that p and 1 - p are known to reach: above 0 the graph is shorter.
    """
    upper = p > 1.0 - EXP_MINUS_2
    y = upper.where(1.0 - p, p)
    centred = y - 0.5
    square = centred * centred
    middle = (centred + centred * (square * _rational(square, *MIDDLE))) * math.sqrt(2 * math.pi)
    x = (y.unary("Log") * -2.0).unary("Sqrt")
    z = 1.0 / x
    correction = z * _rational(z, *TAIL)
    if smallest < math.exp(-32.0):
        correction = (x < 8.0).where(correction, z * _rational(z, *FAR_TAIL))
    tail = x - x.unary("Log") / x - correction
    signed = (y > EXP_MINUS_2).where(middle, upper.where(tail, -tail))
    if smallest > 0.0:
        return signed
    return (y.equals(0.0)).where(upper.where(_like(p, np.inf), -np.inf), signed)


ERROR_FUNCTION = (
    (9.60497373987051638749e0, 9.00260197203842689217e1, 2.23200534594684319226e3,
     7.00332514112805075473e3, 5.55923013010394962768e4),
    (1.0, 3.35617141647503099647e1, 5.21357949780152679795e2, 4.59432382970980127987e3,
     2.26290000613890934246e4, 4.92673942608635921086e4),
)  # fmt: skip
COMPLEMENT = (
    (2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687e0,
     4.86371970985681366614e1, 1.96520832956077098242e2, 5.26445194995477358631e2,
     9.34528527171957607540e2, 1.02755188689515710272e3, 5.57535335369399327526e2),
    (1.0, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2,
     9.75708501743205489753e2, 1.82390916687909736289e3, 2.24633760818710981792e3,
     1.65666309194161350182e3, 5.57535340817727675546e2),
)  # fmt: skip


def normal_distribution(x: Tensor) -> Tensor:
    """The standard normal distribution; its tails beyond 11 deviations, some 1e-28, are cut."""
    half = x * math.sqrt(0.5)
    a = half.unary("Abs")
    square = half * half
    near = half * _rational(square, *ERROR_FUNCTION) * 0.5 + 0.5
    far = (-square).unary("Exp") * _rational(a.clip(None, 8.0), *COMPLEMENT) * 0.5
    return (a < 1.0).where(near, (half > 0.0).where(1.0 - far, far))


def _rational(x: Tensor, above: Sequence[float], below: Sequence[float]) -> Tensor:
    """The ratio of two polynomials, the highest power first, by Horner's rule for both at once."""
    pairs = np.array([(0.0,) * (len(below) - len(above)) + tuple(above), below]).T
    made = x.reshape([0, x.width, 1], 1)
    wide = made
    for power, pair in enumerate(pairs):
        made = wide * pair if power == 0 else made + pair if power == 1 else made * wide + pair
    numerator, denominator = (
        x.graph.op("Gather", made, x.graph.constant(np.array(index)), width=x.width, axis=2)
        for index in range(2)
    )
    return numerator / denominator


def _like(x: Tensor, value: float) -> Tensor:
    return x.graph.constant(value, x.dtype)
