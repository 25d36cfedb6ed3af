"""What is right: the exact value of each output of a case, and how far a sound evaluation may be from it.

In comes a case. The reference is run (:mod:`.evaluate`) on arrays of balls (:mod:`.ball`). A ball is flint's
(:mod:`.single`); what an operation costs in a storage type (:mod:`.arithmetic`, :mod:`.charges`, :mod:`.orders`,
:mod:`.rounding`) makes it wider. Out come truth and bound (:mod:`.proof`), kept in memory and on disk
(:mod:`.kept_truths`). Of an initializer the truth of its numbers is also a distribution: what it claims
(:mod:`.claims`), as a law on a scale of its own (:mod:`.laws`).
"""
