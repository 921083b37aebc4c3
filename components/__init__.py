"""Typed Kubeflow Pipelines components with TFX's names: one thin file each, which calls one function of `aetfx.steps`.

Lightweight Python components: Kubeflow carries the few lines of each, and the image brings everything else.
"""
