"""The audit: a paper's printed numbers worked out anew from each other, from layer formulas and from what it states.

No run takes part in it. Every finding is computed from the cells of ``reports/papers/<paper>.csv`` and the few numbers
of ``known/``: what the text states of data and training, and closed facts with their source.
"""
