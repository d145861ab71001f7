# %% Exercise 1
y_shape = (4, 1)
u_grad_shape = (4,)
summed_for_u = 0
summed_for_v = ...
# says: y_shape: not yet. 1 of 2 values is wrong: at [1] you have 1, which is too small.
# says: u_grad_shape: not yet. The shape is (1,), and should be (2,).
# says: summed_for_u: not yet. 0 is too small.
# says: summed_for_v: not filled in yet.


# %% Exercise 2
def layer_gradients(X, W, b, G):
    return G @ W, X.T @ G, G.sum()


# says: X_grad: right.
# says: W_grad: not yet. The shape is (3, 2), and should be (2, 3).
# says: b_grad: not yet. This is a number, and should be an array of shape (2,).

# %% Exercise 3
forward_multiplications = 100 * 337
backward_multiplications = 100 * 304
# says: forward_multiplications: not yet. 33700 is too large.
# says: backward_multiplications: not yet. 30400 is too small.
