# %% [markdown]
# # 8 · LeNet on real images
#
# All the parts are there: convolution, padding, pooling, fully connected layers, gradients. Put
# together, they are LeNet, which banks used in the 1990s to read several million cheques a day. We
# build it, count it, train it on photographs of clothes, and then look
# inside: what do its filters see, and where does it err?
#
# Slides: the table of **MNIST and ImageNet**, **LeNet** (two).
#
# Sources: LeCun, Bottou, Bengio & Haffner, *Gradient-based learning applied to document
# recognition*, Proceedings of the IEEE 86 (1998); the slides' form, with sigmoid and average
# pooling, is that of *Dive into Deep Learning*, section 7.6. The images: Xiao, Rasul & Vollgraf,
# *Fashion-MNIST* (2017).

# %%
import math

import numpy as np

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.teaching.exercises import check

# %% [markdown]
# ## The images
#
# The slide compares MNIST (it says MINST, a slip that everybody's fingers make): 60 thousand grey
# images of 28×28 in 10 classes, with ImageNet: 1.2 million colour images of 469×387 on average, in
# 1000 classes.
#
# Fashion-MNIST was made to have MNIST's sizes and be harder. 2,000 of its images come along with
# this package: 1,600 to learn from, and 400 to be tested on. (`full=True` gets all 70,000.)

# %%
train, test = tg.data.fashion_mnist("train"), tg.data.fashion_mnist("test")

assert train.inputs.shape == (1600, 1, 28, 28)
assert test.inputs.shape == (400, 1, 28, 28)
assert len(train.classes) == 10

examples = [int(np.flatnonzero(test.labels == k)[0]) for k in range(10)]
images_picture = viz.images(test.inputs[examples], test.labels[examples], classes=test.classes)
images_picture

# %% [markdown]
# ## The network
#
# Slide **LeNet**: two rounds of convolution, sigmoid and average pooling; then three fully
# connected layers. Maps get smaller, and there are more of them.

# %%
lenet = tg.models.LeNet()
print(lenet.summary((1, 1, 28, 28)))

with tg.trace() as t:
    lenet(tg.Tensor(test.inputs[:1]))
shapes = {event.node.scope: event.node.shape[1:] for event in t.forward_events}

assert [shapes[f"features.{name}"] for name in ("conv1", "pool1", "conv2", "pool2")] == [
    (6, 28, 28),
    (6, 14, 14),
    (16, 10, 10),
    (16, 5, 5),
]
assert [shapes[f"classifier.dense{i}"] for i in (1, 2, 3)] == [(120,), (84,), (10,)]

# %%
lenet_picture = viz.architecture(lenet)
lenet_picture

# %% [markdown]
# It has 61,706 parameters. The convolutions, which do most of the arithmetic, have 4 % of them. The
# layer right after "flatten" has 78 %.

# %%
parameters = {
    name: layer.count_parameters()
    for name, layer in lenet.named_modules()
    if name.rpartition(".")[2].startswith(("conv", "dense"))
}

assert list(parameters.values()) == [156, 2416, 48120, 10164, 850]
assert sum(parameters.values()) == lenet.count_parameters() == 61706
assert round((156 + 2416) / 61706, 2) == 0.04
assert round(48120 / 61706, 2) == 0.78

# %% [markdown]
# (The network of 1998 differs in details: images of 32×32, tanh for the sigmoid, not every map of
# the second convolution sees all six of the first, pooling with two learned numbers for each map,
# and another output layer. All that is usually left out today.)
#
# ## Before it learns
#
# Ten classes, so guessing is right in one case of ten. And the loss? Cross-entropy is −log of the
# probability that the network gave to the right class. A network that knows nothing gives each
# 1/10, and −log(1/10) = 2.303. A new network should start close to it; if it does not, something is
# wrong.

# %%
tg.manual_seed(0)
lenet = tg.models.LeNet()
loss = tg.cross_entropy(lenet(tg.Tensor(test.inputs)), test.labels).item()
print(f"loss {loss:.3f}, and log 10 = {math.log(10):.3f}")

assert abs(loss - math.log(10)) < 0.2

# %% [markdown]
# ## Learning, first try
#
# A tenth of the images to learn from is held back, to see after each round how it goes. The test
# images are for the end: who looks at them while learning, learns them, too.
#
# Three rounds. The network with sigmoids, as on the slide, sits and waits first: for two rounds its
# loss hardly moves from 2.303. *Dive into Deep Learning*, with all 60,000 images and a learning
# rate of 0.1, needs several such rounds, too, before it starts. Why that is, and what AlexNet did
# about it, is tutorial 9.


# %%
learning, validation = train.split(0.9, 0.1)


def learn(model, epochs):
    loader = tg.data.DataLoader(learning, batch_size=32, seed=0)
    optimizer = tg.optim.Adam(model.parameters(), lr=0.003)
    return tg.train.fit(model, loader, optimizer, epochs, held_out=validation, progress=False)


history = learn(lenet, epochs=3)
for epoch in history.epochs:
    print(f"round {epoch.epoch}: loss {epoch.loss:.3f}, {epoch.held_out_accuracy:.0%} right")

assert history.epochs[1].loss > 2

# %% [markdown]
# ## Learning, second try
#
# The same network with ReLU for the sigmoid and max pooling for the average: the changes that
# AlexNet brought, still with 61,706 parameters.

# %%
tg.manual_seed(0)
lenet = tg.models.LeNet(activation="relu", pooling="max")
assert lenet.count_parameters() == 61706

history = learn(lenet, epochs=7)
accuracy = tg.train.accuracy(lenet, test)
print(f"{accuracy:.1%} of the test images right")

assert accuracy > 0.7

training_picture = viz.training(history)
training_picture

# %% [markdown]
# How sure can we be of that number? It comes from n = 400 images. If we had tested on 400 others,
# it would have been a little different: by about √(p(1 − p)/n), which is 2 percentage points. So
# one point more or less between two networks says little.

# %%
spread = math.sqrt(accuracy * (1 - accuracy) / len(test))
print(f"{accuracy:.1%} ± {spread:.1%}")

assert 0.015 < spread < 0.025

# %% [markdown]
# ## What the filters see
#
# The first convolution has six kernels of 5×5. They were random; now some of them look for
# dark-bright edges in one direction or another, as the kernels of tutorial 3 do.

# %%
assert lenet.features.conv1.weight.shape == (6, 1, 5, 5)

kernels_picture = viz.filters(lenet.features.conv1)
kernels_picture

# %% [markdown]
# And this is what they make of an ankle boot: one map each. The sixteen maps of the second
# convolution are harder to put into words. Each is made from all six maps of the first, and after
# the ReLU many are mostly 0: their pattern is not in this image.

# %%
boot = test.inputs[test.labels == 9][:1]

maps_picture = viz.feature_maps(lenet, boot, layers=["input", "features"])
maps_picture

# %% [markdown]
# ## Where it errs
#
# A **confusion matrix** counts: each row is a class, each column what the network said. What is
# right stands on the diagonal.

# %%
predicted = tg.train.predict(lenet, test.inputs).argmax(axis=1)
confusion_picture = viz.confusion(test.labels, predicted, test.classes)
confusion = confusion_picture.data["counts"]

assert confusion.sum() == 400
assert (confusion.sum(axis=1) == 40).all()  # forty of each class
assert np.isclose(np.trace(confusion) / 400, accuracy)

confusion_picture

# %%
mistakes = confusion - np.diag(np.diag(confusion))
ranking = np.argsort(-mistakes, axis=None)[:4]
for row, column in zip(*np.unravel_index(ranking, (10, 10)), strict=True):
    count = mistakes[row, column]
    print(f"{count:2d} of 40: a {test.classes[row]} taken for a {test.classes[column]}")

tops = [test.classes.index(name) for name in ("T-shirt/top", "pullover", "dress", "coat", "shirt")]
among_tops = mistakes[np.ix_(tops, tops)].sum() / mistakes.sum()
print(f"{among_tops:.0%} of all mistakes are among five kinds of clothes for the upper body")

assert among_tops > 0.5

# %% [markdown]
# Most mistakes are between shirts, T-shirts, pullovers, coats and dresses, and they are the ones
# that people make, too. Here are some; judge for yourself.

# %%
wrong = np.flatnonzero(predicted != test.labels)[:20]
wrong_picture = viz.images(
    test.inputs[wrong], test.labels[wrong], predicted[wrong], classes=test.classes
)
wrong_picture

# %% [markdown]
# ## Is it invariant?
#
# Convolution is equivariant, pooling adds some invariance (tutorials 3 and 6). So does it matter
# where in the image the shoe stands? Move all test images to the right, and see.

# %%
for shift in (0, 1, 2, 4, 6):
    moved = np.zeros_like(test.inputs)
    moved[..., shift:] = test.inputs[..., : 28 - shift]
    right = np.mean(tg.train.predict(lenet, moved).argmax(axis=1) == test.labels)
    print(f"moved by {shift}: {right:.0%} right")

assert right < accuracy - 0.1

# %% [markdown]
# It matters a lot. After "flatten" each place has weights of its own, and the network only ever saw
# clothes in the middle. Whoever wants invariance must show moved images in training, or average
# over all places in the end (tutorial 12).
#
# ## Your turn
#
# Put your answers in place of the dots. Solutions are in `solutions/08_lenet_on_real_images.py`.
#
# **Exercise 1.** The network of 1998 takes images of 32×32, with no padding. Which shapes
# (channels, height, width) have the maps after each convolution and each pooling?

# %% Exercise 1
after_conv1 = ...
after_pool1 = ...
after_conv2 = ...
after_pool2 = ...

# %%
large = tg.Tensor(np.zeros((1, 1, 32, 32), np.float32))
for name, answer, layer in zip(
    ("after_conv1", "after_pool1", "after_conv2", "after_pool2"),
    (after_conv1, after_pool1, after_conv2, after_pool2),
    (tg.nn.Conv2d(1, 6, 5), tg.nn.AvgPool2d(2), tg.nn.Conv2d(6, 16, 5), tg.nn.AvgPool2d(2)),
    strict=True,
):
    large = layer(large)
    check(name, answer, large.shape[1:])

# %% [markdown]
# **Exercise 2.** Which part of the bags (class 8) is found: the part of its row that is right
# (*recall*)? And when the network says "bag", in which part of the cases is it one (*precision*)?
# Write both with `confusion`.

# %% Exercise 2
recall = ...
precision = ...

# %%
check("recall", recall, np.mean(predicted[test.labels == 8] == 8))
check("precision", precision, np.mean(test.labels[predicted == 8] == 8))

# %% [markdown]
# **Exercise 3.** With global average pooling (tutorial 12), the three fully connected layers could
# be replaced by one, from 16 numbers to 10. How many parameters would the whole network have?

# %% Exercise 3
fewer_parameters = ...

# %%
check("fewer_parameters", fewer_parameters, 156 + 2416 + tg.nn.Linear(16, 10).count_parameters())

# %% [markdown]
# ## What to take along
#
# - Most arithmetic is in the convolutions, most parameters are in the first fully connected layer.
# - A new network's loss is about log(number of classes).
# - A test accuracy comes with a spread; say on how many images.
# - Look at the filters, the maps and the mistakes, not only at the number.
