"""The demo shop: a clothing and outdoor shop written for this project.

The folder itself is a shop folder (``products.csv``, ``variants.csv``, ``stores.csv`` and so on).
``python -m shopfloor.demo.generate`` makes every file that is not written by hand; see README.md.
"""
