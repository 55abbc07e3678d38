"""The gate in continuous integration: are accuracy and speed what they were?

``baseline`` says which numbers are compared and keeps the accepted ones, ``accuracy`` compares a run with them;
``kernels`` runs benchmarks and ``speed`` compares them; ``summary`` puts what is found (``findings``) into words.
The step is `workflows.regression`.
"""
