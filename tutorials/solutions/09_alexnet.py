# %% Exercise 1
first_convolution, first_dense = 96 * 1 * 11 * 11 + 96, 6400 * 4096 + 4096


# %% Exercise 2
def sigmoid_vjp(g, x):
    y = 1 / (1 + np.exp(-x))
    return g * y * (1 - y)


def relu_vjp(g, x):
    return g * (x > 0)


# %% Exercise 3
sigmoids = 5  # a quarter, five times: 1/1024

# %% Exercise 4
if_it_stays, on_average = 3 / (1 - 0.25), 3
