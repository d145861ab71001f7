# %% Exercise 1
first_convolution, first_dense = 11 * 11 + 96, 6400 * 4096
# says: first_convolution: not yet. 217 is too small.
# says: first_dense: not yet. 2.62144e+07 is too small.


# %% Exercise 2
def sigmoid_vjp(g, x):
    y = 1 / (1 + np.exp(-x))
    return g * y * (y - 1)


def relu_vjp(g, x):
    return 2 * g * (x > 0)


# says: sigmoid_vjp: not yet. The gradient for 'x' has its sign flipped
# says: relu_vjp: not yet. The gradient for 'x' is off by a constant factor of 2

# %% Exercise 3
sigmoids = 10
# says: sigmoids: not yet. 10 is too large.

# %% Exercise 4
if_it_stays, on_average = 3 / 0.25, 3 * 0.75
# says: if_it_stays: not yet. 12 is too large.
# says: on_average: not yet. 2.25 is too small.
