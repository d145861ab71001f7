# %% Exercise 1
together, added = 128 * 28 * 28, 2 * 6


# %% Exercise 2
def scale_and_shift_vjp(g, x_hat, gamma, beta):
    x_hat_grad = g * gamma
    return x_hat_grad, (g * x_hat).sum(axis=0), g.sum(axis=0)


# %% Exercise 3
left_with_09, left_with_01 = 0.9**10, 0.1**10
