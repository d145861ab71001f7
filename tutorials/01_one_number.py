# %% [markdown]
# # 1 · One number
#
# A convolutional network learns by asking one question about each of its weights: *if I nudge this
# number a little, how does the result move?* The answer is the weight's **gradient**. This tutorial
# builds the machine that answers it, for numbers, by hand, in about forty lines. Everything that
# follows in the course, up to residual networks, is the same machine with larger numbers in it.
#
# Slides: **2D convolutional layer** ("W and b are learnable parameters"), **Fully-Connected
# Multilayer Perceptron**, and **Gradient computation of Residual Networks** ("Simply add gradients
# from following layers").
#
# Sources: the method is Rumelhart, Hinton & Williams, *Learning representations by back-propagating
# errors*, Nature 323 (1986). A class for one number, drawn as `data | grad`, and the two moons at
# the end follow A. Karpathy's *micrograd* (2020).

# %%
import math

import numpy as np

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.teaching.exercises import check, check_function

# %% [markdown]
# ## The question
#
# The smallest neuron there is: one input x, one weight w, one bias b, and a ReLU, which replaces
# negative numbers by 0.
#
# How does y move with w? Nudge w by a tiny h to both sides, and look. This is the
# **finite difference** (y(w+h) − y(w−h)) / 2h.


# %%
def neuron(w, x, b):
    return max(w * x + b, 0.0)


def slope(f, at, h=1e-6):
    return (f(at + h) - f(at - h)) / (2 * h)


y = neuron(2.0, 3.0, -1.0)
y_along_w = slope(lambda w: neuron(w, 3.0, -1.0), at=2.0)
y_along_b = slope(lambda b: neuron(2.0, 3.0, b), at=-1.0)

assert y == 5
assert math.isclose(y_along_w, 3, rel_tol=1e-6)
assert math.isclose(y_along_b, 1, rel_tol=1e-6)

# %% [markdown]
# Nudging w moves y three times as much (because x = 3), nudging b just as much.
#
# It works, but each weight costs two runs of the whole network. The small network at the end of this
# page has 337 parameters, so that is 674 runs for a single step of learning. The machine below finds
# *all* the gradients in one walk backwards.
#
# ## A number that remembers
#
# Every number keeps the numbers that it was computed from, and how fast it moves with each of them:
# the **local derivatives**. For p = a·b they are ∂p/∂a = b and ∂p/∂b = a. Nothing else is needed.


# %%
class Value:
    """A number that remembers what it was computed from."""

    def __init__(self, data, inputs=(), derivatives=()):
        self.data = data
        self.grad = 0.0
        self.inputs = inputs
        self.derivatives = derivatives  # of this number, by each of its inputs

    def __add__(self, other):
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def relu(self):
        return Value(max(self.data, 0.0), (self,), (float(self.data > 0),))


# %% [markdown]
# ## Backwards
#
# Say that we know how the result moves with some number: its gradient. How does the result move
# with the inputs of that number? Multiply by the local derivative. That is the chain rule, and
# `push` is all of it:


# %%
def push(value):
    """Hand a number's gradient on to its inputs."""
    for source, derivative in zip(value.inputs, value.derivatives, strict=True):
        source.grad += derivative * value.grad


# %% [markdown]
# Then walk from the result, whose gradient is 1, to the inputs. A number may push only when its own
# gradient is complete, that is, after everything that was computed from it. So put each number
# after its inputs (a **topological order**), and go through that list from its end.


# %%
def in_order(result):
    """All numbers behind a result, each after its inputs."""
    order, seen = [], set()

    def visit(value):
        if value not in seen:
            seen.add(value)
            for source in value.inputs:
                visit(source)
            order.append(value)

    visit(result)
    return order


def backward(result):
    """Put into every number's .grad how the result moves with it."""
    result.grad = 1.0
    for value in reversed(in_order(result)):
        push(value)


w, x, b = Value(2.0), Value(3.0), Value(-1.0)
backward((w * x + b).relu())

assert (w.grad, x.grad, b.grad) == (3, 2, 1)

# %% [markdown]
# The same 3 and 1 as by nudging, and x's gradient, 2, came along for free.
#
# ## The engine's own number
#
# `tg.Scalar` is this idea with the rest of arithmetic: `+ - * / **`, `exp`, `log`, `tanh` and so on.
# `viz.draw` shows what it recorded. Before a backward pass, nobody knows a gradient yet:

# %%
w, x, b = tg.Scalar(2.0, name="w"), tg.Scalar(3.0, name="x"), tg.Scalar(-1.0, name="b")
y = (w * x + b).relu()
y.name = "y"

recorded_picture = viz.draw(y)
recorded_picture

# %%
y.backward()

assert (w.grad, x.grad, b.grad) == (3, 2, 1)

neuron_picture = viz.draw(y, legend=False)
neuron_picture

# %% [markdown]
# Read the picture from right to left. y has gradient 1. The ReLU's input was positive, so its local
# derivative is 1. The + hands the 1 to both of its inputs, and × multiplies it by the *other*
# factor.
#
# ## Gradients add
#
# Which gradient has a in b = a + a? Two edges lead from a to b. A nudge of a travels along both, so
# b moves twice as much: what comes back along the edges is **added**. That is why `push` says `+=`.

# %%
a = tg.Scalar(2.0, name="a")
b = a + a
b.name = "b"
b.backward()

assert len(tg.Graph.of(b).edges) == 2
assert a.grad == 2

two_edges_picture = viz.draw(b, legend=False)
two_edges_picture

# %% [markdown]
# Step through it yourself: → goes on, ← goes back. In the backward half a has "no grad yet", then 1,
# then 1 + 1. Below, its number can be turned: the gradient stays 2. Why?

# %%
with tg.trace() as recorded:
    a = tg.Scalar(2.0, name="a")
    b = a + a
    b.backward()

assert a.grad == 2

steps_picture = viz.step(recorded, title="b = a + a")
steps_picture

# %% [markdown]
# This is the slide's "simply add gradients", with one word of care. In a residual block,
# y = x + F(x), the number x also has two ways to y. What arrives through the shortcut is the gradient
# of y itself. What arrives through F was first multiplied by the derivative of F. The two are added:
# with F(x) = 3x, the gradient is 1 + 3 = 4.

# %%
x = tg.Scalar(2.0, name="x")
y = x + 3 * x
y.name = "y"
y.backward()

assert x.grad == 1 + 3

shortcut_picture = viz.draw(y, legend=False)
shortcut_picture

# %% [markdown]
# ## Why the order matters
#
# Take b = a + a and y = b + b·b, so y = 2a + 4a², and at a = 3 the gradient is 2 + 8a = 26.
#
# b has two ways to y. If b pushes after it has heard from the first, but before it has heard from the
# second, a is told too little, and nobody notices: the program runs, and the number is wrong.

# %%
a = Value(3.0)
b = a + a
c = b * b
y = b + c
backward(y)
assert a.grad == 26

a.grad = b.grad = c.grad = 0.0
for value in (y, b, c, a):  # b pushes before c has handed it its part
    push(value)
assert a.grad == 2  # wrong!

# %% [markdown]
# How does the engine find its order? A result is always younger than the numbers that it was
# computed from. So the engine numbers everything as it is made, and walks from young to old.

# %%
a = tg.Scalar(3.0, name="a")
b = a + a
y = b + b * b
b.name, y.name = "b", "y"
y.backward()

assert a.grad == 26

order_picture = viz.draw(y, legend=False)
order_picture

# %% [markdown]
# ## Backward twice adds
#
# A second backward pass does not start afresh: it adds to the gradients that are there. PyTorch
# does the same (where a second pass over the same graph must be announced, by `retain_graph=True`),
# so that a large batch can be done in several parts. It means that whoever trains must clear the
# gradients before each step; forgetting it is a classic bug.
#
# Source: PyTorch documentation, `torch.Tensor.backward`: "accumulates gradients in the leaves".

# %%
w, x, b = tg.Scalar(2.0, name="w"), tg.Scalar(3.0, name="x"), tg.Scalar(-1.0, name="b")
y = (w * x + b).relu()
y.backward()
y.backward()

assert w.grad == 3 + 3

w.grad = None  # clear it
assert w.grad is None

# %% [markdown]
# Our own forty lines do worse. They keep the total and the number that is on its way in one place,
# so the second pass pushes the first one's gradients again, and w.grad is not 6. The engine keeps
# the two apart.

# %%
w, x, b = Value(2.0), Value(3.0), Value(-1.0)
y = (w * x + b).relu()
backward(y)
backward(y)

assert w.grad == 12  # 3 + 9, and the right sum is 6

# %% [markdown]
# ## Do not believe it: check it
#
# Nudging is slow but hard to get wrong, so it is the judge of every gradient in this project. Here
# is an expression with many different operations, and all three of its gradients, judged.


# %%
def expression(a, b, c):
    return (a * b + c).tanh() / (1 + (-c).exp()) - (a**2 + 1).log() * b


at = (0.5, -1.5, 2.0)
numbers = [tg.Scalar(v, name=name) for v, name in zip(at, "abc", strict=True)]
y = expression(*numbers)
y.backward()

for i, number in enumerate(numbers):

    def along(v, i=i):
        return expression(*(tg.Scalar(v if k == i else at[k]) for k in range(3))).data

    assert math.isclose(number.grad, slope(along, at[i]), rel_tol=1e-6)

expression_picture = viz.draw(y, direction="TB", legend=False)
expression_picture

# %% [markdown]
# ## Your turn
#
# Put your answers in place of the dots. The cell after each exercise says whether you are right, and
# if not, what is wrong. Solutions are in `solutions/01_one_number.py`.
#
# **Exercise 1.** y = a·b + a with a = 2 and b = −3. Find both gradients with pencil and paper. (Draw
# the graph. How many edges leave a?)

# %% Exercise 1
a_grad = ...
b_grad = ...

# %%
a, b = tg.Scalar(2.0), tg.Scalar(-3.0)
(a * b + a).backward()
check("a_grad", a_grad, a.grad)
check("b_grad", b_grad, b.grad)

# %% [markdown]
# **Exercise 2.** To teach our `Value` the hyperbolic tangent, one needs its local derivative. Write
# it, for a number x. The judge nudges `math.tanh`. (Hint: it can be written with tanh x alone.)


# %% Exercise 2
def tanh_derivative(x):
    return ...


# %%
check_function(tanh_derivative, lambda x: slope(math.tanh, x), [(-1.0,), (0.0,), (0.5,), (2.0,)])

# %% [markdown]
# **Exercise 3.** y = x·x·x, computed as (x·x)·x, at x = 2. How many paths lead from x to y, if each
# edge counts? Along one path, the local derivatives are multiplied. Which product does each path
# give? And their sum?

# %% Exercise 3
number_of_paths = ...
product_along_one_path = ...
sum_over_all_paths = ...

# %%
x = tg.Scalar(2.0)
(x * x * x).backward()
check("number_of_paths", number_of_paths, 3)
check("product_along_one_path", product_along_one_path, x.grad / 3)
check("sum_over_all_paths", sum_over_all_paths, x.grad)

# %% [markdown]
# Keep this one in mind. A residual network with three blocks has 2·2·2 = 8 paths, and its gradient is
# their sum. The course ends there.
#
# ## Learning: two moons
#
# Now let the machine learn something. A hundred points lie on two half circles that reach into
# each other, with a little noise. No straight line separates them.

# %%
rng = np.random.default_rng(28)
angle = np.linspace(0, math.pi, 50)
upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
points = np.concatenate([upper, lower]) + 0.1 * rng.standard_normal((100, 2))
sides = np.repeat([1.0, -1.0], 50)

# %% [markdown]
# The network is the slide's **Fully-Connected Multilayer Perceptron**: 2 inputs, two hidden layers of
# 16 neurons, 1 output. The slide's formula leaves out the activation between the layers. It is
# needed: without it, W⁽²⁾(W⁽¹⁾x + b⁽¹⁾) + b⁽²⁾ would again be just one matrix times x plus one bias,
# and could draw straight lines only. We take the ReLU.
#
# A neuron is a list of weights and a bias, a layer is a list of neurons. We count
# 16·(2+1) + 16·(16+1) + 1·(16+1) = 337 parameters.


# %%
def make_layer(inputs, outputs):
    def neuron():
        weights = [tg.Scalar(v) for v in rng.uniform(-1, 1, inputs)]
        return weights, tg.Scalar(0.0)

    return [neuron() for _ in range(outputs)]


network = [make_layer(2, 16), make_layer(16, 16), make_layer(16, 1)]
parameters = [p for layer in network for weights, bias in layer for p in (*weights, bias)]

assert len(parameters) == 337


def score(point):
    """Positive: upper moon; negative: lower moon."""
    values = point
    for layer in network:
        values = [
            sum((w * v for w, v in zip(weights, values, strict=True)), bias)
            for weights, bias in layer
        ]
        if layer is not network[-1]:
            values = [v.relu() for v in values]
    return values[0]


first = score(points[0].tolist())
assert len(tg.Graph.of(first).nodes) > 1000

# %% [markdown]
# One point makes a graph of more than a thousand numbers: too many to look at. One neuron of the
# first layer can be looked at:

# %%
weights, bias = network[0][0]
weights[0].name, weights[1].name, bias.name = "w₁", "w₂", "bias"
one_neuron = sum((w * v for w, v in zip(weights, points[0].tolist(), strict=True)), bias).relu()

one_neuron_picture = viz.draw(one_neuron, direction="TB", legend=False)
one_neuron_picture

# %% [markdown]
# Scalars are for learning, not for speed. To ask for the scores of many points at once we write the
# same network a second time, with arrays. It records nothing. (The next step in the course is an
# engine that is as quick as this, and records.)


# %%
def scores(many):
    """What `score` gives, for all points at once, as plain numbers."""
    values = many
    for layer in network:
        w = np.array([[p.data for p in weights] for weights, _ in layer])
        b = np.array([bias.data for _, bias in layer])
        values = values @ w.T + b
        if layer is not network[-1]:
            values = np.maximum(values, 0)
    return values[:, 0]


assert math.isclose(scores(points)[0], first.data, rel_tol=1e-9)

# %% [markdown]
# What should the network be told? A point's score times its side, ±1, ought to be at least 1. What is
# missing to that is the point's loss, the **hinge**: relu(1 − side · score). The loss is the mean over
# all points.
#
# A point that scores well enough has loss 0 and gradient 0: it teaches nothing more today. So we
# need to record only the others, and the gradient is exactly the same.
#
# Source: the hinge loss is that of support vector machines, Cortes & Vapnik (1995); the loss,
# the starting values and the step sizes are those of micrograd's demonstration (but for its weight
# decay).

# %%
for step in range(100):
    margins = sides * scores(points)
    if step % 10 == 0 or (margins > 0).all():
        print(f"step {step:3d}: {np.mean(margins > 0):4.0%} of the points on the right side")
    if (margins > 0).all():
        break

    for p in parameters:
        p.grad = None
    for i in np.flatnonzero(margins < 1):
        hinge = (1 - sides[i] * score(points[i].tolist())).relu()
        hinge.backward(1 / len(points))  # backward adds, so this sums up the mean's gradient

    size = 1.0 - 0.009 * step
    for p in parameters:
        p.data -= size * p.grad

assert (sides * scores(points) > 0).all()  # 100 %

# %% [markdown]
# All hundred points are on the right side. Note where "backward twice adds" came in handy: each point
# has its own small graph, and the gradients add up to that of the mean loss.
#
# The last picture asks the network about every place in the plane.

# %%
import io

from matplotlib.figure import Figure

across, up = np.meshgrid(np.linspace(-1.5, 2.5, 160), np.linspace(-1.1, 1.6, 110))
plane = scores(np.stack([across.ravel(), up.ravel()], axis=1)).reshape(across.shape)

figure = Figure(figsize=(6, 4), layout="constrained")
axes = figure.subplots()
axes.contourf(across, up, plane, levels=[-np.inf, 0, np.inf], colors=["#cfe3f5", "#fbe3c3"])
axes.contour(across, up, plane, levels=[-1, 0, 1], colors="#444444", linestyles=["--", "-", "--"])
axes.scatter(*points[sides > 0].T, c="#d55e00", s=18, label="upper moon")
axes.scatter(*points[sides < 0].T, c="#0067a3", s=18, label="lower moon")
axes.set_title("score 0 (line), scores −1 and 1 (dashed)")
axes.legend(loc="lower left")

drawing = io.StringIO()
figure.savefig(drawing, format="svg")
moons_picture = viz.Picture(drawing.getvalue(), title="two moons")
moons_picture

# %% [markdown]
# ## What to take along
#
# - A gradient says how the result moves with a number.
# - Each operation knows only its local derivatives. Along a path they multiply; where paths meet,
#   gradients add.
# - Push from the result to the inputs, in an order in which every gradient is complete when it is
#   used.
# - Nudge to check.
