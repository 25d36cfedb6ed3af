"""Views of records: tables, pages, lists and comparisons.

In come records of a run, out come text, Markdown, JUnit XML and HTML. Nothing here judges.
"""
