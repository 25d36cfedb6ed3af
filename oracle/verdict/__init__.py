"""What is said of an answer.

In come outputs, truths and dialects. Out come findings (:mod:`.compare`) and records (:mod:`.record`), the waivers that
accept some (:mod:`.waivers`), whether drawn numbers have the distribution that is claimed (:mod:`.distribution`), and
the diagnosis of what fails (:mod:`.diagnosis`). Nothing here runs an implementation.
"""
