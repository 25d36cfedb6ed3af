"""Proof of the checker: which wrong variants of the references do the shipped cases find?

In come ops, and modules that ops share. Their formulas (:mod:`.formula`) are changed at one place after the other
(:mod:`.mutation`, :mod:`.shared_code`). Each change is tried as a target (:mod:`.planting`) on the cases that may tell
it from the original (:mod:`.bench`, :mod:`.callers`). Out comes what no case told (:mod:`.survivors`,
:mod:`.variants`), but for what cannot be told (:mod:`.equivalents`).

And are right implementations let alone? Right variants (:mod:`.rewriting`, whose operations are :mod:`.ways`, and
:mod:`.factors`) are tried on the same cases, none of which may accuse one (:mod:`.innocence`).
"""
