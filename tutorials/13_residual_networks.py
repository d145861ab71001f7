# %% [markdown]
# # 13 · Residual networks
#
# More layers can express more. Yet for years, networks of more than some twenty layers learned *worse*,
# even on the images they were trained on. Residual networks changed that with one addition: a block's
# output is its input plus what its layers make of it, x + F(x).
#
# Slides: **What are Residual Networks**, **Residual Block of Residual Networks**, **Why Residual
# Networks are important**, **Why Residual Networks work**, **Gradient computation of Residual
# Networks**. (The first slide's "RasNet" is ResNet.)
#
# Sources: K. He, X. Zhang, S. Ren & J. Sun, *Deep Residual Learning for Image Recognition* (2015), and
# by the same authors *Identity Mappings in Deep Residual Networks* (2016). The ResNet-18 is that of
# *Dive into Deep Learning*, section 8.6.

# %%
import numpy as np

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.teaching.exercises import check, check_gradient

nn = tg.nn

# %% [markdown]
# ## The block
#
# A residual block has two ways from its input to its output: the **branch** F, and the **shortcut**,
# which hands the input on as it is. They meet in an addition.

# %%
tg.manual_seed(0)
block = nn.Residual(
    nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 2, 3, padding=1))
)
values = np.random.default_rng(0).standard_normal((1, 2, 4, 4)).astype(np.float32)
x = tg.Tensor(values, requires_grad=True, name="x")
y = block(x)

assert np.allclose(y.data, x.data + block.branch(x).data)

block_picture = viz.draw(y)
block_picture

# %% [markdown]
# So a branch has to learn only what is still missing, the **residual** H(x) − x. In the slides' words:
# "each layer only need to learn things that other layers not yet learned". If nothing is missing, it
# need only become 0, and the block hands on its input:

# %%
idle = nn.Residual(nn.Conv2d(2, 2, 3, padding=1, bias=False))
idle.branch.weight.data = np.zeros((2, 2, 3, 3), np.float32)

assert np.array_equal(idle(x).data, x.data)

# %% [markdown]
# ## Simply add gradients
#
# Slide **Gradient computation of Residual Networks**. Let g be the gradient at y = x + F(x). An addition
# hands g to both its inputs. Along the shortcut it arrives as it is; through the branch it becomes Jᵀg,
# where J is the branch's Jacobian. At x the two are added:
#
# **gradient at x = g + Jᵀg**
#
# So "simply add gradients" is right, if one says which: at each block, what came along the shortcut and
# what came through *that* block's branch. The gradient of a whole stack is a product ∏(I + Jᵢᵀ)g, not a
# plain sum of Jᵢᵀg.

# %%
g = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
through_both = tg.grad(y, x, grad_outputs=g)
through_the_branch = tg.grad(block.branch(x), x, grad_outputs=g)

assert np.allclose(through_both.data, g + through_the_branch.data, atol=1e-6)

# %% [markdown]
# Step back through the block: the addition hands g to both sides. At x the shortcut's g is there first,
# and waits; when Jᵀg arrives from the branch, the two are added, and x has its gradient.

# %%
with tg.trace() as recorded:
    y = block(x)
    y.backward(g)

assert np.allclose(x.grad.data, through_both.data, atol=1e-6)

steps_picture = viz.step(recorded, title="one residual block")
steps_picture

# %% [markdown]
# If the branch's gradient is tiny, or if the branch has died altogether, g still arrives. In a plain
# network, a layer with J = 0 lets nothing through. With numbers: twenty layers, each of which multiplies
# by 0.1.

# %%
plain, residual = (tg.Scalar(1.0, name="x") for _ in range(2))
plain_out, residual_out = plain, residual
for _ in range(20):
    plain_out = 0.1 * plain_out
    residual_out = residual_out + 0.1 * residual_out
plain_out.backward()
residual_out.backward()

assert np.isclose(plain.grad, 0.1**20)
assert np.isclose(residual.grad, 1.1**20)
print(f"plain {plain.grad:.0e}, residual {residual.grad:.2f}")

# %% [markdown]
# ## The gradient, layer by layer
#
# Two networks of 20 layers with sigmoids, the same weights in both, one with shortcuts and one without.
# How much gradient reaches each layer?


# %%
def deep(residual):
    tg.manual_seed(0)
    layers = [nn.Sequential(nn.Linear(32, 32), nn.Sigmoid()) for _ in range(20)]
    stack = [nn.Residual(layer) if residual else nn.Sequential(branch=layer) for layer in layers]
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.Sequential(*stack), nn.Linear(32, 10))


clothes, held_out = tg.data.fashion_mnist("train"), tg.data.fashion_mnist("test")
traces = {}
for name in ("plain", "residual"):
    model = deep(name == "residual")
    with tg.trace() as traces[name]:
        tg.cross_entropy(model(tg.Tensor(clothes.inputs[:32])), clothes.labels[:32]).backward()

bars_picture = viz.gradient_bars(traces)
bars_picture

# %%
reached = {
    name: float(np.linalg.norm(trace.gradient(trace.forward_events[1].node)))
    for name, trace in traces.items()
}  # at the output of the first dense layer
print(reached)

assert reached["plain"] < reached["residual"] / 4**20
assert 1e12 < 4**20 < 2e12

# %% [markdown]
# A sigmoid's slope is at most ¼. So twenty of them shrink a gradient 4²⁰ times, about 10¹², unless the
# weights make up for it; here they shrink it further. The shortcuts pass these slopes by.
#
# ## Deeper and deeper
#
# Slide **Why Residual Networks are important**: plain, #layers ↑, accuracy ↓; residual, #layers ↑,
# accuracy ↑. Here are nets of 2, 12 and 36 convolutions of 8 channels, on 1,600 images averaged down to
# 7×7, trained for two epochs. Every block is batch normalization, ReLU, convolution; plain and residual
# differ in the additions alone.


# %%
def network(n, residual, width=8):
    def branch():
        return nn.Sequential(
            nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)
        )

    blocks = [nn.Residual(branch()) if residual else branch() for _ in range(n)]
    ends = nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten(), nn.Linear(49 * width, 10)
    return nn.Sequential(
        nn.AvgPool2d(4), nn.Conv2d(1, width, 3, padding=1), nn.Sequential(*blocks), *ends
    )


def train(n, residual):
    tg.manual_seed(0)
    model = network(n, residual)
    loader = tg.data.DataLoader(clothes, batch_size=64, seed=0)
    optimizer = tg.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    return tg.train.fit(model, loader, optimizer, epochs=2, progress=False)


histories = {
    f"{'residual' if residual else 'plain'} {n}": train(n, residual)
    for residual in (False, True)
    for n in (2, 12, 36)
}
losses = {name: history.epochs[-1].loss for name, history in histories.items()}
for name, value in losses.items():
    print(f"{name:12} training loss {value:.2f}")

# %%
assert losses["plain 2"] < losses["plain 12"] < losses["plain 36"]
assert max(losses[f"residual {n}"] for n in (2, 12, 36)) < losses["plain 12"]

training_picture = viz.training(histories)
training_picture

# %% [markdown]
# The deeper plain network is worse on the images *that it learns from*. So this is not overfitting: it
# is harder to train. With shortcuts all three learn alike. (One seed, two epochs, tiny images: the first
# half of the slide shows clearly here. The second, that more layers make it *better*, needs more data
# and time; see He et al., table 6, for 20 to 110 layers.)
#
# Why do plain ones fail? With batch normalization their gradients do not simply vanish, as He et al.
# remark themselves. Balduzzi et al., *The Shattered Gradients Problem* (2017), find that they turn into
# noise: two images that are nearly alike get unrelated gradients. With shortcuts they do so far more
# slowly.
#
# ## A ReLU after the addition
#
# In He et al.'s first networks a ReLU follows each addition: y = relu(x + F(x)). Then the shortcut is
# not free any more. Where x + F(x) is negative, the ReLU's mask is 0, and the gradient along *both* ways
# is gone.

# %%
x = tg.Tensor(np.array([1.0, 1.0]), requires_grad=True, name="x")
masked = tg.relu(tg.residual_add(x, x * np.array([-3.0, 2.0])))
masked.sum().backward()

assert masked.data.tolist() == [0, 3]
assert x.grad.data.tolist() == [0, 1 + 2]

masked_picture = viz.draw(masked)
masked_picture

# %% [markdown]
# Their second paper moves the ReLU (and batch normalization) to the front of the branch,
# "pre-activation", so that the shortcuts are clear from end to end. The networks above are built that
# way. A shortcut that multiplies by λ instead of 1 would be as bad: over L blocks it makes λᴸ, and 0.9⁵⁴
# = 0.0034.

# %%
assert np.isclose(0.9**54, 0.0034, atol=1e-4)

# %% [markdown]
# ## ResNet-18
#
# Eight blocks of two convolutions each. Where a stage halves the image and doubles the channels, the
# shortcut is a 1×1 convolution with the same stride, so that the shapes fit.

# %%
resnet = tg.models.resnet18().eval()

assert resnet.count_parameters() == 11_178_378

with tg.trace(keep="statistics") as trace:
    resnet(tg.Tensor(np.zeros((1, 1, 96, 96), np.float32)))
shapes = {event.scope.split(".")[0]: event.node.shape for event in trace.forward_events}

assert shapes["maxpool"] == shapes["layer1"] == (1, 64, 24, 24)
assert shapes["layer2"] == (1, 128, 12, 12)
assert shapes["layer3"] == (1, 256, 6, 6)
assert shapes["layer4"] == (1, 512, 3, 3)

resnet_picture = viz.architecture(resnet, (1, 1, 96, 96))
resnet_picture

# %% [markdown]
# ## Your turn
#
# Put your answers in place of the dots. The cell after each exercise says whether you are right, and if
# not, what is wrong. Solutions are in `solutions/13_residual_networks.py`.
#
# **Exercise 1.** Three blocks in a row with F(x) = 2x each. What is the gradient of the output at the
# input? And of the plain network with the same three branches?

# %% Exercise 1
residual_gradient, plain_gradient = ..., ...

# %%
start = tg.Scalar(1.0)
h = start
for _ in range(3):
    h = h + 2 * h
h.backward()
check("residual_gradient", residual_gradient, start.grad)
check("plain_gradient", plain_gradient, 2 * 2 * 2)

# %% [markdown]
# **Exercise 2.** Write the vjp of the block y = relu(x + w·x), with numbers w (one for each element of
# x), for both inputs.


# %% Exercise 2
def block_vjp(g, x, w):
    return ..., ...


# %%
check_gradient(
    block_vjp,
    lambda x, w: np.maximum(x + w * x, 0),
    [np.array([1.0, 2.0, -1.0]), np.array([0.5, -3.0, 1.0])],
)

# %% [markdown]
# **Exercise 3.** ResNet-18's stage 3 begins with a 1×1 convolution of the shortcut, from 128 to 256
# channels, with bias. How many parameters has it?

# %% Exercise 3
shortcut_parameters = ...

# %%
projection = resnet.layer3[0].downsample
check("shortcut_parameters", shortcut_parameters, projection.count_parameters())

# %% [markdown]
# ## What to take along
#
# - A block computes x + F(x); its gradient is g + Jᵀg, so g always arrives.
# - Plain networks get harder to train as they get deeper; with shortcuts far less.
# - What stands on the shortcut, be it a ReLU or a factor, multiplies over all blocks. Keep it clear.
# - How many ways through the blocks there are, and which of them matter: tutorial 14.
