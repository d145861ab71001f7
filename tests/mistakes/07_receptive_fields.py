# %% Exercise 1
one_round, two_rounds, three_rounds = 4, 7, 10
# says: one_round: right.
# says: two_rounds: not yet. 7 is too small.
# says: three_rounds: not yet. 10 is too small.

# %% Exercise 2
layers_needed = 111
# says: layers_needed: not yet. 111 is too small.


# %% Exercise 3
def size_with_dilation(layers):
    size, jump = 1, 1
    for kernel, stride, dilation in layers:
        jump *= stride
        size += (kernel - 1) * dilation * jump
    return size


# says: size_with_dilation: not yet. size_with_dilation([(3, 2, 1), (2, 1, 3)]) gives 11, and should
