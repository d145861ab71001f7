# %% Exercise 1
# u was repeated along y's axis 1, v along axis 0.
y_shape = (4, 3)
u_grad_shape = (4, 1)
summed_for_u = 1
summed_for_v = 0


# %% Exercise 2
# Only one order of factors gives each shape; b was repeated for the four rows.
def layer_gradients(X, W, b, G):
    X_grad = G @ W
    W_grad = G.T @ X
    b_grad = G.sum(axis=0)
    return X_grad, W_grad, b_grad


# %% Exercise 3
forward_multiplications = 100 * (2 * 16 + 16 * 16 + 16 * 1)
backward_multiplications = 2 * forward_multiplications
