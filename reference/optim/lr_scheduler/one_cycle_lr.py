"""One cycle over the whole training: up to a large learning rate, and down to almost none."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from .._checks import check_numbers
from .._optimizer import Optimizer
from ._momentum import give_momentum, uses_beta1
from ._numbers import cos_pi, number
from ._scheduler import LRScheduler, needs_optimizer, one_a_group

__all__ = ["OneCycleLR", "one_cycle_lr", "one_cycle_momentum"]


def one_cycle_lr(epoch: float, max_lr: Any, total_steps: int, pct_start: float = 0.3, anneal_strategy: str = "cos",
                 div_factor: Any = 25.0, final_div_factor: Any = 1e4, three_phase: bool = False) -> Any:
    """The learning rate at a step."""
    values = {"initial_lr": max_lr / div_factor, "max_lr": max_lr, "min_lr": max_lr / div_factor / final_div_factor}
    phases, exact = (_phases(total_steps, p, three_phase) for p in (pct_start, number(pct_start, max_lr)))
    return _annealed("lr", epoch, values, anneal_strategy, phases, exact)


def one_cycle_momentum(epoch: float, base_momentum: Any, max_momentum: Any, total_steps: int, pct_start: float = 0.3,
                       anneal_strategy: str = "cos", three_phase: bool = False) -> Any:
    """The momentum at a step: it falls where the learning rate rises."""
    values = {"max_momentum": max_momentum, "base_momentum": base_momentum}
    phases, exact = (_phases(total_steps, p, three_phase) for p in (pct_start, number(pct_start, max_momentum)))
    return _annealed("momentum", epoch, values, anneal_strategy, phases, exact)


def _phases(total_steps: int, pct_start: Any, three_phase: bool) -> list[dict[str, Any]]:
    """The phases as ``state_dict`` has them: the last step of each, and what it goes between."""
    points = [(0, "initial_lr", "max_momentum"), (pct_start * total_steps - 1, "max_lr", "base_momentum"),
              (total_steps - 1, "min_lr", "max_momentum")]
    if three_phase:
        points.insert(2, (2 * pct_start * total_steps - 2, "initial_lr", "max_momentum"))
    return [{"end_step": end, "start_lr": lr, "end_lr": end_lr, "start_momentum": mu, "end_momentum": end_mu}
            for (_, lr, mu), (end, end_lr, end_mu) in pairwise(points)]


def _annealed(what: str, epoch: float, values: Any, anneal_strategy: str, phases: list[Any], exact: list[Any]) -> Any:
    """The "lr" or "momentum" at a step. ``exact`` are the phases in the arithmetic of ``values``."""
    steps, exact_steps = ([0, *(phase["end_step"] for phase in each)] for each in (phases, exact))
    i = next((i for i, end in enumerate(steps[1:-1]) if epoch <= min(end, steps[-1])), len(phases) - 1)
    y, z = values[phases[i][f"start_{what}"]], values[phases[i][f"end_{what}"]]
    if steps[i + 1] <= steps[i]:  # a phase of no length
        return z
    a, b = (number(step, y) for step in exact_steps[i:i + 2])
    s = (number(min(epoch, steps[-1]), y) - a) / (b - a)
    return y + (z - y) * s if anneal_strategy == "linear" else z + (y - z) * (1 + cos_pi(s, 1, y)) / 2


class OneCycleLR(LRScheduler):
    r"""Up to a large learning rate, and down to one far below the first; momentum goes the other way.

    With :math:`N` = ``total_steps``, :math:`p` = ``pct_start``, :math:`\eta_{init} = \eta_{\max}` / ``div_factor`` and
    :math:`\eta_{\min} = \eta_{init}` / ``final_div_factor``, there are

    - two phases: :math:`\eta_{init}, \eta_{\max}, \eta_{\min}` and :math:`\mu_{\max}, \mu_{base}, \mu_{\max}` at the
      steps :math:`0, pN-1, N-1`;
    - or three: :math:`\eta_{init}, \eta_{\max}, \eta_{init}, \eta_{\min}` and
      :math:`\mu_{\max}, \mu_{base}, \mu_{\max}, \mu_{\max}` at :math:`0, pN-1, 2(pN-1), N-1`.

    In a phase from :math:`y` at step :math:`a` to :math:`z` at step :math:`b`, with :math:`s = (t-a)/(b-a)`,

    .. math:: x_t = z + (y-z) \frac{1 + \cos(\pi s)}{2} \ \text{("cos")}, \qquad x_t = y + (z-y) s \ \text{("linear")}.

    Args:
        optimizer: an optimizer, whose ``"lr"`` and ``"momentum"`` or ``"betas"`` change.
        max_lr: the largest learning rate, or a list with one for each group.
        total_steps: steps in all; by default ``epochs * steps_per_epoch``, which are not read where it is given.
        epochs, steps_per_epoch: passes over the data, and steps of each.
        pct_start: the share of the steps that rises: a float in [0, 1], no percentage.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: change the momentum, or the first beta, too.
        base_momentum, max_momentum: its lower and upper end, or lists.
        div_factor, final_div_factor: the quotients of the largest and the first, the first and the last learning rate.
        three_phase: fall as long as it rose, then on to the end, as the paper does.
        last_epoch: the last step that is over (see :class:`LRScheduler`).

    Raises:
        ValueError: no ``total_steps`` and not both of the next two, or one is no int above 0; ``pct_start`` is no float
            in [0, 1]; an unknown ``anneal_strategy``; a factor of 0; a list has another length than there are groups;
            an optimizer without momentum; ``step()`` is called more than ``total_steps`` times.
        TypeError, KeyError: as :class:`LRScheduler`; a KeyError also for a group that was added later.

    >>> [one_cycle_lr(t, 1.0, 5, 0.6, "linear", div_factor=4.0, final_div_factor=2.0) for t in range(5)]
    [0.25, 0.625, 1.0, 0.5625, 0.125]
    >>> from reference.optim import SGD, Parameter
    >>> OneCycleLR(SGD([Parameter([1.0])], momentum=0.5), 1.0, 5, anneal_strategy="linear").get_last_lr()
    [0.04]

    Source: Smith & Topin, Super-convergence (2018), section 3; the momentum: Smith, A disciplined approach to neural
    network hyper-parameters, part 1 (2018), section 4. Both are linear; two phases and cosines: documentation of torch.

    Conventions:

    - Where pN < 1 the top lies before step 0, which is already on the way down; where 2 (pN - 1) > N - 1, step N - 1 is
      still in the second of three phases. So in torch.
    - A phase of no length has its end at once: where pN is 1, step 0 has ``max_lr``. torch divides by 0.
    - Step N is allowed, and has the end of the last phase. torch goes on by the formula: "linear" falls below 0.
    - Roundings are those of the larger learning rate: with ``max_lr=0.4``, "cos" starts at 0.016000000000000014.
    - ``"initial_lr"`` of the groups is overwritten. Resumed by ``last_epoch``, all ends are those in the groups.
    """

    def __init__(self, optimizer: Optimizer, max_lr: Any, total_steps: int | None = None, epochs: int | None = None,
                 steps_per_epoch: int | None = None, pct_start: float = 0.3, anneal_strategy: str = "cos",
                 cycle_momentum: bool = True, base_momentum: Any = 0.85, max_momentum: Any = 0.95,
                 div_factor: float = 25.0, final_div_factor: float = 1e4, three_phase: bool = False,
                 last_epoch: int = -1) -> None:
        max_lrs = one_a_group("max_lr", needs_optimizer(optimizer), max_lr)
        counts: dict[str, Any] = {"total_steps": total_steps} if total_steps is not None else {
            "epochs": epochs, "steps_per_epoch": steps_per_epoch}
        if None in counts.values():
            raise ValueError("total_steps, or epochs and steps_per_epoch, need to be given, got "
                             f"{total_steps}, {epochs} and {steps_per_epoch}")
        for name, count in counts.items():
            if not isinstance(count, int) or count <= 0:
                raise ValueError(f"{name} needs to be an int above 0, got {count!r}")
        self.total_steps = math.prod(counts.values())
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"pct_start needs to be a float in [0, 1], got {pct_start!r}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy needs to be 'cos' or 'linear', got {anneal_strategy!r}")
        check_numbers(div_factor=div_factor, final_div_factor=final_div_factor)
        if 0 in (div_factor, final_div_factor):
            raise ValueError(f"div_factor, final_div_factor must not be 0, got {div_factor}, {final_div_factor}")
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        self._anneal_func_type = anneal_strategy
        self.cycle_momentum = cycle_momentum
        ends = {"initial_lr": [lr / div_factor for lr in max_lrs], "max_lr": max_lrs,
                "min_lr": [lr / div_factor / final_div_factor for lr in max_lrs]}
        if cycle_momentum:
            self.use_beta1 = uses_beta1(optimizer)
            ends["max_momentum"] = one_a_group("max_momentum", optimizer, max_momentum)
            ends["base_momentum"] = one_a_group("base_momentum", optimizer, base_momentum)
        if last_epoch == -1:
            for i, group in enumerate(optimizer.param_groups):
                group.update({name: values[i] for name, values in ends.items()})
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The learning rates of this step; the groups get its momentum."""
        self._warn_outside_step()
        if self.last_epoch > self.total_steps:
            raise ValueError(f"step() needs to stay within total_steps, got {self.last_epoch} of {self.total_steps}")
        lrs = []
        for i, group in enumerate(self.optimizer.param_groups):
            if "max_lr" not in group:
                raise KeyError(f"OneCycleLR needs 'max_lr' in every group, got none in param_groups[{i}]: load the "
                               "optimizer's state first, and add groups before the scheduler is made")
            lrs.append(self._value(group, "lr"))
            if self.cycle_momentum:
                give_momentum(group, self._value(group, "momentum"), self.use_beta1)
        return lrs

    def _value(self, group: Any, what: str) -> Any:
        phases = self._schedule_phases
        return _annealed(what, self.last_epoch, group, self._anneal_func_type, phases, phases)
