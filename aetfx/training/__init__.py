"""Training: recipes, one trial at a time, where trials are kept, what TensorBoard shows of them."""
