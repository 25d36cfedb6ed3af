"""Somebody's own code: is it right, and if not, what does it do instead?

In comes a callable or the place of one. Its way through the room:

* :mod:`.implementation` holds what was handed in, and :mod:`.signature` what can be told of it without a call;
* it is called as torch's (:mod:`.adapter`), with the arrays of its framework (:mod:`.kit`), in a process of its own
  (:mod:`.isolation`);
* :mod:`.choice` says which cases it is asked, :mod:`.checker` judges its answers, and :mod:`.facts` and
  :mod:`.defaults` look for defaults that are not torch's.

Out comes a report (:mod:`.check`, :mod:`.checked`), or one pytest test for each case (:mod:`.conformance`).
"""
