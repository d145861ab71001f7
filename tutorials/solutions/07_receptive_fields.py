# %% Exercise 1
# The jump doubles with each pooling: a round adds 2·j, and then 1·j.
one_round = 1 + 2 + 1
two_rounds = one_round + 2 * (2 + 1)
three_rounds = two_rounds + 4 * (2 + 1)

# %% Exercise 2
# 1 + 2n ≥ 224
layers_needed = 112


# %% Exercise 3
# A dilated kernel reaches as far as one of (k − 1)·d + 1 numbers.
def size_with_dilation(layers):
    size, jump = 1, 1
    for kernel, stride, dilation in layers:
        size += (kernel - 1) * dilation * jump
        jump *= stride
    return size
