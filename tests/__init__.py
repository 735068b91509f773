"""Makes ``tests`` ours: a package among the pins installs a folder of that name too.

Without this file that one (Ciw's) is found first, and it has no ``fidelity``.
"""
