"""The `aetfx` dashboard inside TensorBoard: what is written for it, what serves it, and what the browser draws.

`writing` turns a run directory into one event file of tensors. `plugin` is what TensorBoard loads at its start and
imports next to nothing; `backend` answers the browser from TensorBoard's data provider, without TensorFlow.
"""
