# %% Exercise 1
lenet_first = 28 - 5 + 4 + 1
lenet_second = 14 - 5 + 1
alexnet_first = (224 - 11 + 2 + 4) // 4  # 54.75 before the floor


# %% Exercise 2
def output_size(n, k, p, s):
    return (n - k + p + s) // s


# %% Exercise 3
# The top is kept as in the course's "same", the right as in the frameworks'.
padding = ((1, 0), (0, 1))

# %% Exercise 4
# ⌊(11 − 3) / 3⌋ + 1 = 3 windows cover 9 numbers.
never_looked_at = 11 - 9
