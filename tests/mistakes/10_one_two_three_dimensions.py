# %% Exercise 1
differences = [-1, 2, 1, -2]
# says: differences: not yet. The size is right, the sign is not.

# %% Exercise 2
downwards = np.eye(3)[::-1].reshape(3, 3, 1)
# says: downwards: not yet. 4 of 9 values are wrong: at [0, 0, 0] you have 0, which is too small.

# %% Exercise 3
parameters = sum(100 * 300 * width for width in (3, 4, 5)) + 300 * 2
# says: parameters: not yet. 360600 is too small.

# %% Exercise 4
enough = 3
# says: enough: not yet. 3 is too small.
