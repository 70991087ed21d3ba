"""One file a suite; :mod:`shopfloor.evaluation` says how one is added."""
