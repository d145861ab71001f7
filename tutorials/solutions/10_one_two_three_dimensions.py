# %% Exercise 1
differences = [1, -2, -1, 2]

# %% Exercise 2
downwards = np.eye(3).reshape(3, 3, 1)

# %% Exercise 3
parameters = sum(100 * 300 * width + 100 for width in (3, 4, 5)) + 300 * 2 + 2

# %% Exercise 4
enough = 7  # a corner must see 8 points further, 2·8 + 1 = 17 = 5 + 2·6
