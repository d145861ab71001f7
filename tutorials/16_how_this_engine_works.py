# %% [markdown]
# # 16 · How this engine works
#
# Fifteen tutorials have used the engine. This one opens it. There are five ideas in it, and each is
# small: an op, a graph, a walk backwards, a trace, a replay. At the end you add an op of your own, with
# its tests.
#
# Slides: all of them rest on this; **Gradient computation of Residual Networks** ("Simply add gradients
# from following layers") says the heart of it.
#
# Sources: reverse-mode differentiation by a recorded graph goes back to S. Linnainmaa's thesis (1970); a
# survey is A. Baydin et al., *Automatic Differentiation in Machine Learning* (2018). The house's own
# description is `ARCHITECTURE.md`.

# %%
import gc
import math
import weakref

import numpy as np

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.teaching.exercises import check, check_gradient

# %% [markdown]
# ## An op
#
# An op is a function of plain arrays, and a **vjp** (vector-Jacobian product, tutorial 15) that says how
# a gradient passes back through it. Called on arrays, it is NumPy: it returns an array, and nothing is
# recorded.

# %%
square = tg.op("square", lambda x: x * x, lambda g, y, x: 2 * g * x)

assert isinstance(square(np.array([1.0, 2.0])), np.ndarray)

# %% [markdown]
# Called on a Tensor that wants a gradient, it leaves a **node** behind. A node knows its value, its op
# and its input nodes, and that is all a graph is made of.

# %%
x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True, name="x")
y = square(x)
z = (y * y).sum()

assert y.node.op is square
assert list(y.node.inputs) == [x.node]
assert y.node.value.tolist() == [1, 4, 9]

# %% [markdown]
# ## A graph
#
# `tg.Graph.of(z)` collects the nodes behind z. The product y·y uses y twice, so two **edges** lead from
# y to it, told apart by their place among the arguments. If they were one, y's gradient would come out
# half as large.

# %%
graph = tg.Graph.of(z)

assert [node.op.name if node.op else "input" for node in graph.nodes] == [
    "input", "square", "multiply", "sum",
]  # fmt: skip
assert len(graph.edges) == 4

graph_picture = viz.draw(z)
graph_picture

# %% [markdown]
# Each node keeps hold of its inputs, and no input knows who uses it. So there are no cycles, and a graph
# is gone as soon as its last result is: no collector has to come by.

# %%
gc.disable()
here = tg.Tensor(np.ones(1000), requires_grad=True)
result = (here * 2).sum()
watched = weakref.ref(result.node)
del result

assert watched() is None
gc.enable()

# %% [markdown]
# ## The walk back
#
# Inputs are made before what is computed from them. So in the order in which the nodes were made, read
# from its end, every node comes after all its users, and when its turn has come, its gradient is
# complete. The whole backward pass fits into a cell:


# %%
def backward_by_hand(graph):
    """The gradient at every node of a graph whose output is one number."""
    gradients = {graph.outputs[0]: np.ones_like(graph.outputs[0].value)}
    for node in reversed(graph.nodes):
        if node.op is None:
            continue  # an input: nothing behind it
        values = [source.value for source in node.inputs]
        _, pull = tg.vjp(
            lambda *tensors, node=node: node.op(*tensors, **(node.options or {})), *values
        )
        passed = pull(gradients[node])
        passed = passed if isinstance(passed, tuple | list) else [passed]
        for source, gradient in zip(node.inputs, passed, strict=True):
            gradients[source] = gradients.get(source, 0) + gradient.data  # simply add
    return gradients


z.backward()
by_hand = backward_by_hand(graph)

assert np.allclose(by_hand[x.node], x.grad.data)
assert x.grad.data.tolist() == [4 * v**3 for v in (1, 2, 3)]  # z = Σ x⁴

# %% [markdown]
# No function calls itself in it, so its depth has no limit. A chain of 100,000 operations:

# %%
start = tg.Tensor(1.0, requires_grad=True)
end = start
for _ in range(100_000):
    end = end * 1.00001
end.backward()

assert math.isclose(start.grad.item(), math.e, rel_tol=0.01)  # (1 + 10⁻⁵) to the 100,000th

# %% [markdown]
# ## A gradient that remembers
#
# A vjp is written with the same operators as everything else. Hand it Tensors instead of arrays, and it
# records what it does. So the gradient is a result like any other: it has a graph, can be drawn, and has
# a gradient. z = Σ x⁴, so its first derivative is 4x³, its second 12x².

# %%
z = (square(x) * square(x)).sum()
first = tg.grad(z, x, create_graph=True)
second = tg.grad(first.sum(), x)

assert first.data.tolist() == [4, 32, 108]
assert second.data.tolist() == [12, 48, 108]

backward_picture = viz.draw(first)
backward_picture

# %% [markdown]
# ## A trace
#
# A graph tells what was computed, and not when, where, or what flowed back. `tg.trace()` listens while a
# program runs, and notes each event, forward and backward, with the line of your program.

# %%
model = tg.nn.Sequential(tg.nn.Linear(3, 4), tg.nn.Tanh(), tg.nn.Linear(4, 1))
with tg.trace() as trace:
    loss = model(tg.Tensor([[1.0, 2.0, 3.0]])).sum()
    loss.backward()

kinds = [event.op for event in trace.forward_events]
assert kinds == ["linear", "tanh", "linear", "sum"]
assert [event.op for event in trace.backward_events] == kinds[::-1]
print(trace.summary())

flow_picture = viz.gradient_flow(trace)
flow_picture

# %% [markdown]
# `viz.step` shows the events one after the other. So does `tinygrad-cnn step FILE.py` for a program of
# yours.

# %%
steps_picture = viz.step(trace, title="what a trace recorded")
steps_picture

# %% [markdown]
# ## A replay
#
# Forward functions are pure: the same inputs, the same output. So a recorded program can be run again
# with another value somewhere in the middle, without the program. Only what depends on that value is
# computed again. "What if" pictures and lesions are made in this way.

# %%
hidden = trace.forward_events[1].node  # what tanh made
silent = tg.Graph.of(loss).replay({hidden: np.zeros(hidden.value.shape, hidden.value.dtype)})
bias = model.state_dict()["2.bias"]

assert np.allclose(silent[loss].data, bias.sum())  # with nothing hidden, only the bias is left

# %% [markdown]
# ## A change of mind
#
# A value that an op has used must not change before the walk back: the vjp would read the new one. So
# this engine counts versions, and refuses. (PyTorch does so, too, but not for a change by way of
# `.data`.)

# %%
weight = tg.Tensor([2.0], requires_grad=True, name="weight")
loss = (weight * weight).sum()
weight.data = np.array([3.0], np.float32)

try:
    loss.backward()
except tg.errors.GraphError as error:
    refused = str(error)
    print(refused)

assert "weight" in refused

# %% [markdown]
# ## An op of your own, with its tests
#
# Everything that the built-in ops have, yours can have. Here is the smooth maximum of two numbers,
# log(eᵃ + eᵇ), in some thirty lines: forward, gradient, the textbook **definition** of one output
# element, and tests.


# %%
@tg.op
def smooth_max(a, b):
    return np.logaddexp(a, b)


@smooth_max.vjp
def _(g, y, a, b):
    return g * tg.exp(a - y), g * tg.exp(b - y)  # broadcasting is undone for you


@smooth_max.definition
def _(at, a, b):
    return (a[at].exp() + b[at].exp()).log()


def test_smooth_max():
    random = np.random.default_rng(0)
    a, b = random.standard_normal((2, 4, 3))
    # against its formula, with numbers too large for that
    assert np.allclose(smooth_max(a, b), np.log(np.exp(a) + np.exp(b)))
    assert smooth_max(1000.0, 0.0) == 1000
    # its gradient, with broadcasting, and to second order
    assert tg.gradcheck(smooth_max, [a, b])
    assert tg.gradcheck(smooth_max, [a, b[0]], order=2)
    # every element against the definition
    ta, tb = tg.Tensor(a, requires_grad=True), tg.Tensor(b, requires_grad=True)
    y = smooth_max(ta, tb)
    for at in np.ndindex(y.shape):
        assert math.isclose(tg.zoom(y, at).output.data, y.data[at])


test_smooth_max()

# %% [markdown]
# Because it has a definition, it can be opened and drawn like any built-in op:

# %%
a = tg.Tensor([0.5, 1.0], requires_grad=True, name="a")
b = tg.Tensor([0.0, 2.0], requires_grad=True, name="b")
opened = tg.zoom(smooth_max(a, b), 0)
opened.output.backward()

zoom_picture = viz.draw(opened, legend=False)
zoom_picture

# %% [markdown]
# ## Your turn
#
# Put your answers in place of the dots. The cell after each exercise says whether you are right, and if
# not, what is wrong. Solutions are in `solutions/16_how_this_engine_works.py`.
#
# **Exercise 1.** For q = (w + w)·w + 1: how many edges lead out of w, and what is the gradient at w = 3?

# %% Exercise 1
edges_out_of_w, gradient_at_w = ..., ...

# %%
w = tg.Scalar(3.0)
q = (w + w) * w + 1
q.backward()
out_of_w = sum(node is w.node for n in tg.Graph.of(q).nodes for node in n.inputs)
check("edges_out_of_w", edges_out_of_w, out_of_w)
check("gradient_at_w", gradient_at_w, w.grad)

# %% [markdown]
# **Exercise 2.** Softplus is log(1 + eˣ). Write its vjp; it gets the gradient g, and x.


# %% Exercise 2
def softplus_vjp(g, x):
    return ...


# %%
check_gradient(softplus_vjp, lambda x: np.logaddexp(x, 0), np.array([-2.0, 0.0, 3.0]))

# %% [markdown]
# ## What to take along
#
# - An op is a forward and a vjp; nodes point to their inputs; backward walks from the youngest to the
#   oldest, and adds.
# - A vjp made of ops gives gradients of gradients for free.
# - A trace adds when and where; a replay asks "what if".
# - A new op is a few lines, and its tests check it against its formula, its definition and finite
#   differences.
