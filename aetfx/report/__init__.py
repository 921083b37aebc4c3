"""What a person sees of a diagnosis: the terminal summary, the HTML report and the notebook view.

Everything is drawn from the files of a run directory, so that `aetfx report RUN` needs no TensorFlow.
"""
