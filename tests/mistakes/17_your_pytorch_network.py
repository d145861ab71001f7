import torch

# %% Exercise 1
of_three_branches, without_identities = 336, 3
# says: of_three_branches: not yet. 336 is too large.
# says: without_identities: not yet. 3 is too small.


# %% Exercise 2
def swish_backward(g, x):
    s = torch.sigmoid(x)
    return g * (s + x * s * (1 + s))


# says: swish_backward: not yet.
