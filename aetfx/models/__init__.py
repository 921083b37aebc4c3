"""Reference autoencoders; loading, reading and rewriting Keras architectures."""
