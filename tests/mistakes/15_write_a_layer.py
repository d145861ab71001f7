import numpy as np


# %% Exercise 1
def softsign_vjp(g, x):
    return g / (1 + np.abs(x))


# says: softsign_vjp: not yet. A term is missing in the gradient for 'x'


# %% Exercise 2
def dense_vjp(g, x, W, b):
    return g @ W.T, x.T @ g, g.mean(axis=0)


# says: dense_vjp: not yet. The gradient for 'b' is averaged over broadcast axis 0


# %% Exercise 3
def standardize_vjp(g, x):
    return g / x.std(axis=0)


# says: standardize_vjp: not yet. The mean and the variance of 'x' over axis 0 are treated as


# %% Exercise 4
smallest, largest = 0, 1
# says: smallest: not yet. 0 is too large.
# says: largest: right.
