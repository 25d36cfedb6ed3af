"""What is said of an answer.

In come outputs, truths and dialects. Nothing here runs an implementation. Out come:

* findings (:mod:`.compare`) and records (:mod:`.record`), and the waivers that accept some (:mod:`.waivers`);
* whether drawn numbers have the distribution that is claimed (:mod:`.distribution`);
* the diagnosis of what fails (:mod:`.diagnosis`): the dialects that explain it (:mod:`.matching`), or else what it
  depends on (:mod:`.conditions`).
"""
