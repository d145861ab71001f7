# %% [markdown]
# # 3 · Filters on a photograph
#
# Convolution is older than neural networks. Photographers blur, sharpen and emboss with it, and the
# whole recipe is nine numbers: the **kernel**, or **filter**. In this tutorial people choose the
# numbers. In the next one, gradient descent does.
#
# Slides: **Convolution** (two), **Why use Convolution** (three), **Convolutional Neural Network**
# (the 5×5 example), **Object Edge Detection in Images**.
#
# Sources: the 5×5 example is a classic of Stanford's UFLDL tutorial, *Feature extraction using
# convolution*; edge detection with one column of +1 and one of −1 is J. Prewitt's, *Object
# enhancement and extraction* (1970). The photographs are free to use: see `tg.data.photographs`.

# %%
import numpy as np

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.teaching.exercises import check

# %% [markdown]
# ## One window at a time
#
# Slide **Convolutional Neural Network**. Lay the 3×3 kernel over the top left corner of the image.
# Multiply what lies on each other, add the nine products: that is one number of the output. Move on
# by one, do it again.

# %%
image = tg.Tensor(
    [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]],
    dtype=float,
    name="X",
).reshape(1, 1, 5, 5)
kernel = tg.Tensor([[1, 0, 1], [0, 1, 0], [1, 0, 1]], dtype=float, name="W").reshape(1, 1, 3, 3)

feature = tg.conv2d(image, kernel)

assert feature.data[0, 0].tolist() == [[4, 3, 4], [2, 4, 3], [2, 3, 4]]

first_picture = viz.convolution(image, kernel, at=(0, 0))
first_picture

# %% [markdown]
# Here are all nine, one after the other. (Saved as .html, it moves: → and ← go from window to
# window.)

# %%
moving_picture = viz.convolution(image, kernel)
moving_picture

# %% [markdown]
# The output is largest where the image looks most like the kernel: 4 of the kernel's 5 ones meet a
# one. A kernel is a **pattern that is looked for**, and the output says where it was found.
#
# (Mathematicians turn the kernel by 180° first and call *that* convolution; what we do is
# *cross-correlation*. Networks learn their kernels, so they do not care which way round they are
# kept. Every deep learning library does as we do. In one dimension:)

# %%
numbers, weights = np.array([1.0, 2.0, 4.0, 8.0]), np.array([1.0, 10.0])

ours = tg.conv1d(numbers.reshape(1, 1, -1), weights.reshape(1, 1, -1))

assert ours[0, 0].tolist() == [21, 42, 84]  # 1·1 + 2·10, …
assert np.convolve(numbers, weights, "valid").tolist() == [12, 24, 48]  # 1·10 + 2·1, …
assert np.convolve(numbers, weights[::-1], "valid").tolist() == [21, 42, 84]

# %% [markdown]
# ## The four filters of the slides
#
# Slide **Convolution**: *−1 weakens, 1 strengthens*. The slides' own numbers have partly been lost
# from the pictures, so these are the usual ones.
#
# - **blur** (模糊化): the mean of nine pixels
# - **sharpen** (銳利化): strengthen the middle, weaken its neighbours
# - **edge** (邊緣化): only the difference between the middle and its neighbours
# - **emboss** (浮雕感): the difference along a diagonal, on top of the image

# %%
filters = {
    "blur": np.ones((3, 3)) / 9,
    "sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], dtype=float),
    "edge": np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], dtype=float),
    "emboss": np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], dtype=float),
}

kernels_picture = viz.panels(filters, signed=True)
kernels_picture

# %% [markdown]
# Here they are on a photograph of 240×240 pixels, from 0 (black) to 1 (white). `tg.conv2d` wants
# (batch, channels, height, width) for the image, and (output channels, input channels, height,
# width) for the kernel.


# %%
def apply(kernel, image, **options):
    """One filter on one grey image, both as plain (height, width) arrays."""
    return tg.conv2d(image[None, None], kernel[None, None], **options)[0, 0]


photograph = tg.data.photographs()["camera"][0].astype(float)
filtered = {name: apply(kernel, photograph) for name, kernel in filters.items()}

assert photograph.shape == (240, 240)
assert all(result.shape == (238, 238) for result in filtered.values())

# %%
shown = {name: np.clip(result, 0, 1) for name, result in filtered.items() if name != "edge"}

filters_picture = viz.panels({"photograph": photograph, **shown})
filters_picture

# %% [markdown]
# The edge filter gives negative numbers, too: where the middle is darker than its neighbours. A
# screen cannot show less than black, so the picture uses colours: blue is negative, orange
# positive, white is 0.

# %%
edge_picture = viz.panels({"edge": np.clip(filtered["edge"], -2, 2)}, signed=True)
edge_picture

# %% [markdown]
# ## The sum of the nine numbers
#
# Where an image is flat, all nine pixels have the same value v, and the output is v times the **sum
# of the kernel**. So a sum of 1 keeps the brightness, and a sum of 0 answers to changes only.

# %%
sums = {name: round(float(kernel.sum()), 9) for name, kernel in filters.items()}

assert sums == {"blur": 1, "sharpen": 1, "edge": 0, "emboss": 1}

flat = np.full((5, 5), 0.6)
for name, kernel in filters.items():
    assert np.allclose(apply(kernel, flat), 0.6 * sums[name])

# %% [markdown]
# Convolution is **linear**: filtering with a sum of kernels gives the sum of the results. So one
# can take the sharpening kernel apart. It is the image itself, plus its edges:

# %%
itself = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], dtype=float)
its_edges = filters["sharpen"] - itself

assert its_edges.tolist() == [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]
assert its_edges.sum() == 0
assert np.allclose(
    filtered["sharpen"], photograph[1:-1, 1:-1] + apply(its_edges, photograph), atol=1e-12
)

apart_picture = viz.panels(
    {"itself": itself, "+ its edges": its_edges, "= sharpen": filters["sharpen"]}, signed=True
)
apart_picture

# %% [markdown]
# ## Edges in one direction
#
# Slide **Object Edge Detection in Images**: four bright columns of 10, four dark ones of 0. The
# kernel takes what is on the left minus what is on the right, over three rows.

# %%
half = np.repeat([[10.0] * 4 + [0.0] * 4], 8, axis=0)
vertical = np.array([[1.0, 0.0, -1.0]] * 3)

edge = apply(vertical, half)

assert edge.shape == (6, 6)
assert all(row == [0, 0, 30, 30, 0, 0] for row in edge.tolist())

thirty_picture = viz.convolution(half, vertical, at=(0, 2))
thirty_picture

# %% [markdown]
# 30 where it goes from bright to dark: 3 · (10 − 0). From dark to bright it would be −30. The edge
# is two columns wide in the output, since two positions of the window have it inside.
#
# (The slide prints eight rows of output. A window of three fits into eight rows at six places, so
# there are six: 8 − 3 + 1.)
#
# Turn the image on its side, so that the edge is horizontal. Now the kernel sees as much brightness
# on its left as on its right: 0 everywhere. It is blind to horizontal edges, and the turned kernel
# is blind to vertical ones.

# %%
assert (apply(vertical, half[:, ::-1])[:, 2:4] == -30).all()
assert (apply(vertical, half.T) == 0).all()
assert (apply(vertical.T, half.T) == edge.T).all()
assert (apply(vertical.T, half) == 0).all()

down = apply(vertical, photograph)
across = apply(vertical.T, photograph)

directions_picture = viz.panels(
    {"vertical edges": down, "horizontal edges": across, "both": np.hypot(down, across)},
    signed=True,
)
directions_picture

# %% [markdown]
# Look at the tripod and at the buildings' walls in one, and the horizon in the other. Already with
# two kernels, two output channels hold more than the image shows at first sight. A convolutional
# layer has dozens.
#
# ## Found anywhere
#
# Slide **Why use Convolution**: 特徵在哪都能被找到, a feature is found wherever it is. The slide calls it
# translation *invariance*. The exact word is **equivariance**: move the image, and the output moves
# along with it. It does not stay the same (that would be invariance).
#
# What becomes of the border when the image moves? Let what leaves on the right come in on the left,
# and let the kernel look around the border in the same way. Then it is exact, to the last bit:


# %%
def around(image):
    """One more pixel on each side: those of the opposite side."""
    return np.pad(image, 1, mode="wrap")


moved = np.roll(photograph, (30, 50), axis=(0, 1))
before = apply(filters["edge"], around(photograph))
after = apply(filters["edge"], around(moved))

assert np.array_equal(after, np.roll(before, (30, 50), axis=(0, 1)))
assert not np.allclose(after, before)  # not invariant

moved_picture = viz.panels({"moved": moved, "its edges, by size": np.clip(abs(after), 0, 2)})
moved_picture

# %% [markdown]
# A network pads with zeros instead. Then a pixel's neighbours are no longer what they were when it
# moves to or from the border, and there the rule is broken; one pixel further inside, it holds.

# %%
before = apply(filters["edge"], photograph, padding=1)
after = apply(filters["edge"], moved, padding=1)
broken = ~np.isclose(after, np.roll(before, (30, 50), axis=(0, 1)), atol=1e-12)

on_a_border = np.isin(np.arange(240), [0, 29, 30, 239])[:, None]
on_a_border = on_a_border | np.isin(np.arange(240), [0, 49, 50, 239])
assert broken.any()
assert not broken[~on_a_border].any()

paled = 0.5 + moved / 2
broken_picture = viz.panels(
    {"moved": moved, "where the rule is broken (black)": np.where(broken, 0, paled)}
)
broken_picture

# %% [markdown]
# A frame and a cross: today's border, and where the border of before has been moved to. (Sources:
# the word is used as by Cohen & Welling, *Group equivariant convolutional networks*, 2016. That
# networks use the broken border to tell where they are was shown by Islam, Jia & Bruce, 2020.)
#
# ## Any size
#
# Slide **Why use Convolution**: 任何輸入大小都能做, any input size will do. The nine numbers do
# not know how large the image is. The output of an n×n image is (n − 2)×(n − 2).
#
# A fully connected layer has a weight for every pixel, and takes images of one size only.

# %%
small = photograph[60:120, 100:180]
assert apply(filters["edge"], photograph).shape == (240 - 2, 240 - 2)
assert apply(filters["edge"], small).shape == (60 - 2, 80 - 2)
assert np.array_equal(
    apply(filters["edge"], small), apply(filters["edge"], photograph)[60:118, 100:178]
)

dense = tg.nn.Linear(60 * 80, 10).astype(float)
assert dense(small.reshape(1, -1)).shape == (1, 10)
try:
    dense(photograph.reshape(1, -1))
except tg.errors.TinygradError as error:
    print(error)
else:
    raise AssertionError("it should have been refused")

# %%
sizes_picture = viz.panels(
    {"60×80": small, "its edges, 58×78": np.clip(apply(filters["edge"], small), 0, 1)}
)
sizes_picture

# %% [markdown]
# ## Your turn
#
# Put your answers in place of the dots. Solutions are in `solutions/03_filters_on_a_photograph.py`.
#
# **Exercise 1.** Write a 3×3 kernel that moves the image one pixel to the right: each output is the
# pixel to the left of its window's middle.

# %% Exercise 1
move_right = ...

# %%
to_move = np.arange(25.0).reshape(5, 5)
use = (3, 3), lambda kernel: apply(kernel, to_move)
check("move_right", move_right, to_move[1:-1, :-2], kernel=use)

# %% [markdown]
# **Exercise 2.** A blur of 5×5 pixels shall keep the brightness. All its weights are the same.
# Which number? And how large is its result on the photograph, (height, width), without padding?

# %% Exercise 2
weight = ...
size = ...

# %%
check("weight", weight, 1 / 25)
check("size", size, apply(np.ones((5, 5)) / 25, photograph).shape)

# %% [markdown]
# **Exercise 3.** Write a 3×3 kernel that answers with 30 to the edge of `half.T`, where the bright
# half is above, and with 0 to `half`. There are many; the check tries yours on both.

# %% Exercise 3
find_horizontal = ...

# %%
for name, test_image in (("half.T", half.T), ("half", half)):
    use = (3, 3), lambda kernel, image=test_image: apply(kernel, image)
    wanted = apply(vertical.T, test_image)
    check(f"find_horizontal on {name}", find_horizontal, wanted, kernel=use)

# %% [markdown]
# ## What to take along
#
# - A kernel is a pattern; the output says how much of it is where.
# - Its sum says what becomes of a flat region: 1 keeps it, 0 makes it vanish.
# - Move the image, and the output moves along: equivariance, exact up to the border.
# - The same few weights serve any size of image.
