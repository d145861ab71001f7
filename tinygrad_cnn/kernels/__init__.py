"""The hot loops of convolution and pooling, on plain arrays (N, C, then d spatial axes).

Stride and dilation are tuples of d ints, padding is a tuple of d (before, after) pairs. Arguments
are taken to be valid: the ops that call these functions check them.
"""
