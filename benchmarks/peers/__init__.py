"""The tools that `benchmarks.field` compares, each as its own documentation recommends to use it."""
