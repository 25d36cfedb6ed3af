"""What is asked: the SPEC of every op, and the cases that are made from it.

In comes an op's SPEC (:mod:`.ops`, one file an op, of the same stem as the one with the formula in ``reference``):
its axes, draws and refusals (:mod:`.spec`). Out come cases (:mod:`.case`): fully determined inputs that an id alone
rebuilds. :mod:`.registry` finds the SPECs. :mod:`.covering` chooses the combinations of axis values that have a case,
:mod:`.selection` the cases of a run, and :mod:`.sweeps` makes cases of every number of a half type.
"""
