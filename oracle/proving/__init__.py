"""Proof of the checker: which wrong variants of the references do the shipped cases find?

In come ops, and modules that ops share. Their source is changed at one place after the other (:mod:`.mutation`,
:mod:`.shared_code`); out comes what no case told from the original (:mod:`.survivors`), but for what cannot be told
(:mod:`.equivalents`).
"""
