"""Models beside the kernel: floats, NumPy and SciPy; nothing that decides about money imports them.

`import margin_core` does not load this package. What a model says reaches a market as whole parts
per million in a command (`margin_core.models.profile`), never as a float.
"""
