"""Many cases on many targets.

In come cases and the names of targets. Out come records, in the order of the cases whoever works on them
(:mod:`.run`, :mod:`.workers`, :mod:`.executors`), their files (:mod:`.records`, :mod:`.record_file`), and what they
say in words (:mod:`.words`). Verdicts that follow from nothing new are taken from earlier runs
(:mod:`.kept_verdicts`).
"""
