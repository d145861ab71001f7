# %% Exercise 1
lenet_first, lenet_second, alexnet_first = 28, ..., 54.75
# says: lenet_first: right.
# says: lenet_second: not filled in yet.
# says: alexnet_first: not yet. 54.75 is too large.


# %% Exercise 2
def output_size(n, k, p, s):
    return (n - k + p) // (s - 1) + 1


# says: output_size: not yet. output_size(1, 1, 0, 1) raised ZeroDivisionError

# %% Exercise 3
padding = 1
# says: padding: not yet. The shape is (1, 1, 4, 4), and should be (1, 1, 3, 3).

# %% Exercise 4
never_looked_at = 0
# says: never_looked_at: not yet. 0 is too small.
