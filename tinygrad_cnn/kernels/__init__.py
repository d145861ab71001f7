"""Convolution, pooling and matrix products on plain arrays, and the threads and memory they use.

Arrays have the axes (N, C, then d spatial axes), stride and dilation are tuples of d ints, padding
is a tuple of d (before, after) pairs, and the ops that call these functions check the arguments.
"""
