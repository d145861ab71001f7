# %% [markdown]
# # 17 · Your PyTorch network
#
# The networks of these tutorials were written for this engine. Yours is probably written in PyTorch. This
# page brings one in, a ResNet-18 of torchvision, and asks it what tutorials 7, 13, 14 and 15 asked of ours:
# how does the gradient flow, which paths carry it, what does a neuron see, and is a layer's gradient right?
# At the end it leaves as an ONNX file, and comes back.
#
# Slides: **Residual Block of Residual Networks** and **Properties of Residual Networks**, on a real network.
#
# Sources: K. He et al., *Deep Residual Learning for Image Recognition* (2015), for the network; `torch.export`
# writes it down.
#
# This tutorial needs PyTorch, torchvision and onnx, and ends here without them:
# `pip install "tinygrad_cnn[torchvision,onnx]"`.

# %%
from tinygrad_cnn.teaching import need

need("torch", "torchvision", "onnx", extras="torchvision,onnx")

# %%
import math
import tempfile
from pathlib import Path

import numpy as np
import torch

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.teaching.exercises import check, check_gradient

try:
    import torchvision
except (
    RuntimeError
):  # beside another build of PyTorch its own kernels are missing; a ResNet has none
    for name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{name}", "(Tensor d, Tensor s, float t) -> Tensor")
    import torchvision

# %% [markdown]
# ## Coming in
#
# One call. PyTorch runs the network on an example and writes down what it calls; each call becomes an op of
# this engine. The weights here are fresh ones; `weights="DEFAULT"` would download trained ones.

# %%
torch.manual_seed(0)
theirs = torchvision.models.resnet18(weights=None).eval()
net = tg.from_torch(theirs, torch.zeros(1, 3, 64, 64))

astronaut = tg.data.photographs()["astronaut"][:, ::3, ::3]
photo = tg.Tensor(astronaut[None], requires_grad=True, name="photo")
logits = net(photo)
with torch.no_grad():
    expected = theirs(torch.from_numpy(photo.data.copy())).numpy()

assert photo.shape == (1, 3, 80, 80)  # another size than the example's, since the network takes any
assert np.abs(logits.data - expected).max() < 1e-4 * np.abs(expected).max()

# %% [markdown]
# It is a Module like ours. Parameters have their names, so a state dict goes either way; modules have theirs.

# %%
state = net.state_dict()

assert state.keys() == theirs.state_dict().keys()
assert net.count_parameters() == sum(p.numel() for p in theirs.parameters()) == 11_689_512
print(net.layer1)

# %% [markdown]
# ## The gradient on every edge
#
# A trace listens while it runs forward and backward. The boxes are torchvision's modules, closed where they
# repeat; saved as .html, each opens at a click. A label is the norm of the gradient that flows there.

# %%
with tg.trace(keep="statistics") as trace:
    loss = tg.cross_entropy(net(photo), np.array([3]))
    loss.backward()

flow_picture = viz.gradient_flow(trace, depth=2)
flow_picture

# %% [markdown]
# Each recorded op knows the line of **PyTorch code** that called it: here, the addition at the end of the
# first residual block. It is written `out += identity` there.

# %%
added = next(event for event in trace.forward_events if event.op == "residual_add")
file, line = added.source

assert Path(file).name == "resnet.py"
assert Path(file).read_text().splitlines()[line - 1].strip() == "out += identity"

# %% [markdown]
# ## Its paths
#
# Eight blocks, so 2⁸ = 256 paths, split exactly (tutorial 14). An imported addition counts as the end of a
# block if one of its two sides was computed from the other, or both from the same value.

# %%
paths = tg.gradient_paths(tg.cross_entropy(net(photo), np.array([3])), wrt=photo)

assert paths.n_blocks == 8
assert sum(paths.count) == 256
assert math.isclose(sum(paths.shares), 1, abs_tol=1e-6)
assert np.allclose(sum(paths.by_length).data, photo.grad.data, atol=1e-6)

lengths_picture = viz.unroll(paths, kind="lengths")
lengths_picture

# %% [markdown]
# In three of the blocks the shortcut is no identity: where the image is halved, a 1×1 convolution with
# stride 2 stands in it (`downsample`). The first one is in `layer2`:

# %%
downsampling = sorted({name.rpartition(".downsample")[0] for name in state if "downsample" in name})

assert downsampling == ["layer2.0", "layer3.0", "layer4.0"]

# %% [markdown]
# ## What a neuron sees
#
# Receptive fields come from the recorded graph, so they need nothing of ours either.

# %%
field = tg.receptive_field(net, (1, 3, 80, 80), layer="layer1.1.bn2")

assert field.size == (43, 43)  # (7×7, then 3×3 pooling, then four 3×3) with strides 2 and 2

cone_picture = viz.receptive_field(field, image=astronaut)
cone_picture

# %% [markdown]
# ## A layer written in PyTorch, checked
#
# PyTorch lets you write a gradient yourself, too, in an `autograd.Function`. Here is the swish, x·σ(x), and in
# its backward a mistake that training does not show: it learns all the same, only worse.


# %%
class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * torch.sigmoid(x)  # and the product rule?


def swish(x):
    """The layer, from array to array."""
    return Swish.apply(torch.from_numpy(x)).numpy()


def swish_vjp(g, x):
    """Its own backward, from arrays to an array."""
    leaf = torch.from_numpy(x.copy()).requires_grad_()
    Swish.apply(leaf).backward(torch.from_numpy(g.copy()))
    return leaf.grad.numpy()


x = np.random.default_rng(0).standard_normal((2, 3))
report = tg.gradcheck(swish, [x], vjp=swish_vjp)
print(report)

assert not report

# %% [markdown]
# ## Going out, and coming back
#
# ONNX is a file format that most frameworks and runtimes read. What was imported can be written, and what
# was written can be read again, by this engine or by another.

# %%
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "resnet18.onnx"
    tg.to_onnx(net, path, photo)
    megabytes = path.stat().st_size / 1e6
    back = tg.from_onnx(path)

assert round(megabytes) == 47  # 11.7 million numbers of 4 bytes
assert np.abs(back(photo).data - expected).max() < 1e-4 * np.abs(expected).max()

# %% [markdown]
# ## Your turn
#
# Put your answers in place of the dots. Solutions are in `solutions/17_your_pytorch_network.py`.
#
# **Exercise 1.** How many of this network's paths go through exactly 3 branches? And how many take no
# shortcut that is an identity? (They still choose in `layer2.0`, `layer3.0` and `layer4.0`.)

# %% Exercise 1
of_three_branches, without_identities = ..., ...

# %%
check("of_three_branches", of_three_branches, paths.count[3])
check("without_identities", without_identities, 2 ** len(downsampling))

# %% [markdown]
# **Exercise 2.** Mend the backward of the swish: with s = σ(x), the derivative of x·s is s + x·s·(1 − s).
# Write it with torch's functions; `g` and `x` are tensors.


# %% Exercise 2
def swish_backward(g, x):
    return ...


# %%
def mended_vjp(g, x):
    answer = swish_backward(torch.from_numpy(g.copy()), torch.from_numpy(x.copy()))
    return answer.numpy() if isinstance(answer, torch.Tensor) else answer


mended_vjp.__name__ = "swish_backward"
check_gradient(mended_vjp, swish, x)

# %% [markdown]
# ## What to take along
#
# - `tg.from_torch(module, example)` and `tg.from_onnx(file)` give a Module: its names, its values, its source
#   lines; `tg.to_onnx` writes one.
# - Everything here works on it: flow, paths, receptive fields, checks.
# - From the shell: `tinygrad-cnn flow mynet.py:Net --input 1,3,224,224`.
