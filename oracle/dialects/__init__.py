"""Known other rules: how frameworks, papers and ports differ from the reference, one record for each.

In comes an op's SPEC, out comes the SPEC of its dialect, so that everything that can be asked of a reference can be
asked of a dialect: its values, its truth (:mod:`.truths`), its bound. All of them are in :mod:`.table`.
"""
