"""Cases, truths and bounds as files, for implementations that no Python can call.

In come ops; out comes a folder (:mod:`.writing`) that :mod:`.layout` describes. Results in such files come back, and
records go out (:mod:`.reading`).
"""
