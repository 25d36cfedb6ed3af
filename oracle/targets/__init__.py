"""Who is asked: one file a framework, its scripts beside it.

In comes a case, out come the outputs of one variant of a framework, or why it has none. A framework is imported when
one of its targets is asked for (:mod:`.loading`), and not before.
"""
