# %% [markdown]
# # 14 · 2ⁿ paths
#
# At every residual block the signal can go two ways: along the shortcut, or through the branch F. Three
# blocks in a row are 2×2×2 = 8 ways from the input to the output. A network of 54 blocks has 2⁵⁴, about
# 18 quadrillion. Do all of them matter?
#
# On the way back, this picture is exact: the gradient **is** the sum of 2ⁿ gradients, one for each path.
# This page takes that sum apart: path by path where there are eight, and by path length where there are
# too many to count. Transformers and DenseNets have such paths, too; they come at the end.
#
# Slides: **Properties of Residual Networks** (three blocks, 8 paths, the equivalent structure), **Why
# Residual Networks work (2/5)** (the sum H), **Gradient computation of Residual Networks**.
#
# Sources: A. Veit, M. Wilber & S. Belongie, *Residual Networks Behave Like Ensembles of Relatively
# Shallow Networks* (2016). The split by the number of branches crossed is Theorem 1 of Fagnou et al.,
# *Highway backpropagation* (2025). Transformers: Vaswani et al., *Attention Is All You Need* (2017), with
# the normalization first and on patches, as Dosovitskiy et al. (2020) do. DenseNet: Huang et al. (2016).

# %%
import math

import numpy as np

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.teaching.exercises import check

nn = tg.nn

# %% [markdown]
# ## Three blocks, eight paths
#
# A block computes x + F(x). Here is the slide's drawing, from the number 3 alone: each way through the
# network is one row. A dashed line is the identity, a box is a branch.

# %%
paths_picture = viz.unroll(3)
paths_picture

# %% [markdown]
# The same eight ways, drawn out as a network. This is the slide's "equivalent structure":

# %%
tree_picture = viz.unroll(3, kind="tree")
tree_picture

# %% [markdown]
# (The slide counts its branches from 0, the drawings from 1.)
#
# Begin with branches that only multiply: F₀(x) = 2x, F₁(x) = 3x, F₂(x) = 5x. The output is
# (1+2)·(1+3)·(1+5)·x. Multiply that out, and there is a term for every path.

# %%
x = tg.Tensor(1.0, requires_grad=True, name="x")
h = x
for a in (2.0, 3.0, 5.0):
    h = tg.residual_add(h, a * h)

split = tg.gradient_paths(h, wrt=x)

assert h.item() == (1 + 2) * (1 + 3) * (1 + 5) == 72
assert 2 * 2 * 2 == sum(split.count) == 8
assert split.count == [1, 3, 3, 1]
assert [g.item() for g in split.by_length] == [1, 2 + 3 + 5, 2 * 3 + 2 * 5 + 3 * 5, 2 * 3 * 5]
assert split.total.item() == 72

# %% [markdown]
# `count[k]` says how many paths cross k branches: C(3, k), the binomial coefficients. `by_length[k]` is
# the sum of their gradients. The eight paths one by one:

# %%
for taken, gradient in split.paths():
    print("".join("F" if branch else "–" for branch in taken), gradient.item())

single_picture = viz.unroll(split)
single_picture

# %% [markdown]
# ## A network
#
# Now the real thing: a ResNet with three blocks, eight images, and the gradient of the loss at the
# images. Its second and third block change the shape, so their shortcuts are not the identity but small
# projections. A path that takes a projection has skipped the block, all the same.

# %%
tg.manual_seed(0)
clothes = tg.data.fashion_mnist("train")
images = tg.Tensor(clothes.inputs[:8], requires_grad=True, name="images")
loss = tg.cross_entropy(tg.models.resnet8()(images), clothes.labels[:8])

eight = tg.gradient_paths(loss, wrt=images)
gradients = [gradient for _, gradient in eight.paths()]
ordinary = tg.grad(loss, images).data

assert len(gradients) == 8
assert np.allclose(sum(gradients), ordinary, atol=1e-6)

network_picture = viz.unroll(eight)
network_picture

# %% [markdown]
# The eight gradients add up to the ordinary one. Nothing is estimated here. Why does it come out
# exactly? A block's backward step is linear: g goes in, and g + Jᵀg comes out, where J is the branch's
# Jacobian at the values of this forward pass. n blocks are a product ∏(I + Jᵢᵀ), and a product of sums
# multiplies out.
#
# ## Too many to list
#
# He et al.'s ResNet-110 has 54 blocks. Listing is out of the question, but sorting by **length** is not.
# Walk back from the loss, and keep an array G_k for "the gradient of all paths that have crossed k
# branches so far". At every block, each G_k goes along the shortcut as it is, and through the branch it
# becomes part of G_{k+1}. That takes n(n+1)/2 backward steps through branches: for 54 blocks 1,485,
# instead of 2⁵⁴.


# %%
def split_by_length(jacobians, g):
    """G₀ … G_n, for blocks x + J·x, the last block last."""
    parts = [g]
    for J in reversed(jacobians):
        skipped = [*parts, np.zeros_like(g)]
        crossed = [np.zeros_like(g), *(J.T @ part for part in parts)]
        parts = [s + c for s, c in zip(skipped, crossed, strict=True)]
    return parts


random = np.random.default_rng(0)
jacobians = random.standard_normal((3, 4, 4)) / 2
g = random.standard_normal(4)
parts = split_by_length(jacobians, g)

v = tg.Tensor(np.zeros(4), requires_grad=True)
h = v
for J in jacobians:
    h = tg.residual_add(h, tg.matmul(J, h))
by_engine = tg.gradient_paths((h * g).sum(), wrt=v).by_length

assert np.allclose(parts, by_engine)
assert 54 * 55 // 2 == 1485
assert round(2**54 / 1e15) == 18  # quadrillion

# %% [markdown]
# ## 54 blocks
#
# Veit, Wilber and Belongie asked where the gradient of such a network comes from. Their recipe: draw
# some paths of each length at random, take the mean norm of their gradients, and multiply by the number
# of paths of that length. They found that nearly all of it comes from paths of 5 to 17 blocks. These are
# few:

# %%
short = sum(math.comb(54, k) for k in range(5, 18)) / 2**54

assert round(100 * short, 4) == 0.4537  # percent of all paths
print(f"{100 * short:.4f} % of all paths cross 5 to 17 branches")

# %% [markdown]
# Let us measure a network of our own: 54 blocks of batch normalization, ReLU and a 3×3 convolution with
# 8 channels, on images that are first averaged down to 7×7. It is untrained. This is one network with
# one seed, and small; what it shows is how the three curves differ, not where they lie in a network of
# another kind.


# %%
def branch(width=8):
    return nn.Sequential(
        nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, bias=False)
    )


def network(n, residual=True, width=8):
    """n blocks between a first convolution and a last dense layer, with shortcuts or without."""
    branches = [branch(width) for _ in range(n)]
    return nn.Sequential(
        nn.AvgPool2d(4),
        nn.Conv2d(1, width, 3, padding=1),
        nn.Sequential(*map(nn.Residual, branches) if residual else branches),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.GlobalAvgPool2d(),
        nn.Linear(width, 10),
    )


tg.manual_seed(0)
images = tg.Tensor(clothes.inputs[:8], requires_grad=True, name="images")
loss = tg.cross_entropy(network(54)(images), clothes.labels[:8])
deep = tg.gradient_paths(loss, wrt=images)
estimate = np.array(deep.veit_estimate(samples=5))

assert deep.n_blocks == 54
assert deep.count == [math.comb(54, k) for k in range(55)]
assert np.allclose(deep.total, tg.grad(loss, images).data, atol=1e-6)
assert math.isclose(sum(deep.shares), 1, abs_tol=1e-5)

deep_picture = viz.unroll(deep, samples=5, note="54 untrained blocks, one seed, 8 images of 7×7.")
deep_picture

# %% [markdown]
# Three answers to one question:
#
# - **number × mean norm of single paths**: Veit's curve;
# - **‖G_k‖**: the norm of the sum over all paths of length k;
# - the **share** ⟨G_k, g⟩ / ‖g‖²: how much of the gradient g these paths make up. Shares add up to 1,
#   and one is negative where the paths of a length pull against the rest.
#
# If all paths of one length pulled in the same direction, the first two would agree. They do not:


# %%
def shortest_window(weights, part=0.9):
    """The fewest lengths in a row that hold that part of all the weight: first and last."""
    weights = np.asarray(weights) / np.sum(weights)
    n = len(weights)
    windows = ((i, j) for size in range(n) for i in range(n - size) for j in [i + size])
    return next((i, j) for i, j in windows if weights[i : j + 1].sum() >= part)


norms = np.array(deep.norms)
cancelling = estimate / norms  # for each length

for curve, weights in (("number × mean norm", estimate), ("‖G_k‖", norms)):
    first, last = shortest_window(weights)
    print(f"{curve}: 90 % in lengths {first} to {last}")
print(f"at length 10, single norms add up to {cancelling[10]:,.0f} times the norm of the sum")

assert np.argmax(norms) < np.argmax(estimate)
assert 1 < cancelling[2] < cancelling[6] < cancelling[10] < cancelling[14]

# %% [markdown]
# The paths of one length largely cancel each other, and at length 14 more than at 2, where they are
# fewer. The estimate adds up norms, so it does not see this; the exact sum does, and puts the weight on
# still shorter paths. Both statements are about this one network. What holds for both curves: paths of
# 30 branches and more carry next to nothing, though most paths are nearly that long.

# %%
assert norms[30:].sum() < 0.01 * norms.sum()
assert estimate[30:].sum() < 0.01 * estimate.sum()

# %% [markdown]
# ## Lesions
#
# If a network is a bundle of many short paths, it should hardly notice the loss of one block: half the
# paths go, and half stay. A plain network has one path, and loses it. Train both for a few seconds, 6
# blocks each, and take one block away at a time.


# %%
def trained(residual):
    tg.manual_seed(0)
    model = network(6, residual)
    loader = tg.data.DataLoader(clothes, batch_size=64, seed=0)
    optimizer = tg.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    tg.train.fit(model, loader, optimizer, epochs=4, progress=False)
    return model


def losses_without_each_block(model, data):
    def measure():
        with tg.no_grad():
            return tg.cross_entropy(model(tg.Tensor(data.inputs)), data.labels).item()

    whole, without = measure(), []
    for i in range(6):
        with tg.lesion(model, f"2.{i}"):
            without.append(measure())
    return whole, np.array(without)


held_out = tg.data.fashion_mnist("test")
rise = {}
for residual in (True, False):
    whole, without = losses_without_each_block(trained(residual), held_out)
    rise[residual] = without - whole
    kind = "residual" if residual else "plain   "
    print(f"{kind} loss {whole:.2f}, without one block: {np.round(without, 2)}")

assert np.median(rise[True]) < np.median(rise[False])
assert rise[True][:2].mean() > 5 * rise[True][-2:].mean()

# %% [markdown]
# One block fewer costs the plain network more, in the median over its blocks. But the residual one is no
# ensemble of equals: its first blocks are dear, its last ones hardly missed. (Six blocks and a few
# seconds of training. It was the same with each of three seeds; this is the first. Veit et al. have 54
# blocks, fully trained, and there a single block is hardly missed anywhere but where the shape changes.)
#
# ## What the picture does not say
#
# The slide writes H(x₀) = x₀ + F₀(x₀) + F₁(x₁) + F₂(x₂). That is right, with x₁ = x₀ + F₀(x₀) and x₂ =
# x₁ + F₁(x₁) understood. But it is a sum of *four* terms, and F₂ is applied to a sum. To go on and write
# it as a sum of eight networks, F₂(x₁ + F₁(x₁)) must be F₂(x₁) + F₂(F₁(x₁)), and that holds only if F₂
# is linear.
#
# `tg.expand` runs each of the eight networks forward and compares their sum with the output.


# %%
def small(activation):
    tg.manual_seed(0)
    branches = [nn.Linear(5, 5, bias=False) for _ in range(3)]
    if activation is not None:
        branches = [nn.Sequential(layer, activation()) for layer in branches]
    return nn.Sequential(*map(nn.Residual, branches))


start = tg.Tensor(np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32))
linear = tg.expand(small(None), start)
nonlinear = tg.expand(small(nn.Tanh), start)

assert len(linear.paths) == len(nonlinear.paths) == 8
assert linear.difference < 1e-6
assert nonlinear.difference > 0.01
print(f"linear branches: off by {linear.difference:.1g}; with tanh: {nonlinear.difference:.1%}")

# %% [markdown]
# So 8 paths are the exact truth about the **gradient** of any residual network, because going backwards
# is linear at fixed values of the forward pass. About the **output** they are exact only for linear
# branches. Read "residual networks behave like ensembles" with that in mind.

# %%
forward_picture = viz.unroll(nonlinear)
forward_picture

# %% [markdown]
# ## A transformer: two kinds of branches
#
# Nothing of this needs a residual *block*. Wherever a network computes h + f(h), a path goes along h or
# through f. A transformer's block does so twice: with attention (every patch looks at the others), then
# with a small multilayer perceptron (every patch by itself). Here is one on images: 16 patches of 7×7
# pixels, four blocks, 32 numbers a patch.


# %%
class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, width)
        self.query_key_value = nn.Linear(width, 3 * width)

    def forward(self, x):
        query, key, value = tg.split(self.query_key_value(self.norm(x)), 3, axis=-1)
        return self.out(tg.scaled_dot_product_attention(query, key, value))


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.attention = Attention(width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x):
        x = x + self.attention(x)
        return x + self.mlp(x)


class Transformer(nn.Module):
    def __init__(self, blocks=4, width=32):
        super().__init__()
        self.embed, self.head = nn.Linear(49, width), nn.Linear(width, 10)
        self.position = nn.Parameter(np.zeros((16, width), np.float32))
        self.layers = nn.Sequential(*(Block(width) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)

    def forward(self, images):
        patches = images.reshape(-1, 4, 7, 4, 7).transpose(0, 1, 3, 2, 4).reshape(-1, 16, 49)
        x = self.layers(self.embed(patches) + self.position)
        return self.head(self.norm(x).mean(axis=1))


def loss_of(model, number):
    images = tg.Tensor(clothes.inputs[:number], requires_grad=True, name="images")
    return images, tg.cross_entropy(model(images), clothes.labels[:number])


tg.manual_seed(0)
transformer = Transformer()
images, loss = loss_of(transformer, 32)
branches = tg.gradient_paths(loss, wrt=images)

assert branches.count == [math.comb(8, k) for k in range(9)]
assert [part.name for part in branches.parts][:2] == ["layers.0.attention", "layers.0.mlp"]
assert {choice.kind for choice in branches.choices} == {"addition"}

# %% [markdown]
# The addition of the positions is no choice: they do not come from the image. A path of length 3 may now
# cross three attentions, or three perceptrons, or some of each. `through` marks parts of a network by
# name, here two kinds of them, and the split becomes a table.


# %%
def by_kind(model):
    images, loss = loss_of(model, 32)
    kinds = {"attention": "layers.*.attention", "mlp": "layers.*.mlp"}
    return tg.gradient_paths(loss, wrt=images, through=kinds)


def mean_crossings(table):
    """How many attentions and how many perceptrons are crossed, on average over the gradient."""
    return [float(table.sum(axis=1 - axis) @ np.arange(5)) for axis in (0, 1)]


fresh = by_kind(transformer)

assert fresh.table("count").sum() == 2**8
assert np.isclose(fresh.table().sum(), 1)
assert np.allclose(fresh.total, tg.grad(loss, images).data, atol=1e-6)
assert np.allclose(sum(fresh.margin("mlp")), fresh.total, atol=1e-6)

loader = tg.data.DataLoader(clothes, batch_size=64, seed=0)
optimizer = tg.optim.Adam(transformer.parameters(), lr=0.003)
tg.train.fit(transformer, loader, optimizer, epochs=4, progress=False)
after = by_kind(transformer)
print("before: crosses {:.1f} attentions, {:.1f} mlps".format(*mean_crossings(fresh.table())))
print("after:  crosses {:.1f} attentions, {:.1f} mlps".format(*mean_crossings(after.table())))

pairs_picture = viz.unroll(
    after, "pairs", note="4 blocks after 4 epochs on 1,600 images, one seed, gradient of 32 images."
)
pairs_picture

# %% [markdown]
# Measured on this network, before and after four epochs on 1,600 images of clothes: the gradient at the
# images crosses attention more often than perceptrons, and both more often after the training. (It was
# the same with each of three seeds; this is the first. It is a small network, hardly trained, and nothing
# here says that a large one is like it.)

# %%
assert mean_crossings(fresh.table())[0] > mean_crossings(fresh.table())[1]
assert mean_crossings(after.table())[0] > mean_crossings(after.table())[1]
assert np.all(np.array(mean_crossings(after.table())) > mean_crossings(fresh.table()))

# %% [markdown]
# And which of the eight branches is it? `part_shares` says what part of the gradient comes through each:
# the sum over all paths that cross it. On the graph, every edge can say so. At an addition the shares of
# its two sides add up to what comes to it, as water does where a river parts. (A negative share pulls
# against the rest.)

# %%
for part, share in zip(after.parts, after.part_shares, strict=True):
    print(f"{part.name:20} {share:6.1%}")

assert math.isclose(sum(after.part_shares), sum(mean_crossings(after.table())), rel_tol=1e-4)

with tg.trace() as trace:
    images, loss = loss_of(transformer, 8)
    loss.backward()
eight_images = tg.gradient_paths(loss, images)
addition = eight_images.choices[0].place
to_both = [trace.edge_gradients()[addition, i] for i in (0, 1)]

assert all(np.array_equal(g, trace.gradient(addition)) for g in to_both)  # each gets the whole

shares_picture = viz.gradient_flow(
    trace, paths=tg.gradient_paths(loss, images), depth=3, fold=False
)
shares_picture

# %% [markdown]
# ## DenseNet: concatenations
#
# A dense layer does not add: it puts its new channels **beside** the old ones, [h, f(h)]. That is a choice,
# too, and the paths are counted alike. But the gradient goes another way. An addition hands the *whole*
# gradient to both of its inputs; a concatenation hands each input *its own channels*.


# %%
class DenseLayer(nn.Module):
    def __init__(self, channels, growth):
        super().__init__()
        self.branch = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, growth, 3, padding=1, bias=False),
        )

    def forward(self, x):
        return tg.concatenate([x, self.branch(x)], axis=1)


def dense_network(n, growth=4):
    channels = [8 + growth * i for i in range(n + 1)]
    return nn.Sequential(
        nn.AvgPool2d(4),
        nn.Conv2d(1, 8, 3, padding=1),
        nn.Sequential(*(DenseLayer(c, growth) for c in channels[:-1])),
        nn.BatchNorm2d(channels[-1]),
        nn.ReLU(),
        nn.GlobalAvgPool2d(),
        nn.Linear(channels[-1], 10),
    )


tg.manual_seed(0)
with tg.trace() as trace:
    images, loss = loss_of(dense_network(12), 8)
    loss.backward()
dense = tg.gradient_paths(loss, images)

assert {choice.kind for choice in dense.choices} == {"concatenation"}
assert dense.count == [math.comb(12, k) for k in range(13)]

join = dense.choices[-1].place
sent = [trace.edge_gradients()[join, i] for i in (0, 1)]  # to the old channels, and to the new

assert [g.shape[1] for g in sent] == [8 + 4 * 11, 4]
assert np.array_equal(np.concatenate(sent, axis=1), trace.gradient(join))

dense_picture = viz.unroll(dense, note="12 untrained dense layers, one seed, 8 images of 7×7.")
dense_picture

# %% [markdown]
# Measured on this network, 12 layers deep and untrained: 85 % of the paths cross 4 to 8 layers, but 95 %
# of the gradient comes from lengths 1 to 5. (With four seeds it was 95, 94, 92 and 99 %; this is the
# first.)

# %%
assert round(100 * sum(dense.count[4:9]) / 2**12) == 85
assert math.isclose(sum(dense.shares[1:6]), 0.95, abs_tol=0.01)

# %% [markdown]
# ## Your turn
#
# Put your answers in place of the dots. The cell after each exercise says whether you are right, and if
# not, what is wrong. Solutions are in `solutions/14_two_to_the_n_paths.py`.
#
# **Exercise 1.** A network of 6 blocks: how many paths are there, how many cross exactly 2 branches, and
# how many go through the branch of the first block?

# %% Exercise 1
paths_in_all, of_length_two, through_the_first = ..., ..., ...

# %%
six = tg.Tensor(1.0, requires_grad=True)
h = six
for _ in range(6):
    h = tg.residual_add(h, 2.0 * h)
every = [taken for taken, _ in tg.gradient_paths(h, wrt=six).paths()]
check("paths_in_all", paths_in_all, len(every))
check("of_length_two", of_length_two, sum(sum(taken) == 2 for taken in every))
check("through_the_first", through_the_first, sum(taken[0] for taken in every))

# %% [markdown]
# **Exercise 2.** Two blocks, F₀(x) = 4x and F₁(x) = −2x. Give the gradients by length, G₀, G₁ and G₂.

# %% Exercise 2
by_length = [..., ..., ...]

# %%
two = tg.Tensor(1.0, requires_grad=True)
h = tg.residual_add(two, 4.0 * two)
h = tg.residual_add(h, -2.0 * h)
check("by_length", by_length, np.array(tg.gradient_paths(h, wrt=two).by_length))

# %% [markdown]
# **Exercise 3.** A ReLU after the addition, as in He et al.'s first ResNet: y = relu(x + F(x)), with
# F(x) = −3x, at x = 1. What is the gradient of the path along the *shortcut*?

# %% Exercise 3
along_the_shortcut = ...

# %%
one = tg.Tensor(1.0, requires_grad=True)
masked = tg.relu(tg.residual_add(one, -3.0 * one))
check("along_the_shortcut", along_the_shortcut, tg.gradient_paths(masked, wrt=one).by_length[0])

# %% [markdown]
# **Exercise 4.** A transformer of 6 blocks, each with attention and then a perceptron. How many paths are
# there, and how many cross exactly 2 attentions and 1 perceptron?

# %% Exercise 4
paths_of_the_transformer, two_and_one = ..., ...

# %%
tokens = tg.Tensor(1.0, requires_grad=True)
h = tokens
for _ in range(6):
    h = h + tg.tanh(h)  # stands for attention
    h = h + tg.exp(-h)  # stands for the perceptron
kinds = {"attention": lambda node: node.op is tg.tanh, "mlp": lambda node: node.op is tg.exp}
number = tg.gradient_paths(h, wrt=tokens, through=kinds).table("count")
check("paths_of_the_transformer", paths_of_the_transformer, int(number.sum()))
check("two_and_one", two_and_one, int(number[2, 1]))

# %% [markdown]
# ## What to take along
#
# - n residual blocks give 2ⁿ paths; C(n, k) of them cross k branches.
# - The gradient is exactly the sum over all paths, and n(n+1)/2 steps sort it by length.
# - Norms of single paths say less than they seem to: paths cancel.
# - Additions h + f(h) and concatenations [h, f(h)] choose alike, in transformers and in DenseNets;
#   `through` tells paths apart by any parts of a network.
# - Forward, the sum of 2ⁿ networks is a picture, exact only for linear branches.
