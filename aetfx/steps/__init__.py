"""The work of each step of a pipeline as one function from files to files, with TFX's names and layouts.

Terms: a *place* is a local folder or file, or one of a Beam file system (`gs://...`); a step reads the places that
earlier steps wrote and writes its own. It returns, for each place that it wrote, what a reader wants to know without
opening it (rows, features, score, hash). Nothing here knows of Kubeflow: `components/` wraps each function.
"""
