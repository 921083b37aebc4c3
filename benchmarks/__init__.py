"""One runnable command per benchmark.

A package of its own right, because one in another tool's environment may be called `benchmarks` too.
"""
