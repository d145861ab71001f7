# %% [markdown]
# # 5 · Padding and stride
#
# A kernel that slides over an image makes the image smaller, and it visits the pixels in the middle
# more often than those at the border. **Padding** puts zeros around the image, against both.
# **Stride** lets the kernel take longer steps, to make the output smaller on purpose. Together they
# decide the output's size, and that is where most shape errors come from.
#
# Slides: **Padding** (two), **Padding for consistent input/output shape**, **Stride** (four). Every
# number on them is computed here.
#
# Sources: the slides' example is that of Zhang, Lipton, Li & Smola, *Dive into Deep Learning*,
# section 7.3; V. Dumoulin & F. Visin, *A guide to convolution arithmetic for deep learning* (2016),
# derives the sizes.

# %%
import itertools
import math

import numpy as np

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.teaching.exercises import check, check_function

# %% [markdown]
# ## Without padding
#
# The slides' input is 3×3 and holds 0 … 8; the kernel is 2×2 and holds 0 … 3. `tg.conv2d` expects
# images in the layout (batch, channels, height, width), so two axes of length 1 come first.
#
# Four windows fit: the output is (n − k + 1) × (n − k + 1) = 2×2.

# %%
X = tg.Tensor(np.arange(9.0).reshape(1, 1, 3, 3), requires_grad=True, name="X")
W = tg.Tensor(np.arange(4.0).reshape(1, 1, 2, 2), requires_grad=True, name="W")

bare = tg.conv2d(X, W)

assert bare.data[0, 0].tolist() == [[19, 25], [37, 43]]

# %% [markdown]
# One output is one sum of products. `tg.zoom` opens it into its scalar arithmetic, from the same
# recorded convolution. Here are all four products of the top left output, 19:

# %%
nineteen = tg.zoom(bare, (0, 0, 0, 0))

assert nineteen.output.data == 0 * 0 + 1 * 1 + 3 * 2 + 4 * 3 == 19

bare_picture = viz.convolution(X, W, at=(0, 0))
bare_picture

# %% [markdown]
# ## Padding
#
# Slide **Padding**: one row of zeros above and one below, one column on the left and one on the
# right.
#
# The image becomes 5×5, n + p along each axis. Mind the letter p. On the slides, p is the
# **total**: p = 2 here, one on each side. `padding=1` in tinygrad_cnn and in PyTorch counts **one
# side**.
#
# The output grows to (n − k + p + 1) = (3 − 2 + 2 + 1) = 4 along each axis.

# %%
padded = tg.conv2d(X, W, padding=1)

assert padded.data[0, 0].tolist() == [
    [0, 3, 8, 4],
    [9, 19, 25, 10],
    [21, 37, 43, 16],
    [6, 7, 8, 0],
]

padded_picture = viz.convolution(X, W, padding=1, at=(0, 1))
padded_picture

# %% [markdown]
# The four numbers of before are in the middle. The new ones look beyond the border, where they find
# zeros. The slide works out the second number of the first row: 0×0 + 0×1 + 0×2 + 1×3 = 3. The
# first two products are with padding. Padding adds nothing, so `zoom` leaves it out:

# %%
three = tg.zoom(padded, (0, 0, 0, 1))

assert three.output.data == 0 * 2 + 1 * 3 == 3
assert sorted(three.cells["X"]) == [(0, 0, 0, 0), (0, 0, 0, 1)]
assert sorted(three.cells["W"]) == [(0, 0, 1, 0), (0, 0, 1, 1)]

corner_picture = viz.draw(three, legend=False)
corner_picture

# %% [markdown]
# ## The same size as before
#
# Slide **Padding for consistent input/output shape**: with p = k − 1 in all, n − k + p + 1 = n. The
# output is as large as the input.
#
# If k is odd, p is even, and each side gets half. If k is even, one row is left over. The course
# puts it on top: ⌈p/2⌉ above, ⌊p/2⌋ below. For k = 2 that is 1 above and 0 below, and likewise left
# and right. In tinygrad_cnn this is `"same_lower"`.

# %%
course = tg.conv2d(X, W, padding="same_lower")

assert course.data[0, 0].tolist() == [[0, 3, 8], [9, 19, 25], [21, 37, 43]]

p = 2 - 1
above, below = math.ceil(p / 2), math.floor(p / 2)
assert (above, below) == (1, 0)
by_pairs = tg.conv2d(X, W, padding=((above, below), (above, below)))
assert np.array_equal(by_pairs.data, course.data)

# %% [markdown]
# PyTorch and TensorFlow put it at the bottom and on the right. That is `"same_upper"`, or `"same"`
# for short. With the same input and kernel, other numbers come out:

# %%
frameworks = tg.conv2d(X, W, padding="same")

assert frameworks.data[0, 0].tolist() == [[19, 25, 10], [37, 43, 16], [7, 8, 0]]

# %% [markdown]
# Neither is wrong. Both are cut out of the 4×4 output above: the course keeps its top left, the
# frameworks keep its bottom right. What one calls output (i, j), the other calls (i−1, j−1). It
# matters as soon as you carry trained weights from one to the other; odd kernels avoid the
# question.
#
# Source: the names are those of ONNX, operator *Conv*, attribute `auto_pad`: SAME_UPPER has the
# extra row at the end, SAME_LOWER at the beginning.

# %%
assert np.array_equal(course.data, padded.data[..., :3, :3])
assert np.array_equal(frameworks.data, padded.data[..., 1:, 1:])

odd = np.arange(9.0).reshape(1, 1, 3, 3)  # a 3×3 kernel: p/2 = 1 on each side, whoever pads
one_each = tg.conv2d(X, odd, padding=1)
assert np.array_equal(tg.conv2d(X, odd, padding="same_lower").data, one_each.data)
assert np.array_equal(tg.conv2d(X, odd, padding="same_upper").data, one_each.data)

course_picture = viz.convolution(X, W, padding="same_lower", at=(0, 0))
course_picture

# %%
frameworks_picture = viz.convolution(X, W, padding="same", at=(0, 0))
frameworks_picture

# %% [markdown]
# ## Stride
#
# Slide **Stride**: the padded example again, with steps of 3 down and 2 to the right. It computes
# nothing new: of the 4×4 output it keeps every third row and every second column.

# %%
strided = tg.conv2d(X, W, padding=1, stride=(3, 2))

assert strided.data[0, 0].tolist() == [[0, 8], [6, 8]]
assert np.array_equal(strided.data, padded.data[..., ::3, ::2])

strided_picture = viz.convolution(X, W, padding=1, stride=(3, 2))  # it moves: ← and →
strided_picture

# %% [markdown]
# The slide works out two of these numbers. The 8 at the top is right: 0×0 + 0×1 + 1×2 + 2×3 = 8. In
# the other line, "0×0 + 0×1 + 0×2 + 6×0 = 3", a slip has crept in; its result should be the 6 that
# the slide's own table shows. Where is the 6? Its window covers a column of padding, the pixel 6,
# and a row of padding below. The pixel lies at the top *right* of the window, where the kernel has
# a 1:
#
# 0×0 + **6×1** + 0×2 + 0×3 = **6**
#
# Such slips come easily, since most of the numbers are zeros that are not even in the image. Only
# one of the four products counts:

# %%
six = tg.zoom(strided, (0, 0, 1, 0))

assert six.output.data == 6 * 1 == 6
assert sorted(six.cells["X"]) == [(0, 0, 2, 0)]
assert sorted(six.cells["W"]) == [(0, 0, 0, 1)]

six_picture = viz.convolution(X, W, padding=1, stride=(3, 2), at=(1, 0))
six_picture

# %% [markdown]
# The table on the slide also leaves its fourth number blank. It is 7×0 + 8×1 = 8:

# %%
eight = tg.zoom(strided, (0, 0, 1, 1))

assert eight.output.data == 7 * 0 + 8 * 1 == 8

eight_picture = viz.draw(eight, legend=False)
eight_picture

# %% [markdown]
# ## How large is the output?
#
# The first window starts at 0, the last possible one at n + p − k. In between there is room for
# ⌊(n + p − k) / s⌋ steps of s, and one window more than steps:
#
# ⌊(n − k + p) / s⌋ + 1 = **⌊(n − k + p + s) / s⌋**
#
# The slide's first formula leaves out the floor ⌊ ⌋. One needs it when the last step does not come
# out even: with n = 5, k = 2, p = 0 and s = 2, the formula without it says 2.5.


# %%
def size(n, k, p, s):
    """What the engine gives: n numbers, a kernel of k, p zeros in all, steps of s."""
    before = p - p // 2
    return tg.conv1d(
        np.zeros((1, 1, n)), np.zeros((1, 1, k)), padding=((before, p - before),), stride=s
    ).shape[2]


assert (5 - 2 + 0 + 2) / 2 == 2.5
assert size(5, k=2, p=0, s=2) == 2

# %% [markdown]
# One example proves little. Here are all n up to 12, k up to 5, p up to 5 and s up to 4, wherever
# the kernel fits.

# %%
cases = [
    (n, k, p, s)
    for n, k, p, s in itertools.product(range(1, 13), range(1, 6), range(6), range(1, 5))
    if k <= n + p
]
print(f"{len(cases)} cases")

for n, k, p, s in cases:
    assert size(n, k, p, s) == (n - k + p + s) // s

# %% [markdown]
# With "same" padding, p = k − 1, the kernel's size cancels, as the slide says: ⌊(n + s − 1) / s⌋.
# That is n/s, rounded up. And if the stride divides n, it is n/s.

# %%
for n, k, s in itertools.product(range(1, 13), range(1, 6), range(1, 5)):
    assert size(n, k, k - 1, s) == (n + s - 1) // s == math.ceil(n / s)
    same = tg.conv1d(np.zeros((1, 1, n)), np.zeros((1, 1, k)), padding="same", stride=s)
    assert same.shape[2] == size(n, k, k - 1, s)
    if n % s == 0:
        assert size(n, k, k - 1, s) == n / s

# %% [markdown]
# (A strided "same" means p = k − 1 here, as on the slide. TensorFlow's "SAME" gives the same sizes,
# but pads only as much as the last window needs, so its numbers may differ. PyTorch refuses "same"
# with a stride. Sources: TensorFlow's documentation of `tf.nn`, "Notes on padding"; PyTorch's of
# `Conv2d`.)
#
# ## What flows back
#
# Now the backward pass. An output is a sum of products, so for a single output the gradient of a
# pixel is the weight that it was multiplied by, and the gradient of a weight is the pixel. Take the
# 37 in the third row, second column of the padded output:

# %%
thirty_seven = tg.zoom(padded, (0, 0, 2, 1))
thirty_seven.output.backward()

assert thirty_seven.output.data == 3 * 0 + 4 * 1 + 6 * 2 + 7 * 3 == 37
assert thirty_seven.cells["X"][0, 0, 2, 1].grad == 3  # its weight
assert thirty_seven.cells["W"][0, 0, 1, 1].grad == 7  # its pixel

backward_picture = viz.draw(thirty_seven, direction="TB", legend=False)
backward_picture

# %% [markdown]
# The fast convolution says the same, for all pixels at once. Its gradient at the output is 1 at
# that one place, and 0 elsewhere.

# %%
only_there = np.zeros(padded.shape)
only_there[0, 0, 2, 1] = 1
x_grad, w_grad = tg.grad(padded, [X, W], grad_outputs=only_there)

assert x_grad.data[0, 0].tolist() == [[0, 0, 0], [0, 1, 0], [2, 3, 0]]
assert w_grad.data[0, 0].tolist() == [[3, 4], [6, 7]]

# %% [markdown]
# ## Every pixel's say
#
# Let the result be the sum of all outputs. Then a pixel's gradient tells how much say it has in it:
# the sum of the weights that ever touch it. Without padding, only the pixel in the middle meets the
# whole kernel (0+1+2+3 = 6). With one row and column on each side, all do.

# %%
without = tg.grad(bare.sum(), X)
with_padding = tg.grad(padded.sum(), X, create_graph=True)

assert without.data[0, 0].tolist() == [[0, 1, 1], [2, 6, 4], [2, 5, 3]]
assert with_padding.data[0, 0].tolist() == [[6, 6, 6], [6, 6, 6], [6, 6, 6]]

# %% [markdown]
# Because of `create_graph=True`, the backward pass was recorded too, so a gradient can be opened
# just like an output. This is the gradient of the pixel in the top left corner: in each of the four
# windows that meet it, the output's gradient g (here 1) times the weight that lies on the pixel.
# In the picture, the same as a sliding window: the kernel is turned by 180°.

# %%
corner = tg.zoom(with_padding, (0, 0, 0, 0))

assert corner.output.data == 1 * 3 + 1 * 2 + 1 * 1 + 1 * 0 == 6

say_picture = viz.convolution_backward(X, W, padding=1, at=(0, 0))
say_picture

# %% [markdown]
# A stride longer than the kernel is the other extreme. The windows of the slide's stride example
# jump from rows −1 and 0 to rows 2 and 3. No window ever looks at row 1, so its pixels 3, 4, 5 have
# no say, and nothing can be learned from them.

# %%
say = tg.grad(strided.sum(), X)

assert say.data[0, 0].tolist() == [[3, 2, 3], [0, 0, 0], [1, 0, 1]]

# %% [markdown]
# (The 0 in the last row is another matter: that pixel, the 7, *is* looked at, but through a weight
# that is 0 today.)
#
# ## And the padding's gradient?
#
# A padded zero is a constant. Nobody trains it, so the engine never works out its gradient. But
# there is one. To see it, build the padded 5×5 image by hand and ask. The gradient's frame is what
# the padded pixels would get. The convolution's own backward pass leaves the frame out, and what
# remains is exactly the gradient of X.

# %%
frame = ((0, 0), (0, 0), (1, 1), (1, 1))
by_hand = tg.Tensor(np.pad(X.data, frame), requires_grad=True, name="padded X")
y = tg.conv2d(by_hand, W)

assert by_hand.shape[2:] == (3 + 2, 3 + 2)
assert np.array_equal(y.data, padded.data)

some = np.arange(1.0, 17.0).reshape(y.shape)  # the gradient at the 4×4 output: 1 … 16
whole = tg.grad(y, by_hand, grad_outputs=some, create_graph=True)
inner = tg.grad(padded, X, grad_outputs=some)

assert np.array_equal(whole.data[..., 1:-1, 1:-1], inner.data)
assert whole.data[0, 0, 0].tolist() == [0, 1, 2, 3, 4]  # the frame's top row
assert whole.data[0, 0, 4].tolist() == [26, 67, 72, 77, 48]  # its bottom row

# %% [markdown]
# For instance the second pixel of the frame's bottom row. Two windows meet it: 13·3 + 14·2 = 67.

# %%
framed = tg.zoom(whole, (0, 0, 4, 1))

assert framed.output.data == 13 * 3 + 14 * 2 == 67

frame_picture = viz.draw(framed, legend=False)
frame_picture

# %% [markdown]
# What did this backward pass do? It took 4×4 numbers and spread each through the kernel over a 5×5
# image: small became large. Used as a layer, that is the **transposed convolution**.
#
# ## The transposed convolution
#
# Each input number is a stamp's strength, the kernel is the stamp, and where stamps overlap they
# add. Four stamps of 2×2, one pixel apart, make 3×3:

# %%
small = tg.Tensor(np.arange(4.0).reshape(1, 1, 2, 2), requires_grad=True, name="x")
stamp = tg.Tensor(np.arange(4.0).reshape(1, 1, 2, 2), name="W")

large = tg.conv_transpose2d(small, stamp)

assert large.data[0, 0].tolist() == [[0, 0, 1], [0, 4, 6], [4, 12, 9]]
assert large.data[0, 0, 1, 1] == 0 * 3 + 1 * 2 + 2 * 1 + 3 * 0  # all four stamps meet here

stamps_picture = viz.panels(
    {"x": small, "W, the stamp": stamp, "all four stamps": large}, scale="shared"
)
stamps_picture

# %% [markdown]
# A stride now sets the stamps further apart, so it makes the output *larger*. The size is that of a
# convolution, solved for its input: **(n − 1)·s + k − p**. Networks that draw images, or that label
# every pixel, grow their maps like this. (The example is that of *Dive into Deep Learning*, section
# 14.10; Dumoulin & Visin treat all cases. Some call it "deconvolution", but it undoes nothing: it
# gives back the size, not the numbers.)

# %%
apart = tg.conv_transpose2d(small, stamp, stride=2)

assert apart.shape[2:] == (4, 4) == ((2 - 1) * 2 + 2,) * 2
assert apart.data[0, 0].tolist() == [[0, 0, 0, 1], [0, 0, 2, 3], [0, 2, 0, 3], [4, 6, 6, 9]]
assert tg.conv2d(apart, stamp, stride=2).shape == small.shape
assert not np.array_equal(tg.conv2d(apart, stamp, stride=2).data, small.data)

apart_picture = viz.panels({"stride 1": large, "stride 2": apart}, scale="shared")
apart_picture

# %% [markdown]
# "Transposed", because of tutorial 4: if a convolution is multiplication by a matrix, its backward
# pass is multiplication by the transposed one. So each is the other's gradient.

# %%
g = np.random.default_rng(0).standard_normal(large.shape)

assert np.allclose(tg.grad(large, small, grad_outputs=g).data, tg.conv2d(g, stamp.data))

matrix = tg.jacobian(lambda x: tg.conv2d(x, stamp))(np.zeros((1, 1, 3, 3))).reshape(4, 9)
assert np.array_equal(matrix.data.T @ small.data.ravel(), large.data.ravel())

# %% [markdown]
# ## Your turn
#
# Put your answers in place of the dots. The cell after each exercise says whether you are right,
# and if not, what is wrong. Solutions are in `solutions/05_padding_and_stride.py`.
#
# **Exercise 1.** Output sizes, by hand, for one axis each. LeNet's first layer: n = 28, a kernel of
# 5, 2 zeros on each side, stride 1. Its second: n = 14, a kernel of 5, no padding. AlexNet's first:
# n = 224, a kernel of 11, 1 zero on each side, stride 4.

# %% Exercise 1
lenet_first = ...
lenet_second = ...
alexnet_first = ...

# %%
check("lenet_first", lenet_first, size(28, k=5, p=4, s=1))
check("lenet_second", lenet_second, size(14, k=5, p=0, s=1))
check("alexnet_first", alexnet_first, size(224, k=11, p=2, s=4))

# %% [markdown]
# **Exercise 2.** Write the output size as a function. The judge is the convolution itself, in all
# the cases of above.


# %% Exercise 2
def output_size(n, k, p, s):
    return ...


# %%
check_function(output_size, size, cases)

# %% [markdown]
# **Exercise 3.** There are four ways to cut 3×3 numbers out of the 4×4 output. Two were shown.
# Which padding gives the top *right*, 3 8 4 / 19 25 10 / 37 43 16? Write it as ((top, bottom),
# (left, right)).

# %% Exercise 3
padding = ...

# %%
shown = ... if padding is ... else tg.conv2d(X, W, padding=padding)
check("padding", shown, padded.data[..., :3, 1:])

# %% [markdown]
# **Exercise 4.** A window of 3, stride 3, no padding, on n = 11 numbers: how many numbers at the
# end are never looked at, and so have gradient 0?

# %% Exercise 4
never_looked_at = ...

# %%
numbers = tg.Tensor(np.ones((1, 1, 11)), requires_grad=True)
seen = tg.grad(tg.conv1d(numbers, np.ones((1, 1, 3)), stride=3).sum(), numbers)
check("never_looked_at", never_looked_at, np.sum(seen.data == 0))

# %% [markdown]
# ## What to take along
#
# - Padding keeps the size and gives the border its say. p = k − 1 in all keeps the size exactly.
# - For even kernels there are two "same". The course's is `"same_lower"`; `"same"` is PyTorch's.
# - Stride keeps every s-th output. A stride longer than the kernel is blind in between.
# - A transposed convolution stamps the kernel: stride makes it grow. Size (n − 1)·s + k − p.
# - The size is ⌊(n − k + p + s) / s⌋, with p counted on both sides together, and with its floor.
