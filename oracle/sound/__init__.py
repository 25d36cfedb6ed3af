"""Somebody's own arrays, judged: an answer and the inputs that it was computed from come in, of any framework and size.

What goes out is a verdict (:mod:`.judging`), truth and bound as arrays, or the tolerance that they amount to
(:mod:`.bounds`). No implementation is run here; that is for :mod:`oracle.checking`.
"""
