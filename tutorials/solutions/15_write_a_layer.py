import numpy as np


# %% Exercise 1
# Both one-sided slopes at 0 are 1, so there is no kink.
def softsign_vjp(g, x):
    return g / (1 + np.abs(x)) ** 2


# %% Exercise 2
def dense_vjp(g, x, W, b):
    return g @ W.T, x.T @ g, g.sum(axis=0)


# %% Exercise 3
def standardize_vjp(g, x):
    std = x.std(axis=0)
    y = (x - x.mean(axis=0)) / std
    return (g - g.mean(axis=0) - y * (g * y).mean(axis=0)) / std


# %% Exercise 4
smallest, largest = -1, 1
