"""`step`: a page on which a person steps through a program, forward and backward.

`recording.py` finds the events of whatever is given, `steps.py` decides every step in plain data.
"""
