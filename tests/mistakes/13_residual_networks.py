# %% Exercise 1
residual_gradient, plain_gradient = 9, 8
# says: residual_gradient: not yet. 9 is too small.
# says: plain_gradient: right.


# %% Exercise 2
def block_vjp(g, x, w):
    return (g + g * w) * (x + w * x > 0), -g * x * (x + w * x > 0)


# says: block_vjp: not yet. The gradient for 'w' has its sign flipped

# %% Exercise 3
shortcut_parameters = 128 * 256
# says: shortcut_parameters: not yet. 32768 is too small.
