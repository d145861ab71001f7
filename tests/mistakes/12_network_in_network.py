# %% Exercise 1
one_by_one, dense_weights = 96 * 96, 96 * 54 * 54
# says: one_by_one: not yet. 9216 is too small.
# says: dense_weights: not yet. 279936 is too small.

# %% Exercise 2
both = A.T @ B
# says: both: not yet. The shape is (3, 2), and should be (2, 3).
