# %% [markdown]
# # 15 · Write a layer, and have its gradient checked
#
# Sooner or later you want a layer that no library has. You write what it computes, and you write its
# gradient. The first is easy to test: run it. The second is not. A network with a slightly wrong
# gradient still learns, only worse, and nothing tells you.
#
# This page writes one right layer and six wrong ones, and lets `tg.gradcheck` find out what is wrong
# with each. All six mistakes are common.
#
# Slides: the layers of **Batch Normalization**, **AlexNet** (activations) and **2D convolutional
# layer**, as their authors would have to write them.
#
# Sources: that finite differences should check a backpropagation is in C. Bishop, *Pattern Recognition
# and Machine Learning* (2006), section 5.3.3; Swish is P. Ramachandran, B. Zoph & Q. Le, *Searching for
# Activation Functions* (2017).

# %%
import importlib.util

import numpy as np

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.teaching.exercises import check, check_gradient

random = np.random.default_rng(15)
x = random.standard_normal((4, 3))

# %% [markdown]
# ## A layer in two functions
#
# Swish is x·σ(x), where σ is the logistic function. An op has two parts.
#
# - The **forward** function takes arrays and returns an array.
# - Its **vjp** (vector-Jacobian product) takes `g`, the gradient at the output, together with the
#   output `y` and the inputs, and returns the gradient at each input.
#
# By the product rule the derivative of x·σ(x) is σ + x·σ·(1 − σ), which is σ + y·(1 − σ).


# %%
@tg.op
def swish(x):
    return x / (1 + np.exp(-x))


@swish.vjp
def _(g, y, x):
    s = tg.sigmoid(x)
    return g * (s + y * (1 - s))


# %% [markdown]
# That is all. It runs on plain arrays, on Tensors, in a graph and in a drawing.

# %%
t = tg.Tensor(x, requires_grad=True, name="x")
loss = swish(t).sum()
loss.backward()

assert isinstance(swish(x), np.ndarray)
assert t.grad.shape == x.shape

graph_picture = viz.draw(loss)
graph_picture

# %% [markdown]
# ## Is it right?
#
# `tg.gradcheck` nudges every input a little in both directions, sees how every output moves, and
# compares that with the vjp. It does so in float64. The numerical derivative carries its own error
# bar, and a gradient is called wrong only if it is off by more than the bar. You have no tolerance to
# guess.

# %%
report = tg.gradcheck(swish, x)

assert report
assert report.verdict == "ok"
print(report)

# %% [markdown]
# A report is true if the gradient is right, so in a test suite the whole test is one line:
#
#     assert tg.gradcheck(swish, x)
#
# `order=2` checks the gradient of the gradient as well. It comes for free, because the vjp is itself
# made of ops, and every op knows its vjp.

# %%
assert tg.gradcheck(swish, x, order=2)

# %% [markdown]
# ## Six that are wrong
#
# **One: a forgotten term.** Of a product, only one factor was differentiated.


# %%
def broken(name, forward, vjp):
    """An op with a gradient that somebody got wrong."""
    return tg.op(name, forward, vjp)


forgetful = broken("forgetful", lambda x: x / (1 + np.exp(-x)), lambda g, y, x: g * tg.sigmoid(x))
report = tg.gradcheck(forgetful, x)

assert not report
assert report.verdict == "wrong"
assert "a term is missing" in report.diagnosis
print(report)

# %% [markdown]
# The report lists the worst entries, analytic beside numerical, and how many of the Jacobian's
# entries are wrong: 12 of 144. An elementwise function of 12 numbers has a Jacobian of 12×12 in which
# only the diagonal is not 0, so *every* entry that could be wrong is.

# %%
assert int(report.wrong["x"].sum()) == 12
assert report.wrong["x"].size == 12 * 12 == 144

# %% [markdown]
# **Two: a constant factor.** The derivative of x³ is 3x². The check finds the factor.

# %%
cube = broken("cube", lambda x: x**3, lambda g, y, x: g * 2 * x**2)
report = tg.gradcheck(cube, x)

assert report.diagnosis == "the gradient for 'x' is off by a constant factor of 2/3"

# %% [markdown]
# **Three: transposed.** For a square matrix every shape fits, so nothing complains, and the gradient
# of a matrix product is g·Bᵀ, not g·B.

# %%
B = random.standard_normal((3, 3))
product = broken("product", lambda a, b: a @ b, lambda g, y, a, b: (g @ b, a.T @ g))
report = tg.gradcheck(product, [x, B])

assert "transposed" in report.diagnosis
assert "'a'" in report.diagnosis  # and not 'b', whose gradient is right

# %% [markdown]
# **Four: a mean that should be a sum.** One bias serves the whole batch, so its gradient is the sum over
# the batch. Divide it by the batch size, and each step of learning is too short by that factor.

# %%
bias = broken("bias", lambda x, b: x + b, lambda g, y, x, b: (g, g.mean(axis=0)))
report = tg.gradcheck(bias, [x, random.standard_normal(3)])

assert "averaged over broadcast axis 0" in report.diagnosis
assert "1/4" in report.diagnosis  # there are four examples in the batch

# %% [markdown]
# **Five: the batch's statistics taken for constants.** This is the classic mistake of batch
# normalization. Every example is part of the mean and of the variance, so its gradient has a share that
# goes through these. Here is a normalization without that share:

# %%
standardize = broken(
    "standardize", lambda x: (x - x.mean(axis=0)) / x.std(axis=0), lambda g, y, x: g / x.std(axis=0)
)
report = tg.gradcheck(standardize, x)

assert report.diagnosis.startswith("the mean and the variance of 'x' over axis 0")
assert "constant" in report.diagnosis

# %% [markdown]
# **Six: only the diagonal.** In a softmax every output depends on every input of its row. Those who
# remember "y·(1 − y)" from the logistic function forget all but the diagonal of the Jacobian.


# %%
def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


diagonal = broken("diagonal", softmax, lambda g, y, x: g * y * (1 - y))
report = tg.gradcheck(diagonal, x)

assert "off the diagonal" in report.diagnosis

# %% [markdown]
# With a gradient of all ones at the output, this last mistake is easily missed. A row of softmax always
# sums to 1, so the right gradient of the *sum* is 0 for every input. The check therefore uses whole
# Jacobians, and random numbers where it cannot.

# %%
logits = tg.Tensor(x, requires_grad=True)
tg.softmax(logits, axis=1).sum().backward()

assert np.abs(logits.grad.data).max() < 1e-15

# %% [markdown]
# ## When the point is a kink
#
# A ReLU has no derivative at 0: coming from the left its slope is 0, coming from the right it is 1. A
# finite difference across the kink gives ½, and a check that does not know better calls a right gradient
# wrong. Here the verdict is `kink`, with both slopes. What the layer says lies between them, so it is a
# valid **subgradient**, and the report is true.

# %%
report = tg.gradcheck(tg.relu, np.array([-1.0, 0.0, 2.0]))

assert report.verdict == "kink"
assert report
(kink,) = report.kinks
assert (kink.index, kink.left, kink.right, kink.analytic) == ((1,), 0, 1, 0)
print(report)

# %% [markdown]
# A gradient beyond both slopes is not excused by the kink:

# %%
steep = broken(
    "steep", lambda x: np.maximum(x, 0), lambda g, y, x: g * np.where(x < 0, 0, 1 + (x == 0))
)
report = tg.gradcheck(steep, np.array([-1.0, 0.0, 2.0]))

assert not report
print(report.diagnosis)

# %% [markdown]
# ## Small numbers, large numbers, float32
#
# Absolute tolerances make mistakes of another kind: beside a tolerance of 10⁻⁶, every gradient of a
# function as small as 10⁻⁷·x looks right, even 0. The error bar is relative to the function, so a missing
# gradient is found whatever the scale. A float32 input is checked in float64, and the report says so.

# %%
tiny = broken("tiny", lambda x: 1e-7 * x, lambda g, y, x: 0 * g)

assert tg.gradcheck(tiny, x).verdict == "wrong"
assert tg.gradcheck(lambda t: 1e8 * tg.tanh(t), x)

report = tg.gradcheck(swish, x.astype(np.float32))
assert report
assert any("float64" in note for note in report.notes)

# %% [markdown]
# Some layers cannot be judged at all, such as one that draws random numbers. That, too, is a verdict:

# %%
report = tg.gradcheck(lambda t: tg.dropout(t, 0.5), x)

assert report.verdict == "nondeterministic"
assert not report

# %% [markdown]
# ## A whole module
#
# A `Module` is checked with its parameters, in the mode that it is in. For batch normalization both modes
# matter: training goes through the batch's statistics, evaluation does not. Its running averages are left
# as they were.

# %%
block = tg.nn.Sequential(
    tg.nn.Conv2d(2, 3, 3, padding=1), tg.nn.BatchNorm2d(3), tg.nn.Tanh(), tg.nn.AvgPool2d(2)
)
image = random.standard_normal((2, 2, 6, 6))
before = block.state_dict()["1.running_mean"].copy()

for module in (block.train(), block.eval()):
    report = tg.gradcheck(module, image)
    assert report
    assert len(report.names) == 5  # the input, two weights, two biases

assert np.array_equal(block.state_dict()["1.running_mean"], before)

# %% [markdown]
# A full Jacobian of a ResNet would be gigantic. `mode="random"` compares slopes along random directions
# instead, one for each parameter, and needs a handful of runs.

# %%
network = tg.models.resnet8()
report = tg.gradcheck(network.eval(), random.standard_normal((1, 1, 16, 16)), mode="random")

assert report
print(report.diagnosis)

# %% [markdown]
# ## Somebody else's layer
#
# The check takes any two functions of plain arrays: `f(*arrays)`, and `vjp(g, *arrays)`. So it judges a
# layer that was written in bare NumPy. This one clips to ±1, and the mask is at the wrong side:

# %%
report = tg.gradcheck(lambda x: np.clip(x, -1, 1), x, vjp=lambda g, x: g * (np.abs(x) > 1))

assert not report
print(report.diagnosis)

# %% [markdown]
# With PyTorch installed, the next cell checks a `torch.autograd.Function`. (Without it, the cell does
# nothing; this package does not need PyTorch.)

# %%
if importlib.util.find_spec("torch"):
    import torch

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            context.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(context, g):
            (x,) = context.saved_tensors
            return g * x  # and the 2?

    def square_vjp(g, x):
        leaf = torch.tensor(x, requires_grad=True)
        Square.apply(leaf).backward(torch.tensor(g))
        return leaf.grad.numpy()

    report = tg.gradcheck(lambda x: Square.apply(torch.tensor(x)).numpy(), x, vjp=square_vjp)
    assert "constant factor of 1/2" in report.diagnosis
    print(report.diagnosis)

# %% [markdown]
# ## Your turn
#
# Put your answers in place of the dots. The cell after each exercise says whether you are right, and if
# not, what is wrong. Solutions are in `solutions/15_write_a_layer.py`.
#
# **Exercise 1.** Softsign is x / (1 + |x|). Write its vjp. (It looks as if it had a kink at 0. Has it?)


# %% Exercise 1
def softsign_vjp(g, x):
    return ...


# %%
check_gradient(softsign_vjp, lambda x: x / (1 + np.abs(x)), x)

# %% [markdown]
# **Exercise 2.** A dense layer x·W + b has three gradients. Write them, for x (n×3), W (3×2) and b (2).


# %% Exercise 2
def dense_vjp(g, x, W, b):
    return ..., ..., ...


# %%
check_gradient(
    dense_vjp,
    lambda x, W, b: x @ W + b,
    [x, random.standard_normal((3, 2)), random.standard_normal(2)],
)

# %% [markdown]
# **Exercise 3.** Now mistake five put right: the gradient of (x − mean) / std, over axis 0, *with* the share
# that goes through the mean and the standard deviation. With y for the result, it is g minus its mean
# minus y times the mean of g·y, all divided by the standard deviation.


# %% Exercise 3
def standardize_vjp(g, x):
    return ...


# %%
check_gradient(standardize_vjp, lambda x: (x - x.mean(axis=0)) / x.std(axis=0), x)

# %% [markdown]
# **Exercise 4.** What lies between the one-sided slopes of |x| at 0? Give the smallest and the largest valid
# subgradient.

# %% Exercise 4
smallest, largest = ..., ...

# %%
(at_zero,) = tg.gradcheck(tg.abs, np.array([0.0])).kinks
check("smallest", smallest, at_zero.left)
check("largest", largest, at_zero.right)

# %% [markdown]
# ## What to take along
#
# - An op is a forward function and a vjp; the rest (graph, pictures, second order) follows.
# - A network learns with a wrong gradient, only worse. Check every layer that you write, once.
# - Use random gradients at the output; all ones hide mistakes in softmax and in batch normalization.
# - At a kink any slope between the one-sided ones is right. That is no mistake, and no check should say so.
