# %% Exercise 1
shared_weights = 5 * 5
local_weights = 28 * 28 * 5 * 5
dense_weights = 28**4
# says: shared_weights: not yet. 25 is too small.
# says: local_weights: not yet. 19600 is too small.
# says: dense_weights: not yet. 614656 is too small.

# %% Exercise 2
strided_matrix = [[2, 0, 0], [5, 0, 0], [0, 2, 0], [0, 5, 0], [0, 0, 2], [0, 0, 5]]
# says: strided_matrix: not yet. The shape is (6, 3), and should be (3, 6).

# %% Exercise 3
a_grad, b_grad = 10, 9
# says: a_grad: not yet. 10 is too large.
# says: b_grad: right.
