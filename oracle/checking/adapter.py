"""An implementation that someone hands in, as a target: called as torch's, on the arrays of its framework.

How an implementation is called:

* a **loss** as ``torch.nn.functional``'s. Arguments that torch has no default for are passed by position, others by
  keyword, those at torch's default not at all.
* an **optimizer** in one of two forms:

  * as ``torch.optim``'s class is made and stepped. In NumPy ``params`` is a list of :class:`reference.optim.Parameter`,
    or of groups of these. Each has ``data``, which ``step()`` changes in place, and ``grad``: an array, a
    :class:`reference.optim.SparseGrad` or None.
  * as a pair of functions ``init(params) -> state`` and ``update(grads, state, params) -> (updates, state)``. It is an
    object or a tuple that has these two, or a function of hyperparameters (by torch's names) that gives one.

  States may be made in the constructor, at the first step or at the first gradient, and need not be there at all.
* an **initializer** in one of two forms:

  * as ``torch.nn.init``'s: it fills the array that it is given and returns it; in JAX it gives a new one.
  * as JAX and Flax write it: ``init(key, shape, dtype)``, told by the names ``key`` or ``rng`` and ``shape`` of its
    first parameters; or a function of hyperparameters (by torch's names) that gives one. A shape is torch's:
    ``(out, in, *kernel)``.

  Before each case the framework's own random numbers start anew: ``np.random.seed`` was called, or
  ``torch.manual_seed``. A generator of torch's or NumPy's is one for all calls; a JAX key is another in each call.
* a **gradient** comes from the framework, or from ``backward(grad_output, <the arguments of the loss>)``. This returns
  one array for each array argument, in their order: a tuple, or the array alone where there is one. None stands for
  an argument without a gradient, such as a target of class indices.

What an implementation has no keyword for, or refuses with ``NotImplementedError``, is unsupported.
"""

from __future__ import annotations

from ..cases.case import Case
from ..cases.spec import InitSpec, LossSpec, OptimSpec, Spec
from ..targets.loading import Unsupported
from ..truth.evaluate import Outputs
from .call_initializer import run_initializer
from .call_loss import run_loss
from .call_optimizer import run_optimizer
from .implementation import Implementation
from .kit import make_kit

__all__ = ["User"]


class User:
    """A target that runs what was handed in.

    Args:
        threads: may it use several threads? Not in a process that is a fork of one in which the framework was loaded.
    """

    def __init__(self, implementation: Implementation, name: str = "user", told: str = "", *,
                 threads: bool = True) -> None:
        self.name, self.asked, self._threads = name, implementation, threads
        self.told = told  #: of its code, for a judge who does not load it
        self.kit = make_kit(implementation.framework, implementation.device, implementation.stream)

    def covers(self, spec: Spec) -> bool:
        """All ops: that the implementation is of the right one is for the caller to know."""
        return True

    def run(self, case: Case) -> Outputs:
        """Its outputs on a case."""
        if reason := self.asked.leaves_out(case):
            raise Unsupported(reason)
        threads = int(case.around.threads or 1)
        if threads > 1 and not self._threads:
            raise Unsupported("threads do not outlive a fork: give the implementation by its place, and do not load "
                              "its framework before")
        try:
            with self.kit.threads(threads):
                return self._call(case)
        except NotImplementedError as reason:
            raise Unsupported(f"NotImplementedError: {reason}") from None

    def _call(self, case: Case) -> Outputs:
        spec = case.spec
        if isinstance(spec, LossSpec):
            return run_loss(spec, case, self.asked, self.kit)
        if isinstance(spec, OptimSpec):
            return run_optimizer(spec, case, self.asked, self.kit)
        if isinstance(spec, InitSpec):
            return run_initializer(spec, case, self.asked, self.kit)
        raise Unsupported(f"no way to run a {type(spec).__name__}")

    def script(self, case: Case) -> str:
        """No script here: the report makes it, which knows what went wrong."""
        raise Unsupported("the report of oracle check has the script")
