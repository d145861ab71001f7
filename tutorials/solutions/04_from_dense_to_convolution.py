# %% Exercise 1
shared_weights = 6 * 5 * 5
local_weights = 6 * 28 * 28 * 5 * 5
dense_weights = (28 * 28) * (6 * 28 * 28)

# %% Exercise 2
# Each row is the one above, moved by two places.
strided_matrix = [[2, 5, 0, 0, 0, 0], [0, 0, 2, 5, 0, 0], [0, 0, 0, 0, 2, 5]]

# %% Exercise 3
# There are three outputs. a meets all numbers but the last, b all but the first.
a_grad = 1 + 2 + 3
b_grad = 2 + 3 + 4
