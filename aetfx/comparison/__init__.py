"""Whether one configuration is better than another, by how much, and how surely."""
