# %% [markdown]
# # 7 · Receptive fields
#
# A neuron in the first layer sees 5×5 pixels, and can know about an edge. To know about a shoe, it
# would have to see all of the shoe. So how much does a neuron further up see? That can be worked
# out with two numbers for each layer, and it can be *measured*, by asking which pixels have a
# gradient.
#
# Slides: **Receptive Field** (two), and the layer sizes of **LeNet vs. AlexNet**.
#
# Sources: the arithmetic is told well by Araujo, Norris & Sim, *Computing receptive fields of
# convolutional neural networks*, Distill (2019); the effective field is from Luo, Li, Urtasun &
# Zemel, *Understanding the effective receptive field in deep convolutional neural networks* (2016).

# %%
import numpy as np

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.teaching.exercises import check, check_function

# %% [markdown]
# ## Two layers of 2×2
#
# The slide's definition: *for any element x of some layer, its receptive field refers to all the
# elements (from all the previous layers) that may affect the calculation of x during the forward
# propagation.*
#
# Its example has two convolutions of 2×2. An element at the end depends on 2×2 elements in between.
# Each of those depends on 2×2 pixels; but their windows overlap, so together they cover 3×3 pixels,
# not 4×4.

# %%
tg.manual_seed(0)
two_layers = tg.nn.Sequential(
    first=tg.nn.Conv2d(1, 1, kernel_size=2), second=tg.nn.Conv2d(1, 1, kernel_size=2)
)
field = tg.receptive_field(two_layers, (1, 1, 6, 6), index=(1, 1))
print(field)

assert field.size == (3, 3)
assert field.layers[0].field[0].size == 2

cone_picture = viz.receptive_field(two_layers, (1, 1, 6, 6), index=(1, 1))
cone_picture

# %% [markdown]
# The slide's title says "receptive field (filter size)". For the first layer that is the same
# thing. From the second layer on the field is larger than the filter, and that is the point of
# having several layers.
#
# ## Asking the gradient
#
# "May affect" is a question that a gradient answers: a pixel that cannot move the result has
# gradient 0. With all weights 1, the gradient even counts in how *many* ways each pixel gets there.

# %%
for layer in (two_layers.first, two_layers.second):
    layer.weight.data = np.ones((1, 1, 2, 2), np.float32)

x = tg.Tensor(np.zeros((1, 1, 6, 6)), dtype="float32", requires_grad=True, name="X")
ways = tg.grad(two_layers(x)[0, 0, 1, 1], x).data[0, 0]

assert ways[1:4, 1:4].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
assert ways.sum() == 16  # 4 windows of 4 pixels
assert np.count_nonzero(ways) == 9

ways_picture = viz.panels({"in how many ways": ways})
ways_picture

# %% [markdown]
# The pixel in the middle is in all four windows. It has four times the say of the corners. We come
# back to this.
#
# ## Two numbers for each layer
#
# How wide is the field, and how far apart are the fields of two neighbours? The first is the
# **size** r, the second the **jump** j, both in pixels. A pixel sees itself: r = 1, j = 1. A layer
# with a kernel of k and a stride of s takes k neighbours, which are j apart:
#
# r ← r + (k − 1) · j, and then j ← j · s
#
# Padding is not in it. It shifts fields over the border of the image, and does not make them
# larger. (*start* in the tables is where the first element's field begins: −2 is two pixels out in
# the padding.) Pooling counts like a convolution.


# %%
def field_sizes(layers):
    """The field's size after each layer, from (kernel, stride) of each."""
    size, jump, sizes = 1, 1, []
    for kernel, stride in layers:
        size += (kernel - 1) * jump
        jump *= stride
        sizes.append(size)
    return sizes


assert field_sizes([(2, 1), (2, 1)]) == [2, 3]

# %% [markdown]
# Without stride, each 3×3 layer adds 2. So two of them see 5×5, with 2·9 = 18 weights (for each
# pair of channels), where a single 5×5 kernel needs 25; three see 7×7 with 27 instead of 49, and
# there are nonlinearities in between. That is the idea of VGG (Simonyan & Zisserman, 2014).

# %%
assert field_sizes([(3, 1)] * 3) == [3, 5, 7]
assert 2 * 9 == 18 < 25
assert 3 * 9 == 27 < 49

# %% [markdown]
# ## LeNet and AlexNet
#
# Stride and pooling multiply the jump, and from then on each layer adds more. LeNet's second
# convolution adds 4·2 pixels, not 4.

# %%
lenet = tg.models.LeNet()
print(tg.receptive_field(lenet, (1, 1, 28, 28), layer="features.pool2"))

assert field_sizes([(5, 1), (2, 2), (5, 1), (2, 2)]) == [5, 6, 14, 16]


def sizes_by_library(model, input_shape, last):
    found = tg.receptive_field(model, input_shape, layer=last)
    return [layer.field[0].size for layer in found.layers]


assert sizes_by_library(lenet, (1, 1, 28, 28), "features.pool2") == [5, 6, 14, 16]

lenet_picture = viz.receptive_field(
    lenet, layer="features.pool2", image=tg.data.fashion_mnist("test").inputs[3]
)
lenet_picture

# %% [markdown]
# So before "flatten", each of LeNet's 16 maps has neurons that see 16×16 of 28×28 pixels. AlexNet's
# first layer has a kernel of 11 with stride 4. In the end its neurons see 195 of 224 pixels:

# %%
alexnet = [(11, 4), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1), (3, 2)]

assert field_sizes(alexnet) == [11, 19, 51, 67, 99, 131, 163, 195]

features = tg.nn.Sequential(
    conv1=tg.nn.Conv2d(1, 2, 11, stride=4, padding=1), pool1=tg.nn.MaxPool2d(3, 2),
    conv2=tg.nn.Conv2d(2, 2, 5, padding=2), pool2=tg.nn.MaxPool2d(3, 2),
    conv3=tg.nn.Conv2d(2, 2, 3, padding=1), conv4=tg.nn.Conv2d(2, 2, 3, padding=1),
    conv5=tg.nn.Conv2d(2, 2, 3, padding=1), pool3=tg.nn.MaxPool2d(3, 2),
)  # fmt: skip
print(tg.receptive_field(features, (1, 1, 224, 224)))

assert sizes_by_library(features, (1, 1, 224, 224), "pool3") == field_sizes(alexnet)

# %% [markdown]
# (Two channels for each layer are enough to ask this: the field does not depend on how many there
# are.)
#
# ## Measured
#
# Do arithmetic and gradient agree? `measured` looks where the gradient is not 0, and gives first
# and last row, first and last column. At the border of the image the field sticks out into the
# padding, where there is nothing to see.

# %%
for index in ((0, 0), (2, 2), (4, 4)):
    found = tg.receptive_field(lenet, (1, 1, 28, 28), index=index, layer="features.pool2")
    print(f"element {index}: rows and columns {found.measured}")
    assert found.measured == found.box

assert found.size == (16, 16)
assert found.box == ((14, 27), (14, 27))  # 14 pixels wide: two are beyond the border

# %% [markdown]
# And after "flatten"? A fully connected layer sees all maps, hence all of the image.

# %%
assert tg.receptive_field(lenet, (1, 1, 28, 28)).box == ((0, 27), (0, 27))

# %% [markdown]
# ## The field that counts
#
# Back to 1 2 1 / 2 4 2 / 1 2 1. The more layers, the more unequal: there are many ways from the
# middle to the result, and a single one from each corner. In one dimension, with kernels [1, 1, 1],
# one layer after the other:

# %%
ways = np.array([1.0])
for _ in range(3):
    ways = np.convolve(ways, [1, 1, 1])
assert ways.tolist() == [1, 3, 6, 7, 6, 3, 1]

layers = 20
stack = tg.nn.Sequential(*[tg.nn.Conv1d(1, 1, 3, bias=False) for _ in range(layers)])
for layer in stack:
    layer.weight.data = np.full((1, 1, 3), 1 / 3, np.float32)
x = tg.Tensor(np.zeros((1, 1, 41)), dtype="float32", requires_grad=True)
say = tg.grad(stack(x)[0, 0, 0], x).data[0, 0].astype(float)

assert field_sizes([(3, 1)] * layers)[-1] == 41
assert np.isclose(say.sum(), 1, atol=1e-5)

# %% [markdown]
# Twenty layers see 41 numbers. But their say is a bell curve, as after twenty throws of a die with
# three faces. Its variance is that of a single layer, 2/3, times the number of layers, so its width
# grows like √layers, while the field grows like the number of layers. The ten numbers at one end
# and the ten at the other have 0.3 % of the say.

# %%
places = np.arange(-20, 21)
variance = np.sum(say * places**2)
ends = say[:10].sum() + say[-10:].sum()
print(f"width {np.sqrt(variance):.2f}, field 41; the ten at each end have {ends:.1%} of the say")

assert np.isclose(variance, layers * 2 / 3, rtol=1e-4)
assert round(ends, 3) == 0.003


def bell(layers):
    """The say of each of 41 pixels, in one dimension."""
    say = np.array([1.0])
    for _ in range(layers):
        say = np.convolve(say, [1 / 3, 1 / 3, 1 / 3])
    return np.pad(say, (41 - len(say)) // 2)


assert np.allclose(bell(20), say, atol=1e-6)

bells_picture = viz.panels(
    {f"depth {n}, field {1 + 2 * n}": np.outer(bell(n), bell(n)) for n in (1, 5, 10, 20)}
)
bells_picture

# %% [markdown]
# This is Luo's **effective receptive field**: the part of the field that has a say worth
# mentioning. A network with random weights shows it, too. Here are ten layers of 3×3, which see
# 21×21 pixels:

# %%
tg.manual_seed(0)
deep = tg.nn.Sequential(
    *[
        tg.nn.Sequential(conv=tg.nn.Conv2d(1 if i == 0 else 4, 4, 3, padding=1), act=tg.nn.Tanh())
        for i in range(10)
    ]
)
photograph = tg.data.photographs()["camera"][:, 30:71, 100:141]
found = tg.receptive_field(deep, (1, 1, 41, 41), index=(20, 20))
assert found.size == (21, 21)

effective = found.effective(photograph)
middle = effective[15:26, 15:26].sum() / effective.sum()
print(f"the middle 11×11 of 21×21 pixels, a quarter of them, have {middle:.0%} of the say")

assert middle > 0.5

effective_picture = viz.receptive_field(deep, index=(20, 20), image=photograph)
effective_picture

# %% [markdown]
# So "its receptive field is 195 pixels" is an upper limit. Training can widen the effective field,
# and shortcuts and dilation change it.
#
# **Dilation** takes pixels that are d apart: k of them cover (k − 1)·d + 1. Three layers of 3×3
# with d = 1, 2, 4 see 15×15, and without dilation, with as many weights, 7×7 (Yu & Koltun, 2015).

# %%
dilated = tg.nn.Sequential(*[tg.nn.Conv2d(1, 1, 3, dilation=d) for d in (1, 2, 4)])
assert tg.receptive_field(dilated, (1, 1, 20, 20)).size == (15, 15)

dilated_picture = viz.receptive_field(dilated, (1, 1, 20, 20))
dilated_picture

# %% [markdown]
# ## Your turn
#
# Put your answers in place of the dots. Solutions are in `solutions/07_receptive_fields.py`.
#
# **Exercise 1.** Rounds of a 3×3 convolution (stride 1) and 2×2 pooling (stride 2). How many pixels
# wide is the field after one round, two rounds, three?

# %% Exercise 1
one_round = ...
two_rounds = ...
three_rounds = ...

# %%
rounds = field_sizes([(3, 1), (2, 2)] * 3)[1::2]
for name, answer, right in zip(
    ("one_round", "two_rounds", "three_rounds"),
    (one_round, two_rounds, three_rounds),
    rounds,
    strict=True,
):
    check(name, answer, right)

# %% [markdown]
# **Exercise 2.** How many 3×3 layers without stride does it take until a neuron sees an image of
# 224 pixels from end to end?

# %% Exercise 2
layers_needed = ...

# %%
check("layers_needed", layers_needed, next(n for n in range(500) if 1 + 2 * n >= 224))

# %% [markdown]
# **Exercise 3.** Write the size of the field after a stack of layers, each given as (kernel,
# stride, dilation). The judge measures it by gradient.


# %% Exercise 3
def size_with_dilation(layers):
    return ...


# %%
def by_gradient(layers):
    stack = tg.nn.Sequential(
        *[tg.nn.Conv1d(1, 1, kernel, stride=s, dilation=d) for kernel, s, d in layers]
    )
    ((first, last),) = tg.receptive_field(stack, (1, 1, 90)).measured
    return last - first + 1


check_function(
    size_with_dilation,
    by_gradient,
    [
        ([(3, 1, 1)],),
        ([(3, 1, 2), (3, 1, 4)],),
        ([(3, 2, 1), (2, 1, 3)],),
        ([(5, 2, 2), (3, 2, 1), (3, 1, 2)],),
    ],
)

# %% [markdown]
# ## What to take along
#
# - r ← r + (k − 1)·j; j ← j·s. Depth adds, stride multiplies.
# - Whatever has a gradient is in the field; the gradient's size says how much it counts.
# - The field grows with the number of layers, the part of it that counts like its square root.
