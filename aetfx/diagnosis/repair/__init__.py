"""The repair in the user's hands: as a diff, as a model to train, and as a script that needs no aetfx."""
