"""Speed and memory, measured side by side in one run: ``shopfloor bench``.

``report`` holds the shape, ``service`` measures a served process from outside, ``turn`` measures turns inside one.
Each part is a function that returns rows; nothing here asserts a speed.
"""
