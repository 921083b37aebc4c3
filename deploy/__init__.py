"""What it takes to run aetfx elsewhere: an image, Dataflow, Kubeflow, Kubernetes. A page in `docs/` for each."""
