# %% Exercise 1
together, added = 28 * 28, 2 * 6
# says: together: not yet. 784 is too small.
# says: added: right.


# %% Exercise 2
def scale_and_shift_vjp(g, x_hat, gamma, beta):
    return g * gamma, (g * x_hat).sum(axis=0), g.mean(axis=0)


# says: scale_and_shift_vjp: not yet. The gradient for 'beta' is averaged over broadcast axis 0

# %% Exercise 3
left_with_09, left_with_01 = 0.1, 0.9
# says: left_with_09: not yet. 0.1 is too small.
# says: left_with_01: not yet. 0.9 is too large.
