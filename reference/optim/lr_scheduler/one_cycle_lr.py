"""One cycle: up to a large learning rate, and down to a very small one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._optimizer import Optimizer
from ._momentum import give_momentum, uses_beta1
from ._numbers import cos_pi, number
from ._scheduler import LRScheduler, needs_optimizer, one_a_group

__all__ = ["OneCycleLR", "one_cycle_lr", "one_cycle_momentum"]

Phase = dict[str, Any]

#: The ends of the phases, by the keys that groups have them under.
_TWO = (("initial_lr", "max_lr", "max_momentum", "base_momentum"),
        ("max_lr", "min_lr", "base_momentum", "max_momentum"))
_THREE = (_TWO[0], ("max_lr", "initial_lr", "base_momentum", "max_momentum"),
          ("initial_lr", "min_lr", "max_momentum", "max_momentum"))


def one_cycle_lr(epoch: int, max_lr: Any, total_steps: int, pct_start: float = 0.3, anneal_strategy: str = "cos",
                 div_factor: Any = 25.0, final_div_factor: Any = 1e4, three_phase: bool = False) -> Any:
    """The learning rate at a step."""
    initial_lr = max_lr / div_factor
    ends = {"initial_lr": initial_lr, "max_lr": max_lr, "min_lr": initial_lr / final_div_factor}
    return _between(_phases(total_steps, pct_start, three_phase), ends, "lr", epoch, anneal_strategy)


def one_cycle_momentum(epoch: int, base_momentum: Any, max_momentum: Any, total_steps: int, pct_start: float = 0.3,
                       anneal_strategy: str = "cos", three_phase: bool = False) -> Any:
    """The momentum at a step: it falls where the learning rate rises."""
    ends = {"base_momentum": base_momentum, "max_momentum": max_momentum}
    return _between(_phases(total_steps, pct_start, three_phase), ends, "momentum", epoch, anneal_strategy)


def _phases(total_steps: int, pct_start: float, three: bool) -> list[Phase]:
    """Phases with their last step, which may be a fraction, in the layout that torch's state has."""
    last = [float(pct_start * total_steps) - 1, *([float(2 * pct_start * total_steps) - 2] if three else []),
            total_steps - 1]
    keys = ("start_lr", "end_lr", "start_momentum", "end_momentum")
    return [{"end_step": step, **dict(zip(keys, names, strict=True))}
            for step, names in zip(last, _THREE if three else _TWO, strict=True)]


def _between(phases: Sequence[Phase], ends: Mapping[str, Any], what: str, t: int, strategy: str) -> Any:
    """The value at step t, between the ends of the phase that holds it."""
    i = next((i for i, phase in enumerate(phases) if t <= phase["end_step"]), len(phases) - 1)
    first, last = phases[i - 1]["end_step"] if i else 0.0, phases[i]["end_step"]
    start, end = (ends[phases[i][f"{side}_{what}"]] for side in ("start", "end"))
    t = min(t, phases[-1]["end_step"])
    share = (number(t, start) - first) / (last - first) if last != first else 1
    if strategy == "linear":
        return (end - start) * share + start
    return end + (start - end) / 2 * (cos_pi(share, 1, start) + 1)


class OneCycleLR(LRScheduler):
    r"""One cycle over the whole training: up to a large learning rate, then down to a very small one.

    With N = ``total_steps`` and p = ``pct_start`` the first phase ends at step :math:`pN - 1`, the last one at
    :math:`N - 1`; of three phases the second one at :math:`2pN - 2`. In a phase from step :math:`a` to :math:`b`, and
    with :math:`x = (t-a) / (b-a)`,

    .. math::
        \eta_t = \eta_b + (\eta_a - \eta_b) \frac{1 + \cos \pi x}{2} \quad \text{("cos")}, \qquad
        \eta_t = \eta_a + (\eta_b - \eta_a) x \quad \text{("linear")},

    between :math:`\eta_{init} = \eta_{\max}/d`, :math:`\eta_{\max}` and :math:`\eta_{init}/f`; of three phases between
    :math:`\eta_{init}, \eta_{\max}, \eta_{init}` and :math:`\eta_{init}/f`. Momentum likewise, from its maximum to its
    minimum and back, where it stays in a third phase.

    Args:
        optimizer: an optimizer, whose ``"lr"`` and ``"momentum"`` or ``"betas"`` change.
        max_lr: :math:`\eta_{\max}`, or a list with one for each group.
        total_steps: N; or ``epochs`` times ``steps_per_epoch``.
        pct_start: p, the share of the steps that rise, a float in [0, 1].
        anneal_strategy: "cos" or "linear".
        cycle_momentum: change the momentum, or the first beta, too.
        base_momentum, max_momentum: its lower and upper end, or lists.
        div_factor, final_div_factor: :math:`d` and :math:`f`.
        three_phase: the paper's three phases.
        last_epoch: the last step that is over (see :class:`LRScheduler`).

    Raises:
        ValueError: no number of steps, or none that is a whole number above 0; ``pct_start`` is no float in [0, 1]; an
            unknown ``anneal_strategy``; a list of another length than there are groups; an optimizer without momentum;
            a ``div_factor`` of 0; and in step N + 1.
        TypeError, KeyError: as :class:`LRScheduler`.

    >>> from reference.optim import SGD, Parameter
    >>> schedule = OneCycleLR(SGD([Parameter([1.0])], momentum=0.5), max_lr=1.0, total_steps=8)
    >>> [round(one_cycle_lr(t, 1.0, 8, pct_start=0.5, anneal_strategy="linear"), 3) for t in range(8)]
    [0.04, 0.36, 0.68, 1.0, 0.75, 0.5, 0.25, 0.0]

    Source: Smith & Topin, Super-convergence: Very fast training of neural networks using large learning rates (2018),
    section 3; two phases as in fastai.

    Conventions:

    - Groups get ``initial_lr`` (also where they have one), ``max_lr``, ``min_lr``, ``max_momentum`` and
      ``base_momentum``, and a schedule that is resumed reads them there.
    - The first phase lasts from step 0 to pN - 1. Where that is 0, or below, the largest learning rate is never there
      or at step 0; where it is exactly 0, torch divides by 0 (N=10, p=0.1).
    - Step N is allowed, one more than there are, and has the values of the last one. torch goes on along the curve:
      with "linear" to a learning rate below 0, and with p = 1 it divides by 0.
    """

    def __init__(self, optimizer: Optimizer, max_lr: Any, total_steps: int | None = None, epochs: int | None = None,
                 steps_per_epoch: int | None = None, pct_start: float = 0.3, anneal_strategy: str = "cos",
                 cycle_momentum: bool = True, base_momentum: Any = 0.85, max_momentum: Any = 0.95,
                 div_factor: float = 25.0, final_div_factor: float = 1e4, three_phase: bool = False,
                 last_epoch: int = -1) -> None:
        needs_optimizer(optimizer)
        self.total_steps = _count_steps(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"pct_start needs to be a float in [0, 1], got {pct_start!r}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy needs to be 'cos' or 'linear', got {anneal_strategy!r}")
        if div_factor == 0 or final_div_factor == 0:
            raise ValueError(f"div_factor and final_div_factor need not to be 0, got {div_factor}, {final_div_factor}")
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        self._anneal_func_type = anneal_strategy
        self.cycle_momentum = cycle_momentum
        given = {"max_lr": one_a_group("max_lr", optimizer, max_lr)}
        if cycle_momentum:
            self.use_beta1 = uses_beta1(optimizer)
            given["max_momentum"] = one_a_group("max_momentum", optimizer, max_momentum)
            given["base_momentum"] = one_a_group("base_momentum", optimizer, base_momentum)
        if last_epoch == -1:
            for i, group in enumerate(optimizer.param_groups):
                group.update({name: values[i] for name, values in given.items()})
                group["initial_lr"] = group["max_lr"] / div_factor
                group["min_lr"] = group["initial_lr"] / final_div_factor
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The learning rates of this step; the groups get its momentum."""
        self._warn_outside_step()
        if self.last_epoch > self.total_steps:
            raise ValueError(f"total_steps needs to be at least the number of steps, got {self.total_steps} and step "
                             f"{self.last_epoch}")
        for group in self.optimizer.param_groups:
            if self.cycle_momentum:
                give_momentum(group, self._value(group, "momentum"), self.use_beta1)
        return [self._value(group, "lr") for group in self.optimizer.param_groups]

    def _value(self, group: Mapping[str, Any], what: str) -> Any:
        return _between(self._schedule_phases, group, what, self.last_epoch, self._anneal_func_type)


def _count_steps(total_steps: Any, epochs: Any, steps_per_epoch: Any) -> int:
    if total_steps is None and (epochs is None or steps_per_epoch is None):
        raise ValueError("total_steps, or epochs and steps_per_epoch, need to be there, got "
                         f"{total_steps}, {epochs} and {steps_per_epoch}")
    given = ({"total_steps": total_steps} if total_steps is not None else
             {"epochs": epochs, "steps_per_epoch": steps_per_epoch})
    count = 1
    for name, value in given.items():
        if not isinstance(value, int) or value <= 0:
            raise ValueError(f"{name} needs to be a whole number above 0, got {value!r}")
        count *= value
    return count
