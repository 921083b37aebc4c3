"""Statistics that are merged: each accumulator sees whole batches as NumPy arrays and knows how to merge.

`base` states the algebra, one file holds one quantity, `columns` puts them together, `beam` wraps any of them
as a Beam `CombineFn`.
"""
