"""Kernels: implementations that are right on a dozen contiguous elements, and wrong in what surrounds a formula.

``wrong_*.py`` have planted mistakes of size, layout, time and ownership; ``right_*.py`` have the same tricks done
well. :mod:`.kernel` is the record of one, and the judge; :mod:`.rules` and the loops are what they are made of.
"""
