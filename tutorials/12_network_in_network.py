# %% [markdown]
# # 12 · Network in network
#
# AlexNet keeps most of its parameters in the dense layers at its end. *Network in Network* does without
# them, by two ideas that many later networks have kept: 1×1 convolutions, and global average pooling.
#
# Slides: **Network in Network (NiN)**, **Global Average Pooling**, and the ones between.
#
# Sources: M. Lin, Q. Chen & S. Yan, *Network In Network* (2013); the network is that of *Dive into Deep
# Learning*, section 8.3.

# %%
import numpy as np

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.teaching.exercises import check

random = np.random.default_rng(12)

# %% [markdown]
# ## A dense layer at every pixel
#
# A 1×1 convolution sees one pixel at a time, with all its channels. It takes a vector of c numbers, and
# makes another vector of them: a small fully connected layer, the same one at each pixel. The slides
# call it "cascade cross channel parametric pooling", after the paper. As a matrix product:

# %%
x = random.standard_normal((2, 3, 4, 5)).astype(np.float32)
layer = tg.nn.Conv2d(3, 6, 1)
W, b = layer.weight.data[:, :, 0, 0], layer.bias.data

pixels = x.transpose(0, 2, 3, 1).reshape(-1, 3)  # 40 vectors of 3 channels
by_hand = (pixels @ W.T + b).reshape(2, 4, 5, 6).transpose(0, 3, 1, 2)

assert np.allclose(layer(tg.Tensor(x)).data, by_hand, atol=1e-6)

arithmetic_picture = viz.convolution(
    np.arange(1, 10).reshape(1, 3, 3) + np.array([0, 10]).reshape(2, 1, 1),
    np.array([1, 2]).reshape(1, 2, 1, 1),
    at=(1, 1),
)
arithmetic_picture

# %% [markdown]
# A **NiN block** is an ordinary convolution followed by two of these, with a ReLU after each. So what
# slides over the image is not a linear filter any more, but a small network: hence the name.
#
# Without the ReLUs it would be pointless. Linear steps in a row are one linear step, with the product of
# the matrices:

# %%
first, second = tg.nn.Conv2d(3, 6, 1, bias=False), tg.nn.Conv2d(6, 4, 1, bias=False)
merged = np.einsum("om,mc->oc", second.weight.data[..., 0, 0], first.weight.data[..., 0, 0])

assert np.allclose(
    second(first(tg.Tensor(x))).data,
    tg.conv2d(tg.Tensor(x), tg.Tensor(merged[..., None, None])).data,
    atol=1e-6,
)

# %% [markdown]
# ## Global average pooling
#
# The last block makes one map per class. The mean of each map is the class's score: no weights at all,
# and any image size will do. A class's score is the mean of its map, so its map shows *where* the
# network finds that class (Lin et al., section 4.6).

# %%
maps = tg.Tensor(random.standard_normal((1, 10, 5, 5)).astype(np.float32))

assert np.allclose(tg.global_avg_pool(maps).data, maps.data.mean(axis=(2, 3)), atol=1e-6)

# %% [markdown]
# Each of the 25 positions has the same say. Its gradient is that of the class's score, divided by 25:

# %%
maps = tg.Tensor(maps, requires_grad=True, name="maps")
tg.global_avg_pool(maps)[0, 3].backward()

assert np.allclose(maps.grad.data[0, 3], 1 / 25)
assert not maps.grad.data[0, [0, 1, 2, 4, 5, 6, 7, 8, 9]].any()

# %% [markdown]
# ## The whole network

# %%
tg.manual_seed(0)
nin = tg.models.NiN().eval()
with tg.trace(keep="statistics") as trace:
    nin(tg.Tensor(np.zeros((1, 1, 224, 224), np.float32)))
shapes = [event.node.shape[1:] for event in trace.forward_events]

assert nin.count_parameters() == 1_992_166
for shape in [(96, 54, 54), (96, 26, 26), (256, 26, 26), (256, 12, 12), (384, 12, 12)]:
    assert shape in shapes
for shape in [(384, 5, 5), (10, 5, 5), (10,)]:
    assert shape in shapes

network_picture = viz.architecture(nin)
network_picture

# %% [markdown]
# ## What it saves
#
# Beside AlexNet (for one channel and ten classes), NiN has a twenty-third of the parameters. 92 % of
# AlexNet's sit in its first two dense layers.

# %%
alexnet = tg.models.AlexNet()
dense = 6400 * 4096 + 4096 + 4096 * 4096 + 4096

assert alexnet.count_parameters() == 46_764_746
assert round(alexnet.count_parameters() / nin.count_parameters()) == 23
assert round(100 * dense / alexnet.count_parameters()) == 92

# %% [markdown]
# What it costs: the slide warns of "a potential increase in training time". A parameter in a dense layer
# is used once per image, one in a convolution at every pixel. So the *arithmetic* does not shrink with
# the parameters; four fifths of AlexNet's are left:

# %%
with tg.trace(keep="statistics") as alexnet_trace:
    alexnet.eval()(tg.Tensor(np.zeros((1, 1, 224, 224), np.float32)))

work = {
    name: sum(event.multiply_adds for event in run.forward_events)
    for name, run in {"NiN": trace, "AlexNet": alexnet_trace}.items()
}
print({name: f"{count / 1e6:.0f} million multiply-adds" for name, count in work.items()})

assert round(work["NiN"] / work["AlexNet"], 1) == 0.8  # with 1/23 of the parameters

# %% [markdown]
# ## A small one, learning
#
# Two small NiN blocks on 28×28 images: 10 channels of output, averaged, no dense layer. It learns 1,600
# images in eight epochs, from one seed.


# %%
def block(inputs, outputs, size, stride=1):
    layers = [tg.nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2), tg.nn.ReLU()]
    for _ in range(2):
        layers += [tg.nn.Conv2d(outputs, outputs, 1), tg.nn.ReLU()]
    return tg.nn.Sequential(*layers)


tg.manual_seed(0)
small = tg.nn.Sequential(
    block(1, 16, 5, stride=2), tg.nn.MaxPool2d(2), block(16, 10, 3), tg.nn.GlobalAvgPool2d()
)
clothes, held_out = tg.data.fashion_mnist("train"), tg.data.fashion_mnist("test")
history = tg.train.fit(
    small,
    tg.data.DataLoader(clothes, batch_size=32, seed=0),
    tg.optim.Adam(small.parameters(), lr=0.005),
    epochs=8,
    held_out=held_out,
    progress=False,
)
accuracy = history.epochs[-1].held_out_accuracy
print(f"{small.count_parameters():,} parameters, held-out accuracy {accuracy:.2f}")

assert accuracy > 0.5  # chance is 0.1

training_picture = viz.training(history)
training_picture

# %% [markdown]
# And as it has no dense layer, it takes images of another size as well, say the middle 20×20 pixels of
# each:

# %%
middle = held_out.inputs[..., 4:24, 4:24]

assert small(tg.Tensor(middle)).shape == (len(held_out), 10)

# %% [markdown]
# ## Your turn
#
# Put your answers in place of the dots. The cell after each exercise says whether you are right, and if
# not, what is wrong. Solutions are in `solutions/12_network_in_network.py`.
#
# **Exercise 1.** How many parameters has a 1×1 convolution from 96 to 96 channels, with bias? And a
# dense layer from 96 maps of 54×54 to as many numbers, without bias?

# %% Exercise 1
one_by_one, dense_weights = ..., ...

# %%
check("one_by_one", one_by_one, tg.nn.Conv2d(96, 96, 1).count_parameters())
check("dense_weights", dense_weights, float(96 * 54 * 54) ** 2)

# %% [markdown]
# **Exercise 2.** Merge the two 1×1 convolutions below into one matrix of shape (2, 3).

# %%
A = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]])  # the first: 3 channels to 2
B = np.array([[1.0, -1.0], [3.0, 0.0]])  # the second: 2 channels to 2

# %% Exercise 2
both = ...

# %%
check("both", both, tg.jacobian(lambda v: tg.matmul(B, tg.matmul(A, v)))(np.ones(3)))

# %% [markdown]
# ## What to take along
#
# - A 1×1 convolution is a fully connected layer at each pixel.
# - Global average pooling turns one map per class into scores, without a parameter.
# - Fewer parameters are not less arithmetic.
