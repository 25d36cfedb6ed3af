"""One SPEC an op, in a file of the same stem as the reference that has the formula.

A file whose name begins with an underscore holds what several ops draw alike.
"""
