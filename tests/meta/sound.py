"""Right implementations that are written in other ways. A class's docstring says in which one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np

from tests.meta.harness import Sound
from tests.meta.plain_init import PlainNormal, PlainXavier
from tests.meta.plain_losses import Array, PlainBCE, PlainCrossEntropy, PlainMSE
from tests.meta.plain_optim import PlainAdam, PlainOptimizer, PlainSGD

__all__ = ["SOUND"]

SOUND: list[Sound] = []
_OPS = {PlainBCE: "binary_cross_entropy_with_logits", PlainCrossEntropy: "cross_entropy", PlainMSE: "mse_loss",
        PlainAdam: "Adam", PlainSGD: "SGD", PlainNormal: "normal_", PlainXavier: "xavier_uniform_"}


#: Plain optimizers take arrays alone; sparse gradients have variants of their own.
DENSE = MappingProxyType({f"sparsity={value}": "takes no sparse gradient"
                          for value in ("rows", "elements", "twice", "nothing")})


def sound(unlike: Mapping[str, str] = MappingProxyType({})) -> Callable[[Any], Any]:
    def keep(code: Any) -> Any:
        base = next(base for base in _OPS if issubclass(code, base))
        SOUND.append(Sound(_OPS[base], code.__name__, str(code.__doc__),
                           code() if base in (PlainNormal, PlainXavier) else code, unlike))
        return code

    return keep


def _double(value: Any) -> Any:
    single = isinstance(value, np.ndarray) and value.dtype == np.float32
    return value.astype(np.float64) if single else value


def _single(value: Any) -> Any:
    return None if value is None else np.asarray(value).astype(np.float32)


class _LossInDouble:
    """All of it in float64, rounded once."""

    def forward(self, **arguments: Any) -> Array:
        doubles = {name: _double(value) for name, value in arguments.items()}
        return _single(super().forward(**doubles))  # type: ignore[misc]

    def backward(self, grad_output: Array, **arguments: Any) -> tuple[Array | None, ...]:
        doubles = {name: _double(value) for name, value in arguments.items()}
        gradients = super().backward(_double(grad_output), **doubles)  # type: ignore[misc]
        return tuple(map(_single, gradients))


class _ReversedSum:
    """Summed from the end, one by one."""

    def total(self, losses: Array) -> Any:
        return reduce(lambda a, b: a + b, np.ravel(losses)[::-1], np.float32(0))


class _RunningSum:
    """The last of the partial sums."""

    def total(self, losses: Array) -> Any:
        return np.cumsum(np.append(np.float32(0), losses), dtype=np.float32)[-1]


class _ExactSum:
    """The sum rounded once."""

    def total(self, losses: Array) -> Any:
        finite = np.all(np.isfinite(losses))
        return np.float32(math.fsum(np.ravel(losses))) if finite else np.sum(losses)


class _PairwiseSum:
    """Halves are summed on their own."""

    def total(self, losses: Array) -> Any:
        flat = np.ravel(losses)
        if flat.size < 2:
            return flat.sum()
        return self.total(flat[: flat.size // 2]) + self.total(flat[flat.size // 2:])


# --- cross-entropy -------------------------------------------------------------------------------


@sound()
class PlainCE(PlainCrossEntropy):
    """As the mutants have it without their mistakes."""


@sound()
class CEInDouble(_LossInDouble, PlainCrossEntropy):
    """All of it in float64, rounded once."""


@sound()
class CEReversed(_ReversedSum, PlainCrossEntropy):
    """Losses summed from the end."""


@sound()
class CEExactSum(_ExactSum, PlainCrossEntropy):
    """Losses summed without error."""


_LOST = "p = exp(x - lse) loses what rounding lse does, at logits of 1e4 a thousandth: an error of such kernels"


@sound(unlike={"regime=huge": _LOST})
class LogSumExp(PlainCrossEntropy):
    """x - lse, as fused kernels have it, with lse = max + log Σ exp(x - max)."""

    def log_p(self, x: Array) -> Array:
        largest = x.max(1, keepdims=True)
        return x - (largest + np.log(np.exp(x - largest).sum(1, keepdims=True)))


@sound(unlike={"regime=inf": "logaddexp(a, inf) is inf and not NaN, so that beside an infinite logit the others "
                            "have p = 0, where inf - inf makes the whole row NaN", "regime=huge": _LOST})
class LogAddExp(PlainCrossEntropy):
    """x - lse, with lse by logaddexp of one class after the other."""

    def log_p(self, x: Array) -> Array:
        return x - np.logaddexp.reduce(x, 1, keepdims=True)


@sound()
class OnlineSoftmax(PlainCrossEntropy):
    """Maximum and sum in one pass, the sum scaled where the maximum rises."""

    def log_p(self, x: Array) -> Array:
        largest, total = x[:, :1], np.ones_like(x[:, :1])
        for c in range(1, x.shape[1]):
            new = np.maximum(largest, x[:, c:c + 1])
            total = total * np.exp(largest - new) + np.exp(x[:, c:c + 1] - new)
            largest = new
        return (x - largest) - np.log(total)


@sound()
class Log1pOfOthers(PlainCrossEntropy):
    """The largest term of the sum is 1, and log1p has the others; they are summed from the end."""

    def log_p(self, x: Array) -> Array:
        shifted = x - x.max(1, keepdims=True)
        e = np.exp(shifted)
        np.put_along_axis(e, x.argmax(1, keepdims=True), 0, 1)
        return shifted - np.log1p(e[:, ::-1].sum(1, keepdims=True) + 0 * shifted.max(1, keepdims=True))


@sound()
class SoftmaxByDivision(PlainCrossEntropy):
    """p = exp(x - max) / Σ for the gradient, and not exp(log p)."""

    def p(self, x: Array) -> Array:
        e = np.exp(x - x.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)


# --- mean squared error --------------------------------------------------------------------------


@sound()
class MSEInDouble(_LossInDouble, PlainMSE):
    """All of it in float64, rounded once."""


@sound()
class MSEReversed(_ReversedSum, PlainMSE):
    """Summed from the end."""


@sound()
class MSERunning(_RunningSum, PlainMSE):
    """The last of the partial sums."""


@sound()
class MSEExactSum(_ExactSum, PlainMSE):
    """Summed without error."""


@sound()
class MSEPairwise(_PairwiseSum, PlainMSE):
    """Halves are summed on their own."""


@sound()
class DotProduct(PlainMSE):
    """d · (w d), by BLAS."""

    def reduced(self, losses: Array, reduction: str, divisor: Any) -> Array:
        if reduction == "none":
            return losses
        total = np.dot(self.d.ravel(), self.w_d.ravel())
        return np.asarray(total / divisor if reduction == "mean" else total)

    def losses(self, d: Array, w: Any) -> Array:
        self.d, self.w_d = np.asarray(d), np.asarray(w * d)
        return self.d * self.w_d


@sound()
class DividedFirst(PlainMSE):
    """Each loss is divided, and the quotients summed."""

    def reduced(self, losses: Array, reduction: str, divisor: Any) -> Array:
        if reduction != "mean" or not losses.size:
            return super().reduced(losses, reduction, divisor)
        return np.asarray(np.sum(losses / divisor))


@sound()
class SlopeReordered(PlainMSE):
    """(g w) (d + d)."""

    def slope(self, g: Array, d: Array, w: Any) -> Array:
        return (g * w) * (d + d)


# --- binary cross-entropy ------------------------------------------------------------------------


@sound()
class PlainBCEWithLogits(PlainBCE):
    """As the mutants have it without their mistakes."""


@sound()
class BCEInDouble(_LossInDouble, PlainBCE):
    """All of it in float64, rounded once."""


@sound()
class BCEPairwise(_PairwiseSum, PlainBCE):
    """Halves are summed on their own."""


@sound()
class BCELogAddExp(PlainBCE):
    """softplus(x) = logaddexp(0, x)."""

    def softplus(self, x: Array) -> Array:
        return np.logaddexp(np.float32(0), x)


@sound()
class LogSigmoid(PlainBCE):
    """-v t log σ(x) - (1-t) log σ(-x), with log σ(x) = min(x, 0) - log1p(exp(-|x|))."""

    def losses(self, x: Array, t: Array, v: Any) -> Array:
        def log_sigmoid(x: Array) -> Array:
            return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))

        return -(v * t) * log_sigmoid(x) - (1 - t) * log_sigmoid(-x)


@sound()
class NaiveSigmoid(PlainBCE):
    """1 / (1 + exp(-x)), which is 0 where exp overflows."""

    def sigmoid(self, x: Array) -> Array:
        return np.asarray(1 / (1 + np.exp(-x)))


# --- Adam and SGD --------------------------------------------------------------------------------


class _OptimizerInDouble(PlainOptimizer):
    """A step in float64, from and to parameters and state in float32."""

    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        wide = SimpleNamespace(data=_double(p.data).copy())
        doubles = {name: value if name == "step" else _double(value) for name, value in state.items()}
        if not state and isinstance(self, PlainAdam):
            names = ("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if o.amsgrad else ()))
            doubles = {"step": np.zeros((), np.float32)} | {name: np.zeros_like(wide.data) for name in names}
        super().update(wide, _double(g), doubles, o)
        p.data[...] = wide.data
        state.update({name: _single(value) for name, value in doubles.items()})


@sound()
class AdamPlain(PlainAdam):
    """As the mutants have it without their mistakes."""


@sound()
class AdamInDouble(_OptimizerInDouble, PlainAdam):
    """A step in float64, from and to float32."""


@sound()
class AdamLerp(PlainAdam):
    """m + (g - m) (1 - beta1), as torch."""

    def first_moment(self, m: Array, g: Array, o: SimpleNamespace) -> Array:
        return m + (g - m) * (1 - o.beta1)


@sound()
class AdamLerpBoth(AdamLerp):
    """Both moments in this form."""

    def second_moment(self, v: Array, g: Array, o: SimpleNamespace) -> Array:
        return v + (1 - o.beta2) * (g * g - v)


@sound()
class AdamFolded(PlainAdam):
    """Corrections in the step's size and in eps: α √(1-β₂ᵗ)/(1-β₁ᵗ), eps √(1-β₂ᵗ)."""

    def moved(self, theta: Array, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        root = math.sqrt(1 - o.beta2**t)
        return theta - (o.lr * root / (1 - o.beta1**t)) * m / (np.sqrt(v) + o.eps * root)


@sound()
class AdamReciprocal(PlainAdam):
    """m times the reciprocal of the denominator, lr last."""

    def moved(self, theta: Array, m: Array, v: Array, t: int, o: SimpleNamespace) -> Array:
        return theta - (m / (1 - o.beta1**t)) * (1 / self.denominator(v, t, o)) * o.lr


@sound()
class AdamSquareFirst(PlainAdam):
    """(1 - beta2) g² with the square first."""

    def second_moment(self, v: Array, g: Array, o: SimpleNamespace) -> Array:
        return (1 - o.beta2) * (g * g) + o.beta2 * v


@sound(unlike=DENSE)
class SGDPlain(PlainSGD):
    """As the mutants have it without their mistakes."""


@sound(unlike=DENSE)
class SGDInDouble(_OptimizerInDouble, PlainSGD):
    """A step in float64, from and to float32."""


@sound(unlike=DENSE)
class SGDReordered(PlainSGD):
    """g + momentum b - dampening g, and the two parts of Nesterov's step one after the other."""

    def buffer(self, b: Array | None, g: Array, o: SimpleNamespace) -> Array:
        return g if b is None else (g + o.momentum * b) - o.dampening * g

    def direction(self, g: Array, state: dict[str, Array], o: SimpleNamespace) -> Array:
        self.g = g
        super().direction(g, state, o)
        return state["momentum_buffer"]

    def moved(self, theta: Array, direction: Array, o: SimpleNamespace) -> Array:
        if not o.nesterov:
            return theta - direction * o.lr
        return (theta - o.lr * self.g) - (o.lr * o.momentum) * direction


@sound(unlike=DENSE)
class SGDDecayFolded(PlainSGD):
    """Without momentum: (1 - lr decay) θ - lr g."""

    def update(self, p: Any, g: Array, state: dict[str, Array], o: SimpleNamespace) -> None:
        if o.momentum:
            super().update(p, g, state, o)
        else:
            p.data[...] = (1 - o.lr * o.weight_decay) * p.data - o.lr * (-g if o.maximize else g)


# --- initializers --------------------------------------------------------------------------------


@sound()
class XavierInDouble(PlainXavier):
    """a (2u - 1) in float64, rounded once."""


@sound()
class XavierTwoRoundings(PlainXavier):
    """u (high - low) + low in float32, without a fused multiply-add."""

    def between(self, u: Array, a: float) -> Array:
        low, high = np.float32(-a), np.float32(a)
        return u.astype(np.float32) * (high - low) + low


@sound()
class XavierSingle(PlainXavier):
    """gain √3 √(2/(fan_in + fan_out)) in float32."""

    def limit(self, gain: float, fan_in: int, fan_out: int) -> float:
        return np.sqrt(np.float32(3)) * (np.float32(gain) * np.sqrt(np.float32(2) / np.float32(fan_in + fan_out)))

    def between(self, u: Array, a: float) -> Array:
        return a * (2 * u.astype(np.float32) - 1)


@sound()
class NormalInDouble(PlainNormal):
    """Box-Muller in float64, rounded once."""


@sound()
class NormalByPolarForm(PlainNormal):
    """radius exp(i angle), with √(2 · -log(1-u))."""

    def box_muller(self, u_radius: Any, u_angle: Any) -> tuple[Any, Any]:
        z = np.sqrt(2 * -np.log(1 - u_radius)) * np.exp(2j * math.pi * u_angle)
        return z.real, z.imag
