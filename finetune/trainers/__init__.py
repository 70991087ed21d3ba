"""The trainers and their environments: our own, trl, MLX and unsloth behind one interface (``running.py``)."""
