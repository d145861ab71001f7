# %% [markdown]
# # 9 · AlexNet
#
# In 2012 a network won the ImageNet competition by far: 15.3 % of its answers were wrong (the right class not among its first
# five), where the next best had 26.2 %. AlexNet is a deeper and bigger LeNet, with a few changes that make it learn. What do
# they change, and in which gradient is that seen?
#
# Slides: **AlexNet** (three), **LeNet vs. AlexNet** (three).
#
# Sources: A. Krizhevsky, I. Sutskever & G. Hinton, *ImageNet Classification with Deep Convolutional Neural Networks* (2012);
# X. Glorot & Y. Bengio, *Understanding the difficulty of training deep feedforward neural networks* (2010); K. He et al.,
# *Delving Deep into Rectifiers* (2015); N. Srivastava et al., *Dropout* (2014). The network's form is that of *Dive into
# Deep Learning*, section 8.1.

# %%
import numpy as np

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.teaching.exercises import check, check_gradient

nn = tg.nn
random = np.random.default_rng(9)

# %% [markdown]
# ## Side by side
#
# The same plan in both: convolutions and pooling, each time fewer positions and more channels, then three dense layers. (Each network
# is drawn to its own scale: AlexNet's images are of 224×224.)

# %%
networks = {"LeNet": tg.models.LeNet(), "AlexNet": tg.models.AlexNet()}
architecture_picture = viz.architecture(networks)
rows = {row["name"]: row for row in architecture_picture.data}
shapes = [volume["shape"] for volume in rows["AlexNet"]["volumes"]]

assert shapes[:3] == [(1, 224, 224), (96, 54, 54), (96, 26, 26)]
assert shapes[3:5] == [(256, 26, 26), (256, 12, 12)]
assert shapes[5:9] == [(384, 12, 12), (384, 12, 12), (256, 12, 12), (256, 5, 5)]
assert 256 * 5 * 5 == networks["AlexNet"].classifier.dense1.weight.shape[1] == 6400
assert shapes[9:] == [(4096,), (4096,), (10,)]
assert rows["LeNet"]["parameters"] == 61_706
assert rows["AlexNet"]["parameters"] == 46_764_746

architecture_picture

# %% [markdown]
# Beside its size, these are the slide's "key modifications": ReLU for the sigmoid, dropout after two dense layers, max pooling for the
# average.


# %%
def layers(model, kind):
    return sum(isinstance(layer, kind) for _, layer in model.named_modules())


kinds = (nn.Conv2d, nn.Linear, nn.Sigmoid, nn.ReLU, nn.AvgPool2d, nn.MaxPool2d, nn.Dropout)
counts = {name: [layers(model, kind) for kind in kinds] for name, model in networks.items()}

assert counts["LeNet"] == [2, 3, 4, 0, 2, 0, 0]
assert counts["AlexNet"] == [5, 3, 0, 7, 0, 3, 2]

# %% [markdown]
# (The slides give it one channel and ten classes. As published, for 1,000 classes of colour images, it has 60,965,224 parameters, and
# some convolutions in two groups, one for each of two graphics cards.)

# %%
assert tg.models.AlexNet(3, 1000, paper=True).count_parameters() == 60_965_224

# %% [markdown]
# ## Sigmoid and ReLU
#
# A sigmoid's slope is σ(x)(1 − σ(x)): at most ¼, at x = 0, and nearly nothing where |x| is large, where it *saturates*. A ReLU's
# is 1 for positive x, and 0 for negative.

# %%
x = tg.Tensor([-5.0, -1.0, 0.0, 1.0, 5.0], requires_grad=True)
slopes = {f.__name__: tg.grad(f(x).sum(), x).data for f in (tg.sigmoid, tg.relu)}

assert slopes["sigmoid"].max() == slopes["sigmoid"][2] == 0.25
assert np.isclose(slopes["sigmoid"][4], 0.0066, atol=1e-4)
assert slopes["relu"].tolist() == [0, 0, 0, 1, 1]  # at 0 itself we take 0

# %% [markdown]
# On its way back through a network, the gradient is multiplied by one such slope after another. Eight sigmoids in a row, at best:

# %%
h = start = tg.Scalar(0.0, name="x")
for _ in range(8):
    h = tg.sigmoid(h) - 0.5  # so that the next one is at its steepest point, 0, too
h.backward()

assert np.isclose(start.grad, 0.25**8)
print(f"{start.grad:.1e} of the gradient arrives")

# %% [markdown]
# ## On the graph
#
# A small network with AlexNet's plan, five convolutions and three dense layers, for images of 28×28. With sigmoids first: here
# is the gradient of the loss, on every edge, on its way from the loss, at the bottom, to the first layer. Follow the numbers upwards.


# %%
def small(activation, dropout=0.0):
    tg.manual_seed(0)
    return nn.Sequential(
        conv1=nn.Conv2d(1, 8, 5, stride=2, padding=2), act1=activation(),
        conv2=nn.Conv2d(8, 16, 5, padding=2), act2=activation(),
        pool2=nn.MaxPool2d(3, stride=2),
        conv3=nn.Conv2d(16, 24, 3, padding=1), act3=activation(),
        conv4=nn.Conv2d(24, 24, 3, padding=1), act4=activation(),
        conv5=nn.Conv2d(24, 16, 3, padding=1), act5=activation(),
        pool5=nn.MaxPool2d(3, stride=2),
        flatten=nn.Flatten(),
        dense1=nn.Linear(64, 64), act6=activation(), drop1=nn.Dropout(dropout),
        dense2=nn.Linear(64, 64), act7=activation(), drop2=nn.Dropout(dropout),
        dense3=nn.Linear(64, 10),
    )  # fmt: skip


clothes, held_out = tg.data.fashion_mnist("train"), tg.data.fashion_mnist("test")


def one_step(model):
    with tg.trace() as trace:
        tg.cross_entropy(model(tg.Tensor(clothes.inputs[:64])), clothes.labels[:64]).backward()
    return trace


traces = {"sigmoid": one_step(small(nn.Sigmoid)), "ReLU": one_step(small(nn.ReLU))}

flow_picture = viz.gradient_flow(traces["sigmoid"], legend=False)
flow_picture

# %% [markdown]
# What each layer's weights get of it, with sigmoids and with ReLUs. Both networks have the same weights. The axis is logarithmic:
# a step of one decade is a factor of ten.

# %%
bars_picture = viz.gradient_bars(traces)
bars_picture


# %%
def weight_gradients(picture):
    """The mean |gradient| of each layer's weights, from the first layer to the last."""
    return {
        name: [row["mean"] for row in rows if row["parameter"] == "weight"]
        for name, rows in picture.data.items()
    }


share = {name: sizes[0] / sizes[-1] for name, sizes in weight_gradients(bars_picture).items()}
print({name: f"the first layer gets {value:.0e} of the last" for name, value in share.items()})

assert share["sigmoid"] < 1e-5
assert share["ReLU"] > 1e-2

# %% [markdown]
# The first layer of the sigmoid network gets about a millionth of the last one's gradient. With any one learning rate, either the first
# stands still or the last goes wild. This is the **vanishing gradient**.
#
# ## "No more vanishing gradient"?
#
# So says the slide of ReLU. It is a little too strong. A ReLU's slope does not shrink the gradient where it is on. But the gradient is
# multiplied by the *weights* as well, and where a ReLU is off, it does not shrink the gradient, it ends it. A unit that is off
# for every image gets no gradient at all, so it never comes back: a *dead* ReLU.

# %%
unit = nn.Linear(784, 1)
unit.bias.data = np.array([-1000.0], np.float32)  # one too long step, say
tg.relu(unit(tg.Tensor(clothes.inputs.reshape(-1, 784)))).sum().backward()

assert not unit.weight.grad.data.any()
assert not unit.bias.grad.data.any()

# %% [markdown]
# ## How to begin
#
# How large should the first, random weights be? A unit sums n inputs, each times a weight of variance v. If they are independent,
# with mean 0, its variance is n·v times the mean square of the inputs. With **v = 1/n** that size would be kept. A ReLU then
# sets half of it to 0, so with ReLUs it takes **v = 2/n** (He et al.). Forty layers of 256 units:

# %%
sizes = {}
for name, v in {"0.01": 0.01**2, "√(1/n)": 1 / 256, "√(2/n)": 2 / 256}.items():
    h = random.standard_normal((256, 50))
    for _ in range(40):
        h = np.maximum(np.sqrt(v) * random.standard_normal((256, 256)) @ h, 0)
    sizes[name] = float(np.sqrt((h**2).mean()))
print({name: f"{size:.0e}" for name, size in sizes.items()})

assert sizes["0.01"] < 1e-30
assert 1e-8 < sizes["√(1/n)"] < 1e-4  # about (½)²⁰
assert 0.1 < sizes["√(2/n)"] < 10

# %% [markdown]
# The gradient on its way back meets the same weights, transposed, so it shrinks or keeps its size likewise. (Then n is the number of
# units that one input *reaches*. Glorot & Bengio take 2/(n in + n out), between the two; for sigmoids and tanh.)
#
# AlexNet itself began with a standard deviation of 0.01. Most of its layers sum more than a thousand inputs, so that is not far from what
# He's rule asks for there: 0.018 for the 6,400 of the first dense layer above. For our small network it is far too small.

# %%
assert np.isclose(np.sqrt(2 / 6400), 0.018, atol=5e-4)

begun = {}
for name in ("normal", "xavier_normal", "he_normal"):
    begun[name] = one_step(nn.init.initialize(small(nn.ReLU), name))

begun_picture = viz.gradient_bars(begun)
begun_picture

# %%
first = {name: sizes[0] for name, sizes in weight_gradients(begun_picture).items()}
print({name: f"{size:.0e}" for name, size in first.items()})
biases = [row["mean"] for row in begun_picture.data["normal"] if row["parameter"] == "bias"]

assert biases[0] < 1e-6 * biases[-1]
assert first["normal"] < 1e-6 * first["he_normal"]
assert first["normal"] < first["xavier_normal"] < first["he_normal"]

# %% [markdown]
# "normal" is 0.01. Its biases show how the gradient vanishes on its way up, with ReLUs as well. Its weights' gradients are tiny
# in all layers. A weight's gradient is the gradient above it times the value below it; and near the loss, where the gradient is
# still large, the values have vanished on their way down.
#
# ## Does it matter?
#
# Sigmoids; ReLUs that begin with 0.01; ReLUs that begin with He's rule. Three rounds through 1,600 images, the same learning rate.


# %%
def learned(model):
    loader = tg.data.DataLoader(clothes, batch_size=32, seed=0)
    optimizer = tg.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    return tg.train.fit(model, loader, optimizer, epochs=3, held_out=held_out, progress=False)


histories = {
    "sigmoid": learned(small(nn.Sigmoid)),
    "ReLU, 0.01": learned(nn.init.initialize(small(nn.ReLU), "normal")),
    "ReLU, He": learned(nn.init.initialize(small(nn.ReLU), "he_normal")),
}
reached = {name: history.epochs[-1].held_out_accuracy for name, history in histories.items()}
print(reached)

assert max(reached["sigmoid"], reached["ReLU, 0.01"]) < 0.2  # guessing is 0.1
assert reached["ReLU, He"] > 0.5

learning_picture = viz.training(histories)
learning_picture

# %% [markdown]
# One seed and three rounds; other learning rates and more patience help the first two. (Adam, whose steps do not shrink
# with the gradient, is one of these helps; batch normalization, tutorial 11, is another.)
#
# ## Dropout
#
# In training, each unit of a layer is set to 0 with probability p, and those that stay are multiplied by 1/(1 − p), so that on
# average nothing changes. No unit can rely on another one being there. At test time all stay as they are.

# %%
tg.manual_seed(9)
ones = tg.Tensor(np.ones(10_000), requires_grad=True)
dropped = tg.dropout(ones, 0.5, training=True)

assert set(dropped.data.tolist()) == {0, 2}
assert abs(dropped.data.mean() - 1) < 0.05
assert (tg.dropout(ones, 0.5, training=False).data == 1).all()

dropped.sum().backward()
assert (ones.grad.data == dropped.data).all()  # what was dropped gets no gradient

# %% [markdown]
# (AlexNet's paper halves the units at test time instead. That is the same up to a factor, and everybody now does it in training.)
#
# It is meant against overfitting. So here are two dense layers and only 400 images, forty rounds, without and with dropout.

# %%
few = clothes.subset(400, seed=0)


def loss_of(model, data):
    return tg.cross_entropy(tg.Tensor(tg.train.predict(model, data.inputs)), data.labels).item()


found = {}
for p in (0.0, 0.5):
    tg.manual_seed(0)
    dense = nn.Sequential(
        nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(196, 256), nn.ReLU(), nn.Dropout(p),
        nn.Linear(256, 256), nn.ReLU(), nn.Dropout(p),
        nn.Linear(256, 10),
    )  # fmt: skip
    loader = tg.data.DataLoader(few, batch_size=40, seed=0)
    optimizer = tg.optim.Adam(dense.parameters(), lr=0.001)
    tg.train.fit(dense, loader, optimizer, epochs=40, progress=False)
    found[p] = loss_of(dense, few), loss_of(dense, held_out)
    accuracy = tg.train.accuracy(dense, held_out)
    print(f"p = {p}: loss {found[p][0]:.2f}, held out {found[p][1]:.2f}, {accuracy:.0%} right")

assert found[0.0][0] < found[0.5][0]  # without it, it learns by heart
assert found[0.0][1] > found[0.5][1]  # and is surer of itself than it should be

# %% [markdown]
# With dropout the loss is higher on the images that it learned from, and lower on the others: the gap is smaller. The accuracy hardly moves
# here. With three seeds, the held-out loss was 0.79 to 0.87 without and 0.70 to 0.77 with dropout; the accuracy 75 to 76 % and
# 73 to 77 %, of 400 images. So "better robustness" is seen in how sure the network is, and on this small task not in what it says.
#
# ## Your turn
#
# Put your answers in place of the dots. The cell after each exercise says whether you are right, and if not, what is wrong. Solutions
# are in `solutions/09_alexnet.py`.
#
# **Exercise 1.** How many parameters have AlexNet's first convolution (11×11, from 1 channel to 96) and its first dense layer (from 6400
# to 4096), biases included?

# %% Exercise 1
first_convolution, first_dense = ..., ...

# %%
alexnet = networks["AlexNet"]
check("first_convolution", first_convolution, alexnet.features.conv1.count_parameters())
check("first_dense", first_dense, alexnet.classifier.dense1.count_parameters())

# %% [markdown]
# **Exercise 2.** Write the gradients of the sigmoid and of ReLU. g is the gradient at their output.


# %% Exercise 2
def sigmoid_vjp(g, x):
    return ...


def relu_vjp(g, x):
    return ...


# %%
points = np.array([-3.0, -1.0, 0.5, 2.0])
check_gradient(sigmoid_vjp, lambda x: 1 / (1 + np.exp(-x)), points)
check_gradient(relu_vjp, lambda x: np.maximum(x, 0), points)

# %% [markdown]
# **Exercise 3.** Through how many sigmoids, all at their steepest and with weights of 1, must a gradient go until less than a thousandth
# of it is left?

# %% Exercise 3
sigmoids = ...

# %%
left, needed = 1.0, 0
while left >= 0.001:
    left, needed = left * slopes["sigmoid"].max(), needed + 1
check("sigmoids", sigmoids, needed)

# %% [markdown]
# **Exercise 4.** A unit of value 3 goes through dropout with p = 0.25. Which value has it if it stays, and which on average?

# %% Exercise 4
if_it_stays, on_average = ..., ...

# %%
threes = tg.dropout(np.full(100_000, 3.0), 0.25, training=True)
check("if_it_stays", if_it_stays, threes.max())
check("on_average", on_average, tg.dropout(np.array(3.0), 0.25, training=False))

# %% [markdown]
# ## What to take along
#
# - AlexNet is LeNet, deeper and bigger, with ReLU, dropout and max pooling.
# - A sigmoid passes on at most a quarter of the gradient; eight of them, as good as nothing.
# - ReLU helps a great deal, but gradients vanish with it too if the weights begin too small, and units can die. Begin with He's rule.
# - Dropout narrows the gap between what was learned from and what is new.
