import numpy as np

# %% Exercise 1
# w is used three times; q = 2w² + 1.
edges_out_of_w, gradient_at_w = 3, 12


# %% Exercise 2
def softplus_vjp(g, x):
    return g / (1 + np.exp(-x))
