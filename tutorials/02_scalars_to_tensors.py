# %% [markdown]
# # 2 · From scalars to tensors
#
# Tutorial 1 built a machine that finds gradients, with one number at a time. It was right, and
# slow: a hundred points and 337 parameters took seconds. This tutorial keeps the machine and
# changes what travels through it: whole arrays instead of single numbers. Only two things are new,
# what happens when shapes differ, and the matrix product.
#
# Slides: **Fully-Connected Multilayer Perceptron** (x⁽²⁾ = W⁽¹⁾x⁽¹⁾ + b⁽¹⁾).
#
# Sources: the rules for broadcasting are NumPy's (*Array programming with NumPy*, Nature 585,
# 2020); the gradients of a matrix product are in M. Giles, *Collected matrix derivative results for
# forward and reverse mode algorithmic differentiation* (2008).

# %%
import time

import numpy as np

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.teaching.exercises import check

# %% [markdown]
# ## An array for a number
#
# Three numbers, squared and summed: with Scalars, the machine records each of them. With a Tensor,
# it records one square and one sum.

# %%
scalars = [tg.Scalar(v, name=f"a{i}") for i, v in enumerate([1.0, 2.0, 3.0])]
total = sum((a * a for a in scalars), start=tg.Scalar(0.0))
total.backward()

tensor = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="a")
y = (tensor * tensor).sum()
y.backward()

assert [a.grad for a in scalars] == tensor.grad.data.tolist() == [2, 4, 6]
assert len(tg.Graph.of(total).nodes) == 10  # 3 inputs, 3 squares, 3 sums, and the 0 to start from
assert len(tg.Graph.of(y).nodes) == 3  # the input, the square, the sum

scalars_picture = viz.draw(total, legend=False)
scalars_picture

# %%
tensor_picture = viz.draw(y, legend=False)
tensor_picture

# %% [markdown]
# The gradient has the shape of what it is the gradient of: one number for each number, how the
# result moves with it. (A Tensor says that it wants a gradient, `requires_grad=True`; a Scalar
# always does.)
#
# Behind a Tensor, the arithmetic of tutorial 1 is still there. `tg.zoom` opens any element:

# %%
squares = tensor * tensor
two_squared = tg.zoom(squares, 1)

assert two_squared.output.data == 2 * 2

zoom_picture = viz.draw(two_squared, legend=False)
zoom_picture

# %% [markdown]
# ## When shapes differ: broadcasting
#
# A layer adds the same bias to each example of a batch: shape (2, 3) plus shape (3,). NumPy lines
# the shapes up at their right ends, and **repeats** an array along each axis that it lacks, or
# where it has length 1.

# %%
x = tg.Tensor(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), requires_grad=True, name="x")
b = tg.Tensor(np.array([10.0, 20.0, 30.0]), requires_grad=True, name="b")

y = x + b

assert y.data.tolist() == [[11, 22, 33], [14, 25, 36]]
assert np.array_equal(y.data, x.data + np.broadcast_to(b.data, (2, 3)))

# %% [markdown]
# And backwards? Each number of b was used twice, once in each row. So two edges lead from it to y,
# and what comes back along them is added, as for b = a + a in tutorial 1. Repeated forward means
# **summed backward**, over exactly the axes that were repeated.

# %%
some = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])  # a gradient at y
g = tg.Tensor(some, requires_grad=True, name="g")
x_grad, b_grad = tg.grad(y, [x, b], grad_outputs=g, create_graph=True)

assert x_grad.data.tolist() == some.tolist()
assert b_grad.data.tolist() == [11, 22, 33] == some.sum(axis=0).tolist()

bias_picture = viz.draw(y, gradients={"∂/∂b": b_grad}, legend=False)
bias_picture

# %% [markdown]
# Step through it. Going back, look at what + hands to x and what it hands to b, and at their shapes.
# With one element of y open, you see which two numbers it came from.

# %%
with tg.trace() as recorded:
    y = x + b
    loss = (y * some).sum()
    loss.backward()

assert b.grad.data.tolist() == [11, 22, 33]

steps_picture = viz.step(recorded, title="a bias, repeated and summed")
steps_picture

# %% [markdown]
# It also works the other way round. A sum over an axis goes from many numbers to one; its gradient
# is that one number, repeated for all. Summing and repeating are each other's gradients.

# %%
row_sums = x.sum(axis=1)
back = tg.grad(row_sums, x, grad_outputs=np.array([5.0, 7.0]))

assert back.data.tolist() == [[5, 5, 5], [7, 7, 7]]

# %% [markdown]
# Multiplication does the same, after the other factor has been multiplied in. Here one number
# scales all six:

# %%
s = tg.Tensor(2.0, requires_grad=True, name="s")
s_grad = tg.grad((s * x).sum(), s)

assert s_grad.data == 1 + 2 + 3 + 4 + 5 + 6

# %% [markdown]
# Broadcasting has a trap. (3,) and (3, 1) are both "three numbers", but their difference is a 3×3
# table, and no error is raised. A loss computed like this runs, learns badly, and says nothing.
# Look at shapes.

# %%
predictions, targets = np.array([[1.0], [2.0], [3.0]]), np.array([1.0, 2.0, 3.0])

assert (predictions - targets).shape == (3, 3)
assert np.mean((predictions - targets) ** 2) > 1  # and yet every prediction is right

# %% [markdown]
# ## The matrix product
#
# Slide **Fully-Connected Multilayer Perceptron**: x⁽²⁾ = W x⁽¹⁾ + b. The slide has one example, a
# column. We have a batch of them, one in each row, so here it reads Y = X Wᵀ + b. The heart of it
# is the matrix product, P = A B: each output is a row of A times a column of B, product by product,
# summed.

# %%
A = tg.Tensor(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), requires_grad=True, name="A")
B = tg.Tensor(np.array([[1.0, -1.0], [2.0, 0.0], [0.5, 3.0]]), requires_grad=True, name="B")
P = A @ B

assert P.data.tolist() == [[6.5, 8], [17, 14]]

element = tg.zoom(P, (0, 1))
assert element.output.data == 1 * -1 + 2 * 0 + 3 * 3 == 8

product_picture = viz.draw(element, legend=False)
product_picture

# %% [markdown]
# Its gradient needs no new idea either. A[i, k] is multiplied by B[k, j] in each output P[i, j] of
# its row. So its gradient is the sum over j of G[i, j] · B[k, j], where G is the gradient at P. A
# sum of products again, so it is a matrix product, with B on its side:
#
# **∂/∂A = G Bᵀ** and likewise **∂/∂B = Aᵀ G**
#
# No need to learn it by heart: there is only one way to multiply G and B so that the shape of A
# comes out.

# %%
G = tg.Tensor(np.array([[1.0, 2.0], [3.0, 4.0]]), requires_grad=True, name="G")
A_grad, B_grad = tg.grad(P, [A, B], grad_outputs=G, create_graph=True)

assert A_grad.data.tolist() == (G.data @ B.data.T).tolist() == [[-1, 2, 6.5], [-1, 6, 13.5]]
assert B_grad.data.tolist() == (A.data.T @ G.data).tolist() == [[13, 18], [17, 24], [21, 30]]

one_gradient = tg.zoom(A_grad, (0, 2), depth=2)  # through the transpose, to B itself
assert one_gradient.output.data == 1 * 0.5 + 2 * 3 == 6.5

gradient_picture = viz.draw(one_gradient, legend=False)
gradient_picture

# %% [markdown]
# The judge is still the nudge. `tg.gradcheck` nudges each element of each input, and compares.

# %%
report = tg.gradcheck(tg.matmul, [A.data, B.data])
print(report)

assert report.verdict == "ok"

# %% [markdown]
# ## The same network, faster
#
# The network of tutorial 1, with 2, 16, 16 and 1 neurons, once more: each layer is a matrix and a
# bias now. Still 337 parameters, but six tensors.

# %%
tg.manual_seed(0)
network = tg.nn.Sequential(
    tg.nn.Linear(2, 16), tg.nn.ReLU(), tg.nn.Linear(16, 16), tg.nn.ReLU(), tg.nn.Linear(16, 1)
).astype(float)
parameters = list(network.parameters())

assert len(parameters) == 6
assert sum(p.size for p in parameters) == 337

point = np.array([[0.3, -0.8]])
score = network(point).sum()

network_picture = viz.draw(score, legend=False)
network_picture

# %% [markdown]
# To be sure that it is the same machine, here is the network written out in Scalars, from the same
# weights. Its gradients agree, all 337.


# %%
def scalar_layer(weight, bias, values):
    return [
        sum((w * v for w, v in zip(row, values, strict=True)), start=b)
        for row, b in zip(weight, bias, strict=True)
    ]


numbers = [
    [[tg.Scalar(v) for v in row] for row in p.data] if p.ndim == 2 else list(map(tg.Scalar, p.data))
    for p in parameters
]
values = point[0].tolist()
for weight, bias in zip(numbers[::2], numbers[1::2], strict=True):
    values = scalar_layer(weight, bias, values)
    if weight is not numbers[-2]:
        values = [v.relu() for v in values]
values[0].backward()
score.backward()

assert np.isclose(values[0].data, score.item())
for p, ours in zip(parameters, numbers, strict=True):
    grads = [[w.grad for w in row] for row in ours] if p.ndim == 2 else [w.grad for w in ours]
    assert np.allclose(p.grad.data, np.array(grads, dtype=float))

assert len(tg.Graph.of(values[0]).nodes) > 1000
assert len(tg.Graph.of(score).nodes) < 20

# %% [markdown]
# And all hundred points at once are no more nodes than one: a batch is one more row for each. So
# the cost of recording, some microseconds for a node, is paid once, and the arithmetic runs in
# NumPy.


# %%
def seconds(f, repeat=5):
    def once():
        start = time.perf_counter()
        f()
        return time.perf_counter() - start

    return min(once() for _ in range(repeat))


batch = np.random.default_rng(0).standard_normal((100, 2))
assert len(tg.Graph.of(network(batch).sum()).nodes) == len(tg.Graph.of(score).nodes)

tensors = seconds(lambda: network(batch).sum().backward())
one_by_one = 100 * seconds(lambda: values[0].backward())  # the backward pass alone
print(f"100 points: {1e3 * tensors:.1f} ms with tensors, {1e3 * one_by_one:.0f} ms with scalars")

assert tensors < one_by_one

# %% [markdown]
# ## A million operations
#
# A matrix product of 100×100 by 100×100 is 100³ = a million multiplications (and additions). It is
# one node. As Scalars it would be two million nodes.

# %%
rng = np.random.default_rng(0)
M = tg.Tensor(rng.standard_normal((100, 100)), requires_grad=True, name="M")
N = tg.Tensor(rng.standard_normal((100, 100)), requires_grad=True, name="N")

with tg.trace() as t:
    product = M @ N
    product.sum().backward()
print(t.summary())

assert t.forward_events[0].cost.multiply_adds == 100**3 == 1_000_000
assert len(tg.Graph.of(product).nodes) == 3

# %% [markdown]
# And if the operations come one after the other, a hundred thousand deep? A `visit` that calls
# itself, like the one that we wrote in tutorial 1, ends with Python's RecursionError after about a
# thousand. The engine numbers what it records, and walks through a sorted list, so depth is no
# matter.

# %%
a = tg.Scalar(1.0)
y = a
start = time.perf_counter()
for _ in range(100_000):
    y = y + 0.5
y.backward()
print(f"a chain of 100,000: {time.perf_counter() - start:.1f} s")

assert y.data == 1 + 50_000
assert a.grad == 1

# %% [markdown]
# ## Your turn
#
# Put your answers in place of the dots. Solutions are in `solutions/02_scalars_to_tensors.py`.
#
# **Exercise 1.** u has shape (4, 1), v has shape (3,), y = u * v. Which shape has y, and which has the
# gradient of u? Over which axis of y (0 or 1) is summed for the gradient of u, and for that of v?

# %% Exercise 1
y_shape = ...
u_grad_shape = ...
summed_for_u = ...
summed_for_v = ...

# %%
check("y_shape", y_shape, (4, 3))
check("u_grad_shape", u_grad_shape, (4, 1))
check("summed_for_u", summed_for_u, 1)
check("summed_for_v", summed_for_v, 0)

# %% [markdown]
# **Exercise 2.** The gradients of a whole layer, Y = X Wᵀ + b, from the gradient G at Y. All are
# plain arrays: X is (4, 3), W is (2, 3), b is (2,), G is (4, 2). Write them with `@`, `.T` and
# `.sum`.


# %% Exercise 2
def layer_gradients(X, W, b, G):
    X_grad = ...
    W_grad = ...
    b_grad = ...
    return X_grad, W_grad, b_grad


# %%
X, W, b, G = (rng.standard_normal(shape) for shape in ((4, 3), (2, 3), (2,), (4, 2)))
inputs = [tg.Tensor(array, requires_grad=True) for array in (X, W, b)]
wanted = tg.grad(tg.linear(*inputs), inputs, grad_outputs=G)
for name, answer, right in zip(
    ("X_grad", "W_grad", "b_grad"), layer_gradients(X, W, b, G), wanted, strict=True
):
    check(name, answer, right)

# %% [markdown]
# **Exercise 3.** How many multiplications does the network above (2, 16, 16, 1 neurons) need for a
# batch of 100 points, forward? And how many does its backward pass need, if also the gradient of
# the points is wanted? (Each matrix product has two gradients, and each of them is a matrix
# product.)

# %% Exercise 3
forward_multiplications = ...
backward_multiplications = ...

# %%
products = 100 * (2 * 16 + 16 * 16 + 16 * 1)
check("forward_multiplications", forward_multiplications, products)
check("backward_multiplications", backward_multiplications, 2 * products)

# %% [markdown]
# ## What to take along
#
# - A Tensor is one node for many numbers; its gradient has its shape.
# - Repeated forward, summed backward; summed forward, repeated backward.
# - The gradients of A B are G Bᵀ and Aᵀ G. A backward pass costs about two forward passes.
