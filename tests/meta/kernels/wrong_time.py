"""Optimizers that hold on to what was true at an earlier step."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch

from .kernel import TIME, Kernel, wrong_in
from .loops import (
    NumpyAdagrad,
    NumpyAdam,
    NumpyRMSprop,
    NumpySGD,
    TorchAdagrad,
    TorchAdam,
    TorchRMSprop,
    TorchSGD,
)

__all__ = ["WRONG"]

WRONG: list[Kernel] = []
wrong = wrong_in(WRONG, TIME)


LOADED = "load_state_dict|saved and loaded"  #: what a diagnosis says of a state that goes somewhere else

#: An option that changes, as a number or in an array.
CHANGES = "event=(option|array):"


class _Snapshot:
    """Some options are read when a group is added."""

    read_once: tuple[str, ...] = ()

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Add a group, and read its options."""
        super().add_param_group(group)  # type: ignore[misc]  # of a loop
        added = self.param_groups[-1]  # type: ignore[attr-defined]
        added["seen"] = {name: added[name] for name in self.read_once}

    def options(self, group: dict[str, Any]) -> SimpleNamespace:
        """The options of a group, some of them as they were."""
        return SimpleNamespace(**{**vars(super().options(group)), **group["seen"]})  # type: ignore[misc]


class _FirstGroup:
    """Some options are those of the first group."""

    shared: tuple[str, ...] = ()

    def options(self, group: dict[str, Any]) -> SimpleNamespace:
        """The options of a group, some of them those of the first."""
        o = super().options(group)  # type: ignore[misc]
        first = self.param_groups[0]  # type: ignore[attr-defined]
        return SimpleNamespace(**{**vars(o), **{name: first[name] for name in self.shared}})


@wrong("SGD", "torch", CHANGES + "lr", "lr changes")
class LrReadOnce(_Snapshot, TorchSGD):
    """The learning rate is read in the constructor."""

    read_once = ("lr",)


@wrong("SGD", "numpy", CHANGES + "momentum", "momentum changes")
class MomentumReadOnce(_Snapshot, NumpySGD):
    """Momentum is read in the constructor."""

    read_once = ("momentum",)


@wrong("Adam", "numpy", CHANGES + "beta", "beta[12s]* change")
class BetasReadOnce(_Snapshot, NumpyAdam):
    """Both betas are read in the constructor."""

    read_once = ("betas",)


@wrong("Adam", "torch", CHANGES + "eps", "eps changes")
class EpsReadOnce(_Snapshot, TorchAdam):
    """eps is read in the constructor."""

    read_once = ("eps",)


@wrong("RMSprop", "numpy", CHANGES + "weight_decay", "weight_decay changes")
class DecayReadOnce(_Snapshot, NumpyRMSprop):
    """Decay is read in the constructor."""

    read_once = ("weight_decay",)


@wrong("Adagrad", "torch", CHANGES + "maximize", "maximize changes")
class SignReadOnce(_Snapshot, TorchAdagrad):
    """The sign is read in the constructor."""

    read_once = ("maximize",)


@wrong("Adam", "numpy", "event=group:beta", "group")
class BetasOfFirstGroup(_FirstGroup, NumpyAdam):
    """The betas are those of the first group."""

    shared = ("betas",)


@wrong("Adam", "torch", "event=group:eps", "group")
class EpsOfFirstGroup(_FirstGroup, TorchAdam):
    """eps is that of the first group."""

    shared = ("eps",)


@wrong("SGD", "torch", "event=group:momentum", "group")
class MomentumOfFirstGroup(_FirstGroup, TorchSGD):
    """Momentum is that of the first group."""

    shared = ("momentum",)


@wrong("RMSprop", "numpy", "event=group:alpha", "group")
class AlphaOfFirstGroup(_FirstGroup, NumpyRMSprop):
    """alpha is that of the first group."""

    shared = ("alpha",)


@wrong("SGD", "numpy", "event=group:maximize", "group")
class SignOfFirstGroup(_FirstGroup, NumpySGD):
    """The sign is that of the first group."""

    shared = ("maximize",)


@wrong("Adam", "torch", CHANGES, "changes")
class OptionsByStep(TorchAdam):
    """From the second step of a parameter on all its options are those of its first."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        super().update(p, g, state, SimpleNamespace(**state.setdefault("options", dict(vars(o)))))


@wrong("Adam", "torch", "event=", LOADED)
class CountNotSaved(TorchAdam):
    """Steps are counted outside of the state, and a new optimizer starts at 1."""

    def count(self, state: dict[str, Any]) -> int:
        counts = self.__dict__.setdefault("counts", {})
        key = next(p for p, kept in self.state.items() if kept is state)
        counts[key] = counts.get(key, 0) + 1
        return int(counts[key])


@wrong("RMSprop", "torch", "event=", LOADED)
class StateNotSaved(TorchRMSprop):
    """The ``state_dict`` has groups alone."""

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "state": {}}


@wrong("Adagrad", "numpy", "event=", LOADED)
class StateNotLoaded(NumpyAdagrad):
    """``load_state_dict`` takes groups alone."""

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        super().load_state_dict({**saved, "state": {}})


@wrong("SGD", "numpy", "event=", LOADED)
class LoadedByName(NumpySGD):
    """What is loaded is kept under the place of a parameter, where nobody looks."""

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        super().load_state_dict(saved)
        self.state = defaultdict(dict, copy.deepcopy(saved["state"]))


@wrong("SGD", "torch", "event=copy", "deepcopy")
class StateNotCopied(TorchSGD):
    """A copy has no state."""

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "state": defaultdict(dict)}


@wrong("Adam", "numpy", "event=(copy|load|file|shared)", f"{LOADED}|deepcopy")
class StateById(NumpyAdam):
    """States are kept by the address of their parameter, and go nowhere else."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        super().update(p, g, self.__dict__.setdefault("known", {}).setdefault(id(p), {}), o)


@wrong("SGD", "torch", "event=moved", "replaced")
class DataKept(TorchSGD):
    """The memory of each parameter is looked up once."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        state["step"] = o.t = self.count(state)
        o.new = self.start(p, g, state, o)
        at = self.__dict__.setdefault("at", {})
        # A deep copy has parameters of its own, which have no entry yet.
        theta = at.setdefault(p, p.data)
        self.run(theta, g, {name: state[name] for name in self.kept(o)}, o)


@wrong("RMSprop", "numpy", "event=moved", "replaced")
class ArrayKept(NumpyRMSprop):
    """The array of each parameter is looked up once."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        at = self.__dict__.setdefault("at", {})
        super().update(SimpleNamespace(data=at.setdefault(p, p.data)), g, state, o)


@wrong("SGD", "torch", "event=joins", "added later")
class GroupsListedOnce(TorchSGD):
    """Groups are listed at the first step."""

    def groups(self) -> Sequence[dict[str, Any]]:
        if "listed" not in self.__dict__:
            self.listed = len(self.param_groups)
        return self.param_groups[:self.listed]


@wrong("Adam", "numpy", "event=joins", "added later")
class JoinsWithDefaults(NumpyAdam):
    """A group that is added after a step has the constructor's options alone."""

    def add_param_group(self, group: dict[str, Any]) -> None:
        later = bool(self.state)
        super().add_param_group({"params": group["params"]} if later else group)


@wrong("Adam", "torch", "event=(joins|younger)", "added later")
class OneCountForAll(TorchAdam):
    """Steps are counted by the optimizer: a parameter that comes later has the count of the others."""

    def count(self, state: dict[str, Any]) -> int:
        return max([super().count(state), *(kept.get("step", 0) for kept in self.state.values())])


@wrong("SGD", "torch", "event=zeros", "zero_grad")
class ZeroGradDrops(TorchSGD):
    """``zero_grad`` drops gradients, also where they are to be zeros."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        super().zero_grad(True)


@wrong("SGD", "numpy", "event=none", "zero_grad")
class ZeroGradFills(NumpySGD):
    """``zero_grad`` fills gradients with zeros, also where they are to go."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        super().zero_grad(False)


@wrong("Adam", "numpy", "event=", "zero_grad")
class ZeroGradDoesNothing(NumpyAdam):
    """``zero_grad`` does nothing."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        pass


@wrong("SGD", "numpy", "event=(again|zeros)", "without new gradients")
class GradientsUsedUp(NumpySGD):
    """A gradient that was used at the step before is not used again."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        used = self.__dict__.setdefault("used", {})
        if used.get(p) is not g:
            super().update(p, g, state, o)
            used[p] = g


@wrong("SGD", "torch", "event=again", "without new gradients")
class StepsByVersion(TorchSGD):
    """A step is made where a gradient is another object, or was written to, since the last."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        used = self.__dict__.setdefault("used", {})
        if p not in used or used[p][0] is not g or used[p][1] != g._version:
            super().update(p, g, state, o)
            used[p] = g, g._version


@wrong("Adam", "torch", "event=closure", "closure")
class ClosureIgnored(TorchAdam):
    """The closure is not evaluated: gradients are taken to be there."""

    def evaluate(self, closure: Any) -> Any:
        return None


@wrong("SGD", "numpy", "event=closure", "closure")
class ClosureTwice(NumpySGD):
    """The closure is evaluated once for gradients, and once for the loss."""

    def evaluate(self, closure: Any) -> Any:
        super().evaluate(closure)
        return super().evaluate(closure)


@wrong("RMSprop", "torch", "event=closure", "closure")
class ClosureWithoutGradients(TorchRMSprop):
    """The closure is evaluated with gradients off."""

    def evaluate(self, closure: Any) -> Any:
        return None if closure is None else closure()


@wrong("Adagrad", "numpy", "event=closure", "closure")
class LossKept(NumpyAdagrad):
    """The loss of the closure is not returned."""

    def evaluate(self, closure: Any) -> Any:
        super().evaluate(closure)


@wrong("RMSprop", "numpy", "event=(load|shared)", f"{LOADED}|state_dict")
class LoadedStateShared(NumpyRMSprop):
    """What is loaded is not copied: two optimizers go on with the same arrays."""

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        members = self.members_of_all()
        self.state = defaultdict(dict, {members[i]: state for i, state in saved["state"].items()})
        self.param_groups = [{**new, "params": old["params"]}
                             for old, new in zip(self.param_groups, saved["param_groups"], strict=True)]


@wrong("SGD", "torch", "event=array:lr", "array")
class LrArrayAsNumber(TorchSGD):
    """A learning rate in a tensor becomes a number in the constructor."""

    def add_param_group(self, group: dict[str, Any]) -> None:
        super().add_param_group(group)
        self.param_groups[-1]["lr"] = float(self.param_groups[-1]["lr"])


@wrong("Adam", "torch", "event=array:lr", "array")
class LrArrayCorrected(TorchAdam):
    """A learning rate in a tensor is corrected in place."""

    def update(self, p: Any, g: Any, state: dict[str, Any], o: SimpleNamespace) -> None:
        if isinstance(o.lr, torch.Tensor):
            before = float(o.lr)
            o.lr.mul_(0.5)
            super().update(p, g, state, SimpleNamespace(**{**vars(o), "lr": before}))
        else:
            super().update(p, g, state, o)
