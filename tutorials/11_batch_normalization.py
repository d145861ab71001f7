# %% [markdown]
# # 11 · Batch normalization
#
# One standardizes a network's inputs as a matter of course: subtract the mean, divide by the standard
# deviation. Batch normalization does the same between the layers, at every step, with the statistics of
# the batch at hand. Networks that hardly start without it train in a few epochs with it.
#
# Slides: **Problems (Internal Covariate Shift)**, **Recall input standardization**, **Batch
# Normalization** (several), **Batch normalization during testing**, **Batch Normalization in CNN**.
#
# Sources: S. Ioffe & C. Szegedy, *Batch Normalization* (2015); S. Santurkar et al., *How Does Batch
# Normalization Help Optimization?* (2018); the BN-LeNet is that of *Dive into Deep Learning*, section
# 8.5.

# %%
import numpy as np

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.teaching.exercises import check, check_gradient

random = np.random.default_rng(11)

# %% [markdown]
# ## The algorithm
#
# For each channel: the mean μ and the variance σ² over the batch, then x̂ = (x − μ) / √(σ² + ε), then y
# = γx̂ + β with two numbers γ and β that are learned. ε keeps the root away from 0.

# %%
x = random.standard_normal((4, 3)) * 5 + 2
gamma, beta, eps = np.array([1.0, 2.0, 0.5]), np.array([0.0, -1.0, 3.0]), 1e-5

mu = x.mean(axis=0)
variance = ((x - mu) ** 2).mean(axis=0)  # divided by 4, not by 3: the biased variance
x_hat = (x - mu) / np.sqrt(variance + eps)
by_hand = gamma * x_hat + beta

assert np.allclose(by_hand, tg.batch_norm(x, weight=gamma, bias=beta, training=True))
assert np.allclose(x_hat.mean(axis=0), 0)
assert np.allclose(x_hat.std(axis=0), 1)

# %% [markdown]
# ## In a convolutional network
#
# A kernel visits every position, so all positions of a channel are normalized together. With m examples
# in the batch and maps of p×q, that is **m·p·q** numbers per channel, and one γ and one β for each
# channel.

# %%
m, channels, p, q = 8, 6, 5, 4
maps = random.standard_normal((m, channels, p, q)) * 3 + 1
normalized = tg.batch_norm(maps, training=True)
one_channel = maps[:, 2]

assert one_channel.size == m * p * q == 160
assert np.allclose(
    normalized[:, 2], (one_channel - one_channel.mean()) / np.sqrt(one_channel.var() + eps)
)

channels_picture = viz.batch_norm(maps[:3, :2], weight=[2.0, 0.5], bias=[0.0, -1.0])
channels_picture

# %% [markdown]
# ## Its gradient
#
# Each x moves its own x̂, and it moves μ and σ, which move *all* x̂. So its gradient has three parts.
# Write g for the gradient at x̂; then the chain rule gives
#
# **(g − mean(g) − x̂ · mean(g·x̂)) / √(σ² + ε)**
#
# with means over the same m·p·q numbers. The first part is what one expects; the second removes g's
# mean, since moving all x together changes nothing; the third removes what would stretch all x, since
# that changes nothing either.


# %%
def batch_norm_vjp(g, x):
    std = np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) / std
    return (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0)) / std


def normalize(x):
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)


assert tg.gradcheck(normalize, x, vjp=batch_norm_vjp)

t = tg.Tensor(x, requires_grad=True)
g = random.standard_normal(x.shape)
gradient = tg.grad(tg.batch_norm(t, training=True), t, grad_outputs=g).data

assert np.allclose(gradient, batch_norm_vjp(g, x))
assert np.allclose(gradient.sum(axis=0), 0)  # moving all x together
assert np.abs((gradient * x_hat).sum(axis=0)).max() < 1e-3  # stretching them; ε leaves a trace

# %% [markdown]
# Whoever takes μ and σ for constants keeps only the first part. The gradient check says so (tutorial 15
# has more of this):

# %%
constant = tg.gradcheck(normalize, x, vjp=lambda g, x: g / np.sqrt(x.var(axis=0) + eps))

assert "constants" in constant.diagnosis
print(constant.diagnosis)

# %% [markdown]
# ## At test time
#
# When one image is to be classified, there is no batch. The slide gives two solutions.
#
# 1. The mean and variance of the **whole training set**.
# 2. A **moving average** of the batches' means and variances, kept during training.
#
# Here comes a small mistake of the slide, and one that nearly everybody makes once. It writes
#
#     running = momentum · running + (1 − momentum) · sample,   e.g. momentum = 0.1
#
# With 0.1, each batch would replace 90 % of what was learned before. In *this* formula the number should
# be 0.9. The 0.1 belongs to PyTorch's formula, which has the two the other way round:
#
#     running = (1 − momentum) · running + momentum · sample
#
# `tg.nn.BatchNorm2d(…, decay=0.9)` is the first, `momentum=0.1` the second, and they are the same.

# %%
course, pytorch = tg.nn.BatchNorm1d(3, decay=0.9), tg.nn.BatchNorm1d(3, momentum=0.1)
slip = tg.nn.BatchNorm1d(3, decay=0.1)
batches = [random.standard_normal((32, 3)).astype(np.float32) + 5 for _ in range(100)]
wandering = {"decay 0.9": [], "decay 0.1": []}
for batch in batches:
    for layer in (course, pytorch, slip):
        layer(tg.Tensor(batch))
    wandering["decay 0.9"].append(course.running_mean.data[0])
    wandering["decay 0.1"].append(slip.running_mean.data[0])

assert np.allclose(course.running_mean.data, pytorch.running_mean.data)
late = {name: float(np.std(values[60:])) for name, values in wandering.items()}
print(late)
assert late["decay 0.1"] > 2 * late["decay 0.9"]  # it follows every batch's noise

# %% [markdown]
# Both solutions, on a network: BN-LeNet, which is LeNet with batch normalization before each sigmoid
# (and with no padding, hence its fewer parameters). First it is trained for ten epochs on 1,600 images,
# beside LeNet, from one seed, with the same learning rate, 0.1.

# %%
clothes, held_out = tg.data.fashion_mnist("train"), tg.data.fashion_mnist("test")


def trained(model_of):
    tg.manual_seed(0)
    model = model_of()
    loader = tg.data.DataLoader(clothes, batch_size=128, seed=0)
    optimizer = tg.optim.SGD(model.parameters(), lr=0.1)
    history = tg.train.fit(model, loader, optimizer, epochs=10, held_out=held_out, progress=False)
    return model, history


lenet, plateau = trained(tg.models.LeNet)
bn_lenet, start = trained(tg.models.BNLeNet)

assert bn_lenet.count_parameters() == 44_878
assert lenet.count_parameters() == 61_706
assert plateau.epochs[-1].loss > 2.25  # as good as guessing: ln 10 = 2.30
assert start.epochs[-1].loss < 1.2

training_picture = viz.training({"LeNet": plateau, "BN-LeNet": start})
training_picture

# %% [markdown]
# LeNet sits on a plateau, BN-LeNet does not. (With more data, LeNet leaves it after some epochs.) Why?
# Not because its sigmoids are saturated: their slopes are near the largest possible, ¼. But small
# weights and these slopes shrink what *differs* between images from layer to layer, until the last layer
# can hardly tell them apart; and they shrink the gradient on its way back. Batch normalization scales
# the differences up again. Here is, for each sigmoid of both networks before any training, the standard
# deviation of its outputs over 128 images (the mean over its neurons), and the norm of the gradient at
# the first one:


# %%
def sigmoids(model):
    """Output and gradient of each, for the first images."""
    with tg.trace() as trace:
        tg.cross_entropy(model(tg.Tensor(clothes.inputs[:128])), clothes.labels[:128]).backward()
    nodes = [event.node for event in trace.forward_events if event.op == "sigmoid"]
    return [node.value for node in nodes], [trace.gradient(node) for node in nodes]


tg.manual_seed(0)
spreads, first = {}, {}
for name, model in (("LeNet", tg.models.LeNet()), ("BN-LeNet", tg.models.BNLeNet())):
    outputs, gradients = sigmoids(model)
    spreads[name] = [float(y.std(axis=0).mean()) for y in outputs]
    first[name] = float(np.linalg.norm(gradients[0]))
    print(f"{name:8} {np.round(spreads[name], 4)}, gradient {first[name]:.0e}")
    assert all((y * (1 - y)).mean() > 0.2 for y in outputs)  # the slopes, at most 0.25

assert spreads["LeNet"][-1] < 0.001
assert min(spreads["BN-LeNet"]) > 0.1
assert first["BN-LeNet"] > 100 * first["LeNet"]

# %% [markdown]
# Now the same BN-LeNet at test time, in three ways: with the statistics of each batch of 100 test
# images, with the moving average, and with the statistics of the whole training set.


# %%
def accuracy(model):
    return tg.train.accuracy(model, held_out)


reached = {"moving average": accuracy(bn_lenet.eval())}
with tg.no_grad():
    scores = [bn_lenet.train()(tg.Tensor(held_out.inputs[i : i + 100])) for i in range(0, 400, 100)]
right = np.concatenate([s.data.argmax(axis=1) for s in scores]) == held_out.labels
reached["each batch's own"] = float(right.mean())

loader = tg.data.DataLoader(clothes, batch_size=128, seed=0)
tg.nn.use_population_statistics(bn_lenet, loader)
reached["whole training set"] = accuracy(bn_lenet.eval())
print(reached)

assert all(value > 0.5 for value in reached.values())

# %% [markdown]
# ## Before or after the activation?
#
# The slide says: before, it is fast, because it can be merged into the weights; after, it works better,
# because what the next layer gets is really normalized. The first half is exact. In evaluation mode, μ
# and σ are constants, so γ(Wx + b − μ)/σ + β is another linear layer: W′ = Wγ/σ and b′ = (b − μ)γ/σ + β.

# %%
convolution, norm = bn_lenet.features.conv1, bn_lenet.features.bn1
folded = tg.nn.fold_batch_norm(convolution, norm)
images = tg.Tensor(held_out.inputs[:4])
scale = norm.weight.data / np.sqrt(norm.running_var.data + norm.eps)

assert np.allclose(folded(images).data, norm(convolution(images)).data, atol=1e-5)
assert np.allclose(folded.weight.data, convolution.weight.data * scale[:, None, None, None])

# %% [markdown]
# The second half is an observation, and not everybody's: Ioffe & Szegedy put it before, and most
# networks do to this day.
#
# ## Does it regularize?
#
# The slide on its benefits (好處) names four: less internal covariate shift, regularization, gradients
# that vanish less, faster learning. The last two showed above. As for regularization: in training, what
# comes out for an image depends on the other images in its batch. That is a kind of noise, and is
# thought to make it harder to learn single images by heart. Ioffe & Szegedy (section 3.4) could lower or drop
# dropout in their network.

# %%
bn_lenet.train()
with tg.no_grad():
    company = [bn_lenet(tg.Tensor(held_out.inputs[[0, *range(i, i + 31)]])).data for i in (1, 32)]

assert not np.allclose(company[0][0], company[1][0], atol=0.1)  # image 0 in two batches
bn_lenet.eval()

# %% [markdown]
# ## What is disputed
#
# The deck explains batch normalization by **internal covariate shift**: as the lower layers change, what
# arrives at the upper ones shifts, and they have to follow. That was the idea of its inventors.
# Santurkar et al. (2018) *added* such a shift on purpose, and networks with batch normalization trained
# nearly as well as before. They find that it makes the loss smoother: gradients that change less from
# step to step allow longer steps. That it helps is not in dispute; why, still is.
#
# One effect is easy to see (Ioffe & Szegedy, section 3.3). The scale of the weights below a
# normalization does not matter any more, and the larger they are, the smaller is their gradient: their
# growth slows itself down.

# %%
weight = random.standard_normal((3, 3))
inputs, g = random.standard_normal((16, 3)), random.standard_normal((16, 3))
results = []
for factor in (1.0, 10.0):
    w = tg.Tensor(weight * factor, requires_grad=True)
    y = tg.batch_norm(tg.matmul(inputs, w), training=True, eps=0.0)
    results.append((y.data, tg.grad(y, w, grad_outputs=g).data))
(output, gradient), (output_of_larger, gradient_of_larger) = results

assert np.allclose(output, output_of_larger)  # ten times the weights: the same output,
assert np.allclose(gradient, 10 * gradient_of_larger)  # and a tenth of the gradient

# %% [markdown]
# ## Your turn
#
# Put your answers in place of the dots. The cell after each exercise says whether you are right, and if
# not, what is wrong. Solutions are in `solutions/11_batch_normalization.py`.
#
# **Exercise 1.** A batch of 128 images goes through LeNet's first convolution, 6 channels of 28×28. How
# many numbers are normalized together, and how many parameters does batch normalization add?

# %% Exercise 1
together, added = ..., ...

# %%
check("together", together, np.zeros((128, 6, 28, 28))[:, 0].size)
check("added", added, tg.nn.BatchNorm2d(6).count_parameters())

# %% [markdown]
# **Exercise 2.** Write the gradients at γ and β. You get g, the gradient at y = γx̂ + β, and x̂, γ and
# β.


# %% Exercise 2
def scale_and_shift_vjp(g, x_hat, gamma, beta):
    x_hat_grad = g * gamma
    return x_hat_grad, ..., ...


# %%
check_gradient(
    scale_and_shift_vjp, lambda x_hat, gamma, beta: gamma * x_hat + beta, [x_hat, gamma, beta]
)

# %% [markdown]
# **Exercise 3.** With running = d·running + (1 − d)·sample, what part of the value that "running" has
# now is still in it after 10 more batches, for d = 0.9 and for d = 0.1?

# %% Exercise 3
left_with_09, left_with_01 = ..., ...

# %%
for d, name, answer in ((0.9, "left_with_09", left_with_09), (0.1, "left_with_01", left_with_01)):
    layer = tg.nn.BatchNorm1d(1, decay=d)
    layer.running_mean.data = np.ones(1, np.float32)
    for _ in range(10):
        layer(tg.Tensor(np.array([[-1.0], [1.0]], np.float32)))  # batches of mean 0
    check(name, answer, layer.running_mean.data[0], tolerance=1e-5)

# %% [markdown]
# ## What to take along
#
# - Each channel is standardized over batch and positions, m·p·q numbers, then scaled and shifted by two
#   learned ones.
# - Its gradient goes through the statistics, too; at test time these are constants, and the layer can be
#   folded away.
# - The course's formula wants d = 0.9, PyTorch's momentum 0.1; they mean the same.
# - That it works is certain, why is not.
