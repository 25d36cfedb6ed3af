"""Somebody's own code: is it right, and if not, what does it do instead?

In comes a callable or the place of one. It is called as torch's, with the arrays of its framework (:mod:`.adapter`), in
a process of its own (:mod:`.isolation`). Out comes a report (:mod:`.check`), or one pytest test for each case
(:mod:`.conformance`).
"""
