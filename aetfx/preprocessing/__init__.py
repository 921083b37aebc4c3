"""Bringing rows into a form that a network can take, and its reconstruction back into the data's own units."""
