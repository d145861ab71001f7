import numpy as np

# %% Exercise 1
edges_out_of_w, gradient_at_w = 2, 6
# says: edges_out_of_w: not yet. 2 is too small.
# says: gradient_at_w: not yet. 6 is too small.


# %% Exercise 2
def softplus_vjp(g, x):
    return -g / (1 + np.exp(-x))


# says: softplus_vjp: not yet. The gradient for 'x' has its sign flipped
