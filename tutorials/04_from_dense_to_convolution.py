# %% [markdown]
# # 4 · From fully connected to convolution
#
# A fully connected layer can do whatever a convolution can. Why, then, give up most of its freedom?
# This tutorial walks from one to the other in two steps, **locality** and **sharing**, counts what
# each step saves, and then lets gradient descent find the edge detector that people designed in
# tutorial 3.
#
# Slides: **Image classification** (two), **2D convolutional layer** (four), **Fully-Connected
# Multilayer Perceptron**, **Locally-Connected Multilayer Perceptron**, **Convolutional Neural
# Network** (two), **DNN & CNN** (two).
#
# Sources: both steps are in LeCun, *Generalization and network design strategies* (1989), which
# compared all three kinds; learning a kernel is from Zhang, Lipton, Li & Smola, *Dive into Deep
# Learning*, section 7.2.

# %%
import numpy as np

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.teaching.exercises import check

# %% [markdown]
# ## How many weights?
#
# Slide **Image classification**: an MNIST image of 28×28 = 784 pixels, and a hidden layer of 512
# neurons. Each neuron has a weight for each pixel. For a colour photograph of 100×100 and 1024
# neurons, it is thirty million, for the first layer alone.

# %%
dense = tg.nn.Linear(784, 512, bias=False)

assert dense.count_parameters() == 784 * 512 == 401_408
assert 100 * 100 * 3 * 1024 == 30_720_000 > 3e7

# %% [markdown]
# A convolution with 16 kernels of 3×3 has, on both, a few hundred. It does not ask how large the
# image is.

# %%
assert tg.nn.Conv2d(1, 16, kernel_size=3, bias=False).count_parameters() == 16 * 1 * 3 * 3 == 144
assert tg.nn.Conv2d(3, 16, kernel_size=3, bias=False).count_parameters() == 16 * 3 * 3 * 3 == 432

# %% [markdown]
# ## All three as a matrix
#
# Take six numbers in and four out. Fully connected, that is a matrix of 4×6 weights: every output
# looks at every input.
#
# **Step 1, locality.** Let each output look at three neighbours only (slide **Locally-Connected
# Multilayer Perceptron**, which has two such groups). What is far away gets weight 0, for good: 12
# weights are left.
#
# **Step 2, sharing.** Let all outputs use the *same* three numbers. Now it is a convolution, with 3
# weights.

# %%
x = tg.Tensor([3.0, 1.0, 4.0, 1.0, 5.0, 9.0], dtype=float, name="x")
rng = np.random.default_rng(0)

fully = rng.integers(1, 10, (4, 6)).astype(float)
local = np.zeros((4, 6))
convolution = np.zeros((4, 6))
kernel = np.array([1.0, 2.0, -3.0])
for i in range(4):
    local[i, i : i + 3] = fully[i, i : i + 3]
    convolution[i, i : i + 3] = kernel

assert [np.count_nonzero(m) for m in (fully, local)] == [24, 12]
assert np.array_equal(
    convolution @ x.data, tg.conv1d(x.data.reshape(1, 1, 6), kernel.reshape(1, 1, 3))[0, 0]
)

matrices_picture = viz.connectivity(6, kernel=3)
matrices_picture

# %% [markdown]
# A matrix with one number along each diagonal is called a **Toeplitz** matrix. We did not have to
# write it by hand: convolution is linear, and the matrix of a linear function is its **Jacobian**,
# all the gradients of all the outputs.

# %%
by_gradients = tg.jacobian(
    lambda x: tg.conv1d(x.reshape(1, 1, 6), kernel.reshape(1, 1, 3)).flatten()
)(x)

assert np.array_equal(by_gradients.data, convolution)
assert np.array_equal(convolution[1:, 1:], convolution[:-1, :-1])  # Toeplitz
assert not np.array_equal(local[1:, 1:], local[:-1, :-1])

# %% [markdown]
# In two dimensions the picture is the same, with a Toeplitz matrix inside each block of a Toeplitz
# matrix. Here are the layers of the library, from a 4×4 image to a 2×2 map, with windows of 3×3.

# %%
tg.manual_seed(0)
layers = {
    "fully connected": tg.nn.Linear(16, 4, bias=False),
    "locally connected": tg.nn.LocallyConnected2d(1, 1, input_size=4, kernel_size=3, bias=False),
    "convolution": tg.nn.Conv2d(1, 1, kernel_size=3, bias=False),
}
counts = {name: layer.count_parameters() for name, layer in layers.items()}
print(counts)

assert counts == {"fully connected": 4 * 16, "locally connected": 4 * 9, "convolution": 9}


def matrix(layer):
    """The 4×16 matrix of a linear layer, from its gradients."""
    shape = (1, 16) if isinstance(layer, tg.nn.Linear) else (1, 1, 4, 4)
    at = tg.Tensor(np.zeros(16), dtype="float32")
    return tg.jacobian(lambda x: layer(x.reshape(shape)).flatten())(at).data


assert {name: np.count_nonzero(matrix(layer)) for name, layer in layers.items()} == {
    "fully connected": 64,
    "locally connected": 36,
    "convolution": 4 * 9,  # nine weights, four times
}

blocks_picture = viz.connectivity((4, 4), kernel=3)
blocks_picture

# %% [markdown]
# Slide **DNN & CNN** draws an arrow from "each neuron only connects to part of the previous layer"
# to "parameter sharing". Both make the layer smaller, but they are two ideas, and the middle matrix
# has only the first one. Locality says: what belongs together is close together. Sharing says: what
# is worth finding here is worth finding there. For faces that are always in the middle of the
# image, one might want the first without the second (Taigman et al., *DeepFace*, 2014, did).
#
# ## Sharing, backwards
#
# A shared weight is used once for each output. So an edge leads from it to each output, and what
# comes back is added: the gradient of a kernel's weight is the **sum along its diagonal** of the
# gradient that the full matrix would have.

# %%
w = tg.Tensor(kernel.reshape(1, 1, 3), requires_grad=True, name="w")
M = tg.Tensor(convolution, requires_grad=True, name="M")
g = np.array([1.0, 10.0, 100.0, 1000.0])  # a gradient at the four outputs

of_the_kernel = tg.grad(
    tg.conv1d(x.data.reshape(1, 1, 6), w), w, grad_outputs=g.reshape(1, 1, 4)
).data[0, 0]
of_the_matrix = tg.grad(M @ x.data, M, grad_outputs=g).data

diagonals = [np.trace(of_the_matrix, offset=k) for k in range(3)]
assert of_the_kernel.tolist() == diagonals == [1413, 5141, 9514]

diagonals_picture = viz.panels({"∂/∂M": of_the_matrix, "∂/∂w": of_the_kernel})
diagonals_picture

# %% [markdown]
# The matrix would also get gradients outside of the three diagonals: it would be told to use
# far-away inputs, if that helps. A convolution is deaf to this. That is its lack of freedom, and it
# is what makes it learn from few examples.
#
# ## Several filters
#
# One kernel finds one pattern. A layer has several, and its output one map for each. The second
# slide **Convolutional Neural Network** writes X⁽²⁾ = [w⁽¹⁾∗x, w⁽¹⁾∗x, w⁽¹⁾∗x] + b, with the same
# letter three times. The three are **different** kernels, w₁⁽¹⁾, w₂⁽¹⁾ and w₃⁽¹⁾, and they must
# be: were they equal at the start, with equal weights behind them, they would get the same
# gradient, and stay equal for ever.


# %%
def gradients_of_three(kernels):
    w = tg.Tensor(kernels, requires_grad=True)
    maps = tg.conv1d(x.data.reshape(1, 1, 6) / 10, w).tanh()
    return tg.grad((maps.sum() - 5.0) ** 2, w).data


equal = gradients_of_three(np.tile(kernel, (3, 1, 1)))
different = gradients_of_three(rng.standard_normal((3, 1, 3)))

assert np.array_equal(equal[0], equal[1])
assert np.array_equal(equal[1], equal[2])
assert not np.allclose(different[0], different[1])

# %% [markdown]
# This is why weights are drawn at random at the start.
#
# ## Let it learn
#
# Slide **2D convolutional layer**: *W and b are learnable parameters*. We show the layer the image
# with the edge, and the output that we want, the 30s. It starts with nine zeros. How wrong it is,
# is measured by the mean squared difference.

# %%
half = np.repeat([[10.0] * 4 + [0.0] * 4], 8, axis=0)[None, None]
edge_kernel = np.array([[1.0, 0.0, -1.0]] * 3)
wanted = tg.conv2d(half, edge_kernel[None, None])
assert wanted[0, 0, 0].tolist() == [0, 0, 30, 30, 0, 0]

layer = tg.nn.Conv2d(1, 1, kernel_size=3, bias=False).astype(float)
layer.weight.data = np.zeros((1, 1, 3, 3))
optimizer = tg.optim.SGD(layer.parameters(), lr=0.001)

seen = {}
for step in range(201):
    if step in (0, 1, 10, 200):
        seen[f"step {step}"] = layer.weight.data[0, 0].round(2)
    optimizer.zero_grad()
    loss = tg.mse_loss(layer(half), wanted)
    if step % 40 == 0:
        print(f"step {step:3d}: loss {loss.item():.2g}")
    loss.backward()
    optimizer.step()

assert loss.item() < 1e-5
assert np.allclose(layer.weight.data[0, 0], edge_kernel, atol=1e-3)

learned_picture = viz.panels(seen, signed=True)
learned_picture

# %% [markdown]
# Nobody told it about edges. It found [1, 0, −1] in each row, from one example.
#
# Honesty demands a second look. All rows of this image are equal, so only the *sum of each column*
# of the kernel matters: 3, 0, −3. From zeros, the three rows get the same gradient and share it
# evenly. From a random start, it finds a kernel that is just as good on this image, and looks
# different.

# %%
tg.manual_seed(1)
layer.weight.data = np.random.default_rng(1).standard_normal((1, 1, 3, 3))
for _ in range(400):
    optimizer.zero_grad()
    tg.mse_loss(layer(half), wanted).backward()
    optimizer.step()
other = layer.weight.data[0, 0]

assert np.allclose(tg.conv2d(half, layer.weight.data), wanted, atol=1e-3)
assert np.allclose(other.sum(axis=0), [3, 0, -3], atol=1e-3)
assert not np.allclose(other, edge_kernel, atol=0.1)

other_picture = viz.panels(
    {
        "from zeros": edge_kernel,
        "from random numbers": other.round(2),
        "its column sums": other.sum(axis=0).round(3),
    },
    signed=True,
)
other_picture

# %% [markdown]
# What an example does not show, cannot be learned from it. A photograph shows more: edges in all
# directions. There, only one kernel fits. (It takes more steps: in a photograph neighbours are
# alike, so small errors in the kernel hardly show.)

# %%
photograph = tg.data.photographs()["camera"][:, 60:140, 80:160].astype(float)[None]
answer = tg.conv2d(photograph, edge_kernel[None, None])
optimizer = tg.optim.Adam(layer.parameters(), lr=0.1)
for _ in range(1000):
    optimizer.zero_grad()
    loss = tg.mse_loss(layer(photograph), answer)
    loss.backward()
    optimizer.step()

assert np.allclose(layer.weight.data[0, 0], edge_kernel, atol=0.1)

photograph_picture = viz.panels(
    {
        "the photograph": photograph,
        "what was wanted": answer,
        "the kernel that was learned": layer.weight.data.round(2),
    }
)
photograph_picture

# %% [markdown]
# ## Your turn
#
# Put your answers in place of the dots. Solutions are in
# `solutions/04_from_dense_to_convolution.py`.
#
# **Exercise 1.** LeNet's first layer makes 6 maps of 28×28 from one image of 28×28, with kernels of
# 5×5. How many weights has it, without biases? How many would it have, if it were locally connected
# (a kernel of its own for each output), and how many if it were fully connected?

# %% Exercise 1
shared_weights = ...
local_weights = ...
dense_weights = ...

# %%
conv = tg.nn.Conv2d(1, 6, kernel_size=5, padding=2, bias=False)
check("shared_weights", shared_weights, conv.count_parameters())
check("local_weights", local_weights, 6 * 28 * 28 * 5 * 5)
check("dense_weights", dense_weights, 28 * 28 * 6 * 28 * 28)

# %% [markdown]
# **Exercise 2.** Write the 3×6 matrix of a convolution of six numbers with the kernel [2, 5],
# stride 2, no padding, as a list of rows.

# %% Exercise 2
strided_matrix = ...

# %%
strided = tg.jacobian(
    lambda x: tg.conv1d(x.reshape(1, 1, 6), np.array([[[2.0, 5.0]]]), stride=2).flatten()
)
check("strided_matrix", strided_matrix, strided(x))

# %% [markdown]
# **Exercise 3.** The kernel [a, b] slides over [1, 2, 3, 4]; the result is the sum of all outputs.
# What are the gradients of a and of b? (How often is each weight used, and on which inputs?)

# %% Exercise 3
a_grad = ...
b_grad = ...

# %%
ab = tg.Tensor(np.ones((1, 1, 2)), requires_grad=True)
both = tg.grad(tg.conv1d(np.arange(1.0, 5.0).reshape(1, 1, 4), ab).sum(), ab).data[0, 0]
check("a_grad", a_grad, both[0])
check("b_grad", b_grad, both[1])

# %% [markdown]
# ## What to take along
#
# - Fully connected → local → shared: the same matrix with most of its entries 0, and then with few
#   different ones.
# - The gradient of a shared weight is the sum over all its uses.
# - Kernels can be learned, as far as the examples tell them apart.
