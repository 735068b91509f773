"""The tests are a package: ``from tests.peer import ...``, wherever it stands.

A package among the pins (Ciw's) installs a folder of that name too; this one is first.
"""
