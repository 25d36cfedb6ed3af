"""What is kept on disk between runs, and how it is found again.

In come bytes and all that they follow from: source (:mod:`.sources`), versions, a question. Out come the same bytes
as long as none of that has changed (:mod:`.store`). What the bytes mean is for the rooms above to know.
"""
