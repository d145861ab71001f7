# %% Exercise 1
a_grad, b_grad = -3, -2
# says: a_grad: not yet. -3 is too small.
# says: b_grad: not yet. The size is right, the sign is not.


# %% Exercise 2
def tanh_derivative(x):
    return 1 - x**2


# says: tanh_derivative: not yet. tanh_derivative(-1.0) gives 0, and should give 0.419974.

# %% Exercise 3
number_of_paths, product_along_one_path, sum_over_all_paths = 3, [4], "twelve"
# says: number_of_paths: right.
# says: product_along_one_path: not yet. This is an array of shape (1,), and should be a
# says: sum_over_all_paths: not yet. 'twelve' is not a number.
