"""The base programs, one file each. To add one, copy a file of this folder and write its split into `splits.py`."""
