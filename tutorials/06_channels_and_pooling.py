# %% [markdown]
# # 6 · Channels and pooling
#
# A colour photograph has three numbers for each pixel, and a layer in the middle of a network has
# hundreds. This tutorial adds that axis to the convolution: first several channels in, then several
# out, then a kernel of one pixel, which is nothing but channels. Then pooling, which makes maps
# smaller, and asks where its gradient goes.
#
# Slides: **Multiple Channels**, **Multiple Input Channels** (two), **Multiple Output Channels**,
# **Pooling** (four), **CNN loop and flatten**, **Summary**.
#
# Sources: the examples with numbers are those of Zhang, Lipton, Li & Smola, *Dive into Deep
# Learning*, sections 7.4 and 7.5; 1×1 convolutions are Lin, Chen & Yan's, *Network in network*
# (2013).

# %%
import numpy as np

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.teaching.exercises import check, check_function

# %% [markdown]
# ## Three channels of colour
#
# Slide **Multiple Channels**: red, green and blue, 3×160×240 numbers. The red saucer is bright in
# the red channel, and dark in the other two.

# %%
coffee = tg.data.photographs()["coffee"]
assert coffee.shape == (3, 160, 240)

colour_picture = viz.panels(
    {"coffee": coffee, "red": coffee[0], "green": coffee[1], "blue": coffee[2]}, scale="shared"
)
colour_picture

# %% [markdown]
# *Converting to grayscale loses information*, says the slide. Brightness is
# 0.299 red + 0.587 green + 0.114 blue. That is itself a convolution, with a kernel of one pixel: three numbers in, one out.
# And here are two colours, a red and a green, that it cannot tell apart:

# %%
brightness = np.array([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)
red, green = np.array([0.9, 0.0, 0.0]), np.array([0.0, 0.9 * 0.299 / 0.587, 0.0])
two = np.repeat(np.stack([red, green], axis=1), 40, axis=1)[:, None, :]  # (3, 1, 80)
two = np.repeat(two, 40, axis=1)

grey = tg.conv2d(two[None], brightness)[0, 0]

assert np.allclose(grey, 0.9 * 0.299)  # one grey all over

grey_picture = viz.panels({"two colours": two, "their brightness": grey}, scale="shared")
grey_picture

# %% [markdown]
# (Source: the weights are those of television, Recommendation ITU-R BT.601.)
#
# ## Several channels in
#
# Slide **Multiple Input Channels**: a kernel **for each channel**, and then the results are
# **summed**. With X = 0 … 8 and 1 … 9, W = 0 … 3 and 1 … 4:

# %%
pixels = np.stack([np.arange(9.0), np.arange(1.0, 10.0)])
weights = np.stack([np.arange(4.0), np.arange(1.0, 5.0)])
X = tg.Tensor(pixels.reshape(1, 2, 3, 3), requires_grad=True, name="X")
W = tg.Tensor(weights.reshape(1, 2, 2, 2), requires_grad=True, name="W")

Y = tg.conv2d(X, W)

assert Y.data[0, 0].tolist() == [[56, 72], [104, 120]]

one_by_one = [tg.conv2d(X.data[:, [i]], W.data[:, [i]])[0, 0] for i in (0, 1)]
assert one_by_one[0].tolist() == [[19, 25], [37, 43]]
assert np.array_equal(one_by_one[0] + one_by_one[1], Y.data[0, 0])

# %% [markdown]
# The slide writes the sum as Σ from i = 0 to cᵢ. That would be one channel too many: with cᵢ
# channels that are counted from 0, the last one is **cᵢ − 1**. Here cᵢ = 2, and i is 0 or 1:
#
# Y = Σᵢ₌₀^(cᵢ−1) X[i] ⊗ W[i]
#
# The eight products of the first output, 56:

# %%
fifty_six = tg.zoom(Y, (0, 0, 0, 0))

assert fifty_six.output.data == (1 + 6 + 12) + (1 * 1 + 2 * 2 + 4 * 3 + 5 * 4) == 19 + 37 == 56
assert len(fifty_six.cells["W"]) == 8

channels_picture = viz.convolution(X, W, at=(0, 0))
channels_picture

# %% [markdown]
# ## Several channels out
#
# However many channels go in, they are summed: one comes out. For several outputs, take several
# such kernels. The kernel of a layer has four axes, c_o × c_i × k_h × k_w. With W, W + 1 and W + 2:

# %%
three = np.concatenate([W.data, W.data + 1, W.data + 2])
assert three.shape == (3, 2, 2, 2)

outputs = tg.conv2d(X, three)

assert outputs.shape == (1, 3, 2, 2)
assert outputs.data[0, 0].tolist() == [[56, 72], [104, 120]]
assert outputs.data[0, 1].tolist() == [[76, 100], [148, 172]]
assert outputs.data[0, 2].tolist() == [[96, 128], [192, 224]]

outputs_picture = viz.panels({f"Y{i}": outputs.data[0, i] for i in range(3)}, scale="shared")
outputs_picture

# %% [markdown]
# So a layer has c_o · c_i · k_h · k_w weights, and one bias for each output channel. LeNet's second
# convolution has 16 · 6 · 5 · 5 + 16 = 2,416 parameters:

# %%
assert tg.nn.Conv2d(6, 16, kernel_size=5).count_parameters() == 16 * 6 * 5 * 5 + 16 == 2416

# %% [markdown]
# ## A kernel of one pixel
#
# The slide's last example has an input of 3×3×3 (three channels) and an output of 2×3×3. It gives
# the kernel's shape as 2×1×1×1, and there a 3 is missing: three channels go in, so it must be
# **2×3×1×1**. The engine notices, too:

# %%
image = np.random.default_rng(0).standard_normal((1, 3, 3, 3))

try:
    tg.conv2d(image, np.ones((2, 1, 1, 1)))
except tg.errors.ShapeError as error:
    print(error)
else:
    raise AssertionError("it should have been refused")

kernel = np.random.default_rng(1).standard_normal((2, 3, 1, 1))
pixelwise = tg.conv2d(image, kernel)

assert pixelwise.shape == (1, 2, 3, 3)

# %% [markdown]
# A 1×1 kernel never looks at a neighbour. At each pixel, it takes the three channels and makes two
# numbers of them, always with the same 2×3 weights. That is a **fully connected layer**, applied at
# each pixel; or one matrix product, if one writes all nine pixels side by side.

# %%
pixels = image.reshape(3, 9)  # a column for each pixel
weights = kernel.reshape(2, 3)

assert np.allclose(weights @ pixels, pixelwise.reshape(2, 9))

layer = tg.linear(pixels.T, weights)  # a row for each pixel
assert np.allclose(layer.T, pixelwise.reshape(2, 9))

pixel_picture = viz.convolution(np.round(image, 1), np.round(kernel, 1), at=(1, 2, 0))
pixel_picture

# %% [markdown]
# Here is one at work on the photograph: how red is a pixel, beyond its brightness? Red minus the
# mean of green and blue, three numbers that turn colour into a map of the saucer.

# %%
redness = tg.conv2d(coffee[None].astype(float), np.array([1.0, -0.5, -0.5]).reshape(1, 3, 1, 1))[
    0, 0
]

redness_picture = viz.panels({"coffee": coffee, "redness": np.clip(redness, 0, 1)})
redness_picture

# %% [markdown]
# ## Pooling
#
# Slide **Pooling**: a window slides, as before, but there are no weights. Max pooling keeps the
# largest number in the window, "the strongest pattern signal"; average pooling keeps the mean. With
# a window of 2×2 over 0 … 8, one step at a time:

# %%
x = tg.Tensor(np.arange(9.0).reshape(1, 1, 3, 3), requires_grad=True, name="X")

largest = tg.max_pool2d(x, kernel_size=2, stride=1)
mean = tg.avg_pool2d(x, kernel_size=2, stride=1)

assert largest.data[0, 0].tolist() == [[4, 5], [7, 8]]
assert mean.data[0, 0].tolist() == [[2, 3], [5, 6]]

max_picture = viz.pooling(x, 2, stride=1, at=(0, 1))
max_picture

# %%
average_picture = viz.pooling(x, 2, stride=1, kind="mean", at=(0, 1))
average_picture

# %% [markdown]
# *No learnable parameters*, says the slide, and *as many output channels as input channels*: each
# channel is pooled by itself (每個channel獨立做pooling). Unless one says otherwise, the stride is the
# window's size, so that windows do not overlap: 2×2 leaves half the width and half the height, and
# 4×4 a quarter of each.

# %%
assert tg.nn.MaxPool2d(2).count_parameters() == 0

photograph = tg.max_pool2d(coffee[None], kernel_size=4)
assert photograph.shape == (1, 3, 40, 60)
assert np.array_equal(photograph[0, 1], tg.max_pool2d(coffee[None, [1]], kernel_size=4)[0, 0])

pooled_picture = viz.panels(
    {
        "coffee, 160×240": coffee,
        "max, 40×60": photograph[0],
        "average, 40×60": tg.avg_pool2d(coffee[None], kernel_size=4)[0],
    }
)
pooled_picture

# %% [markdown]
# ## Where the gradient goes
#
# An average is a sum of four numbers, each times ¼. So each pixel gets ¼ of the gradient of each
# window that it lies in. The pixel in the middle lies in all four.
#
# A maximum *is* one of the four numbers. Nudge that one, and the output moves as much; nudge
# another one, and nothing happens. So the **winner takes it all**, and the others get 0.

# %%
g = np.array([[10.0, 20.0], [30.0, 40.0]]).reshape(1, 1, 2, 2)  # the gradient at the output

to_winners = tg.grad(largest, x, grad_outputs=g)
shared = tg.grad(mean, x, grad_outputs=g)

assert to_winners.data[0, 0].tolist() == [[0, 0, 0], [0, 10, 20], [0, 30, 40]]
assert shared.data[0, 0].tolist() == [[2.5, 7.5, 5], [10, 25, 15], [7.5, 17.5, 10]]
assert to_winners.data.sum() == shared.data.sum() == g.sum()

shares_picture = viz.panels({"g": g, "max: ∂/∂X": to_winners, "average: ∂/∂X": shared})
shares_picture

# %% [markdown]
# Step by step: choose an element of the output to see its window, going forward, and what it hands
# back to each number of that window, going backward. X is used twice here, so both gradients add.

# %%
with tg.trace() as recorded:
    largest, mean = tg.max_pool2d(x, 2, stride=1), tg.avg_pool2d(x, 2, stride=1)
    loss = (largest * g).sum() + (mean * g).sum()
    loss.backward()

assert np.array_equal(x.grad.data, to_winners.data + shared.data)

steps_picture = viz.step(recorded, title="max and average pooling")
steps_picture

# %% [markdown]
# With overlapping windows one pixel can win several times, and then the gradients add, as always.
#
# What if two are equally large? The maximum has a kink there: nudging one of them up moves it,
# nudging it down does not. Any share between them would do. This engine, like PyTorch, takes the
# first. It matters more than it seems: after a ReLU, windows full of zeros are common, and there
# all four are "the largest".

# %%
tie = tg.Tensor(np.array([[3.0, 7.0], [7.0, 1.0]]).reshape(1, 1, 2, 2), requires_grad=True)
first = tg.grad(tg.max_pool2d(tie, kernel_size=2).sum(), tie)

assert first.data[0, 0].tolist() == [[0, 1], [0, 0]]

# %% [markdown]
# ## Some invariance
#
# Convolution is equivariant: what is found moves along with the image (tutorial 3). *We need some
# degree of invariance*, says the slide, and max pooling gives **some**. A bright dot that moves
# within its window changes nothing. One step further, into the next window, the output moves.


# %%
def dot_at(row, column):
    image = np.zeros((1, 1, 6, 6))
    image[0, 0, row, column] = 1
    return image


def pool(image):
    return tg.max_pool2d(image, kernel_size=2)


assert np.array_equal(pool(dot_at(2, 2)), pool(dot_at(3, 3)))  # same window
assert not np.array_equal(pool(dot_at(3, 3)), pool(dot_at(3, 4)))  # next window

dots_picture = viz.panels(
    {
        "a dot": dot_at(2, 2),
        "moved by 1": dot_at(3, 3),
        "and by 1 more": dot_at(3, 4),
        "pooled": pool(dot_at(2, 2)),
        "pooled ": pool(dot_at(3, 3)),
        "pooled  ": pool(dot_at(3, 4)),
    },
    columns=3,
)
dots_picture

# %% [markdown]
# A dot that moves by one pixel in a random direction stays in its 2×2 window in a part of the cases
# only. So pooling is no guarantee. (Sources: R. Zhang, *Making convolutional networks
# shift-invariant again*, 2019, shows how much the output of trained networks jumps; Azulay & Weiss,
# 2018, too.)
#
# ## Convolution, pooling, convolution, pooling, flatten
#
# Slide **CNN loop and flatten**. Maps get smaller and more numerous, until the last ones are
# written as one row of numbers, for fully connected layers. The row is still in order: channel by
# channel, row by row.

# %%
tg.manual_seed(0)
loop = tg.nn.Sequential(
    tg.nn.Conv2d(3, 8, kernel_size=5), tg.nn.ReLU(), tg.nn.MaxPool2d(4),
    tg.nn.Conv2d(8, 16, kernel_size=5), tg.nn.ReLU(), tg.nn.MaxPool2d(4),
)  # fmt: skip
maps = loop(tg.Tensor(coffee[None]))
row = tg.nn.Flatten()(maps)

assert maps.shape == (1, 16, 8, 13)
assert row.shape == (1, 16 * 8 * 13)
assert row.data[0, 8 * 13 * 2 + 13 * 5 + 7] == maps.data[0, 2, 5, 7]

loop_picture = viz.draw(row, legend=False)
loop_picture

# %% [markdown]
# ## Your turn
#
# Put your answers in place of the dots. Solutions are in `solutions/06_channels_and_pooling.py`.
#
# **Exercise 1.** An image of 3×32×32 goes through a convolution with 10 output channels, a 5×5
# kernel and no padding, then max pooling with a 2×2 window. The kernel's shape? Its parameters with
# biases? The output's shape (channels, height, width)?

# %% Exercise 1
kernel_shape = ...
parameters = ...
output_shape = ...

# %%
conv = tg.nn.Conv2d(3, 10, kernel_size=5)
check("kernel_shape", kernel_shape, conv.weight.shape)
check("parameters", parameters, conv.count_parameters())
after_both = tg.max_pool2d(
    conv(tg.Tensor(np.zeros((1, 3, 32, 32)), dtype="float32")), kernel_size=2
)
check("output_shape", output_shape, after_both.shape[1:])

# %% [markdown]
# **Exercise 2.** Average pooling is a convolution. Which kernel, as a 2×2 list, makes `tg.conv2d`
# with stride 2 do the same as average pooling with a 2×2 window?

# %% Exercise 2
averaging = ...

# %%
grey_coffee = coffee[None, [1]].astype(float)
use = (2, 2), lambda kernel: tg.conv2d(grey_coffee, kernel[None, None], stride=2)
check("averaging", averaging, tg.avg_pool2d(grey_coffee, kernel_size=2), kernel=use)

# %% [markdown]
# **Exercise 3.** Write the backward pass of one window of max pooling: from the window's four
# numbers and the gradient g at its output, the four gradients. At a tie the first one wins.
# (`np.argmax` gives the first.)


# %% Exercise 3
def winner_takes_all(window, g):
    return ...


# %%
def by_the_engine(window, g):
    x = tg.Tensor(np.array(window).reshape(1, 1, 2, 2), requires_grad=True)
    y = tg.max_pool2d(x, kernel_size=2)
    return tg.grad(y, x, grad_outputs=np.full(y.shape, g)).data.ravel()


check_function(
    winner_takes_all,
    by_the_engine,
    [([1.0, 5.0, 2.0, 3.0], 10.0), ([-4.0, -3.0, -2.0, -1.0], 1.0), ([0.0, 6.0, 6.0, 0.0], 2.0)],
)

# %% [markdown]
# ## What to take along
#
# - Input channels are summed; output channels each have a kernel of their own. c_o · c_i · k_h ·
#   k_w weights.
# - A 1×1 convolution is a fully connected layer at each pixel.
# - Pooling has no weights and keeps the channels apart. The average shares its gradient; the
#   maximum gives it to the winner.
# - Pooling adds some invariance to small shifts, and no more than some.
