# %% Exercise 1
residual_gradient, plain_gradient = 3**3, 2**3


# %% Exercise 2
def block_vjp(g, x, w):
    g = g * (x + w * x > 0)
    return g + g * w, g * x


# %% Exercise 3
shortcut_parameters = 128 * 256 + 256
