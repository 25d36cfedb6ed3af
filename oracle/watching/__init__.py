"""A live optimizer: is each step that is looked at right, from the state before it?

In comes an optimizer that is in use. :mod:`.slots` says what it holds, :mod:`.sampling` which elements are looked at,
:mod:`.tensors` and :mod:`.arrays` bring these over, :mod:`.judge` judges them by the bound of one step, and
:mod:`.causes` says what a wrong step does instead. Out come records, and an object that says what was wrong first
(:mod:`.watched`); :mod:`.watch` is what users call.
"""
