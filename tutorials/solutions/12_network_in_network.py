# %% Exercise 1
one_by_one, dense_weights = 96 * 96 + 96, (96 * 54 * 54) ** 2

# %% Exercise 2
both = B @ A
