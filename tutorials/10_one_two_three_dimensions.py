# %% [markdown]
# # 10 · One, two and three dimensions
#
# So far the kernel slid over an image, in two directions. It can slide along a line as well, over a sentence; or through a
# video, in three. Nothing else changes. Here are all three, and two problems that are no photographs: is a sentence in favour,
# and where to play in Go?
#
# Slides: **1D, 2D and 3D Convolution**, **Text Classification**, **CNN for Go** (in the outline).
#
# Sources: Y. Zhang & B. Wallace, *A Sensitivity Analysis of (and Practitioners' Guide to) Convolutional Neural Networks for
# Sentence Classification* (2017); D. Silver et al., *Mastering the game of Go with deep neural networks and tree search*,
# Nature 529 (2016). The sentences: D. Kotzias et al., *From Group to Individual Labels using Deep Features* (2015), CC BY 4.0.
# The games: GNU Go 3.8 against itself.

# %%
import numpy as np

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.teaching.exercises import check

random = np.random.default_rng(10)

# %% [markdown]
# ## One dimension
#
# The slide writes y_{i,j} = Σ v_a x_{i+a} with a = 1 … h. Two small slips: there is no j, in one dimension; and with a from 1,
# the first element would never be used. So, counting from 0:
#
# **y_i = Σ v_a x_{i+a}, a = 0 … h − 1**

# %%
x, v = np.arange(7.0), np.array([1.0, 2.0])
by_hand = [sum(v[a] * x[i + a] for a in range(2)) for i in range(6)]

assert by_hand == [2, 5, 8, 11, 14, 17]
assert tg.conv1d(x.reshape(1, 1, 7), v.reshape(1, 1, 2)).ravel().tolist() == by_hand

# %% [markdown]
# With several channels (three measurements at each moment, say) there is a kernel for each, and the results are added, as in two
# dimensions.

# %%
channels = np.array([x, x + 1, x + 2])
kernels = np.array([[[1.0, 2.0], [3.0, 4.0], [-1.0, -3.0]]])
added = tg.conv1d(channels[None], kernels)

assert added.ravel().tolist() == [2, 8, 14, 20, 26, 32]

channels_picture = viz.convolution(channels, kernels, at=0)
channels_picture

# %% [markdown]
# A line is an image of height 1, so a 1-D convolution is a 2-D one with a kernel of height 1. Or, the other way to see it:
# three channels are three rows, over which the kernel has full height, so that it moves in one direction only.

# %%
assert np.allclose(tg.conv2d(channels[None, :, None], kernels[:, :, None])[:, :, 0], added)
assert np.allclose(tg.conv2d(channels[None, None], kernels[:, None])[:, :, 0], added)

# %% [markdown]
# ## Three dimensions: what moves?
#
# A video has a third direction, time. Here a dot moves over three frames of 9×9, to the right or to the left. Either video has
# the same middle frame, and no frame by itself says which way the dot goes.


# %%
def video(start, step):
    """Three frames with a dot, `step` (rows, columns) further in each."""
    frames = np.zeros((3, 9, 9), np.float32)
    for t in range(3):
        frames[t, start[0] + t * step[0], start[1] + t * step[1]] = 1
    return frames


rightwards, leftwards = video((4, 3), (0, 1)), video((4, 5), (0, -1))

assert (rightwards[1] == leftwards[1]).all()
assert (rightwards == leftwards[::-1]).all()  # the same frames, in another order

frames_picture = viz.panels({f"frame {t}": frame for t, frame in enumerate(rightwards)})
frames_picture

# %% [markdown]
# A 3-D kernel sees several frames at once. This one, of 3 frames × 1 row × 3 columns, has its ones where a dot that moves to
# the right would be:

# %%
to_the_right = np.eye(3, dtype=np.float32).reshape(1, 1, 3, 1, 3)
strongest = {
    name: float(tg.conv3d(frames[None, None], to_the_right, padding=(0, 0, 1)).max())
    for name, frames in (("right", rightwards), ("left", leftwards))
}

assert strongest == {"right": 3, "left": 1}

# %% [markdown]
# It need not be written by hand. Four kernels of 3×3×3, the largest answer of each, and videos of dots that move right, left,
# down and up:

# %%
STEPS = {"right": (0, 1), "left": (0, -1), "down": (1, 0), "up": (-1, 0)}


def videos(n):
    labels = random.integers(0, 4, n)
    steps = np.array(list(STEPS.values()))[labels]
    middles = random.integers(1, 8, (n, 2))
    made = [video(m - s, s) for m, s in zip(middles, steps, strict=True)]
    return tg.data.Dataset(np.array(made)[:, None], labels, tuple(STEPS))


class Motion(tg.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = tg.nn.Conv3d(1, 4, 3, padding=(0, 1, 1))

    def forward(self, x):
        return tg.max(self.conv(x), axis=(2, 3, 4))


tg.manual_seed(8)
motion = tg.nn.init.initialize(Motion(), "normal")
loader = tg.data.DataLoader(videos(256), batch_size=32, seed=0)
optimizer = tg.optim.Adam(motion.parameters(), lr=0.03)
tg.train.fit(motion, loader, optimizer, epochs=12, progress=False)
new_videos = videos(200)

assert tg.train.accuracy(motion, new_videos) > 0.95

learned = motion.conv.weight.data[:, 0]
for kernel, step in zip(learned, STEPS.values(), strict=True):
    strongest_at = np.array([np.unravel_index(frame.argmax(), (3, 3)) for frame in kernel])
    assert (np.diff(strongest_at, axis=0) == step).all()

learned_picture = viz.panels(
    {f"{name}, {t}": learned[k, t].round(1) for k, name in enumerate(STEPS) for t in range(3)},
    columns=6, scale="shared", signed=True,
)  # fmt: skip
learned_picture

# %% [markdown]
# In each kernel (0, 1, 2 are the frames), the strongest weight walks from frame to frame, the way that the dot does. (The seed
# was chosen such that all four show it. With most of twelve seeds two of the four do, and the others are told by where a dot is
# *not*: blue weights. That works as well.)
#
# ## Sentences
#
# Slide **Text Classification**, after Zhang & Wallace. Each word has a vector of 5 numbers, which is learned: so a sentence of
# 7 words is an array of 7×5. Filters slide along the words, and see 2, 3 or 4 of them at a time, with all 5 numbers. There are
# 2 filters of each width. Of each filter, only its largest answer counts, wherever it is in the sentence: 6 features, and from
# them 2 classes.

# %%
sentence = "I like this movie very much !"
vocabulary = tg.data.Vocabulary.of([sentence])
words = vocabulary.encode([sentence], length=7)

tg.manual_seed(0)
example = tg.models.TextCNN(len(vocabulary), dimensions=5, widths=(2, 3, 4), filters=2).eval()
with tg.trace() as trace:
    example(tg.Tensor(words))
shapes = {event.node.op.name: [] for event in trace.forward_events}
for event in trace.forward_events:
    shapes[event.node.op.name].append(event.node.shape[1:])

assert shapes["embedding"] == [(7, 5)]
assert shapes["conv1d"] == [(2, 6), (2, 5), (2, 4)]
assert shapes["concatenate"] == [(6,)]
assert shapes["linear"] == [(2,)]
assert example.count_parameters() == 5 * len(vocabulary) + 110

sentence_picture = viz.draw(trace, legend=False)
sentence_picture

# %% [markdown]
# For the convolution the words are the positions, and the 5 numbers the channels. One answer of one filter, of width 2, is the
# scalar product of the filter with the vectors of two neighbouring words:

# %%
vectors = example.embedding.weight.data[words[0]]  # (7, 5)
narrow = example.convs[0]
answers = [(narrow.weight.data[0].T * vectors[i : i + 2]).sum() for i in range(6)]

assert np.allclose(
    answers + narrow.bias.data[0], narrow(tg.Tensor(vectors.T[None])).data[0, 0], atol=1e-6
)

# %% [markdown]
# ## Real ones
#
# 3,000 sentences from reviews of films, restaurants and phones, half of them in favour; 2,095 to learn from, 603 to be tested
# on. First, a rival that needs no gradient: **naive Bayes**. It counts in how many sentences of each class a word occurs, and
# multiplies these shares (adds their logarithms) as if words came independently.

# %%
learning, validation, test = (
    tg.data.sentences(split, length=40) for split in ("train", "validation", "test")
)
assert (len(learning), len(test)) == (2095, 603)


def occurs(data):
    """(sentences, vocabulary): 1 where the word is in the sentence; padding left out."""
    table = np.zeros((len(data), 2048))
    table[np.arange(len(data))[:, None], data.inputs] = 1
    table[:, 0] = 0
    return table


counts = np.array([1 + occurs(learning)[learning.labels == k].sum(axis=0) for k in (0, 1)])
log_probability = np.log(counts / counts.sum(axis=1, keepdims=True))
naive_bayes = (occurs(test) @ log_probability.T).argmax(axis=1)
bayes_right = float((naive_bayes == test.labels).mean())
print(f"naive Bayes: {bayes_right:.1%} right")

assert bayes_right > 0.8

# %% [markdown]
# Now the network: vectors of 50 numbers, 20 filters of each width, and dropout before the last layer (tutorial 9).

# %%
tg.manual_seed(0)
text_cnn = tg.models.TextCNN(2048, dimensions=50, widths=(2, 3, 4), filters=20)
history = tg.train.fit(
    text_cnn,
    tg.data.DataLoader(learning, batch_size=64, seed=0),
    tg.optim.Adam(text_cnn.parameters(), lr=0.003),
    epochs=4,
    held_out=validation,
    progress=False,
)
cnn_right = tg.train.accuracy(text_cnn, test)
spread = np.sqrt(cnn_right * (1 - cnn_right) / len(test))
print(f"TextCNN: {cnn_right:.1%} ± {spread:.1%}, with {text_cnn.count_parameters():,} parameters")

assert cnn_right > 0.75
assert abs(cnn_right - bayes_right) < 3 * spread
assert history.epochs[-1].accuracy > history.epochs[-1].held_out_accuracy + 0.05

text_picture = viz.training(history)
text_picture

# %% [markdown]
# The network does not beat the simple rival: within the spread of 603 sentences, the two are equal. It knows what it learned
# from better and better, and the held-out sentences hardly any more. 2,095 sentences teach which words are good and which are
# bad, and hardly more than that; so try the simple thing first, and report it. (Zhang & Wallace begin with word vectors that
# were learned from billions of words.)
#
# What a filter looks for can be read, though: the words at which its answer is largest, among all test sentences. Here are three
# filters that speak for "positive" most, and three that speak against it.

# %%
words_of = tg.data.sentence_vocabulary()
embedded = text_cnn.embedding(tg.Tensor(test.inputs)).data.transpose(0, 2, 1)
speaks_for = text_cnn.decoder.weight.data[1] - text_cnn.decoder.weight.data[0]
order = np.argsort(speaks_for)
found = {}
for feature in [*order[-3:], *order[:3]]:
    width, filter_ = (2, 3, 4)[feature // 20], feature % 20
    maps = text_cnn.convs[feature // 20](tg.Tensor(embedded)).data[:, filter_]
    which, at = np.unravel_index(maps.argmax(), maps.shape)
    found[feature] = " ".join(words_of.decode(test.inputs[which, at : at + width]))
    print(f"{'for' if speaks_for[feature] > 0 else 'against':8}{found[feature]}")

assert (speaks_for[order[-3:]] > 0).all()
assert (speaks_for[order[:3]] < 0).all()

# %% [markdown]
# ## Where to play
#
# A Go board is an image of 19×19, and where to play next is a choice among its points. AlphaGo's policy network has nothing but
# convolutions. 48 planes of input tell of each point whose stone is there, how many liberties it has, and so on. They are
# padded to 23×23, for 192 kernels of 5×5; then eleven times to 21×21, for 192 kernels of 3×3; a 1×1 convolution makes one
# number of each point, and each point has a bias of its own. A softmax turns 361 numbers into probabilities.

# %%
policy = tg.models.GoPolicy().eval()
go_picture = viz.architecture(policy)
(drawn,) = go_picture.data
field = tg.receptive_field(policy, (1, 48, 19, 19))

assert 19 + 2 * 2 == 23
assert 19 + 2 * 1 == 21
assert policy.features.conv1.weight.shape == (192, 48, 5, 5)
assert [volume["shape"] for volume in drawn["volumes"][:-1]] == [
    (48, 19, 19),
    *[(192, 19, 19)] * 12,
]
assert drawn["volumes"][-1]["shape"] == (1, 19, 19)
assert policy.head.position.bias.shape == (19 * 19,)
assert policy.count_parameters() == 3_882_793
assert field.size == (27, 27)  # 5, and 2 more with each of eleven 3×3

go_picture

# %%
board = random.integers(0, 2, (1, 48, 19, 19)).astype(np.float32)
probabilities = tg.softmax(policy(tg.Tensor(board)), axis=1)

assert probabilities.shape == (1, 361)
assert np.isclose(probabilities.data.sum(), 1, atol=1e-5)
assert not any(isinstance(layer, tg.nn.MaxPool2d) for _, layer in policy.named_modules())

# %% [markdown]
# There is **no pooling**, and that is on purpose. In a photograph it does not matter much where exactly the cat is. In Go, one
# point further is another move.
#
# ## A small one, on real games
#
# 500 games on 9×9, which a program, GNU Go, played against itself; 400 to learn from, 50 to be tested on. Each position is 12
# planes. What would a simple rival do? Always play the move that was played most often in the games, among those that are legal
# now.

# %%
games, test_games = tg.data.go_games("train"), tg.data.go_games("test")
legal = test_games.inputs[:, 9].reshape(-1, 81) > 0
often = np.bincount(games.labels, minlength=81)
rival = np.where(legal, often, -1).argmax(axis=1)
rival_right = float((rival == test_games.labels).mean())
print(f"{len(games):,} positions; on average {legal.sum(axis=1).mean():.0f} legal moves")
print(f"most frequent legal move: {rival_right:.1%} right")

assert games.inputs.shape[1:] == (12, 9, 9)
assert rival_right < 0.1

# %% [markdown]
# And a policy network of four layers with 16 channels, once through all positions:

# %%
tg.manual_seed(0)
small = tg.models.GoPolicy(board_size=9, planes=12, width=16, layers=4)
tg.train.fit(
    small,
    tg.data.DataLoader(games, batch_size=64, seed=0),
    tg.optim.Adam(small.parameters(), lr=0.005),
    epochs=1,
    progress=False,
)
scores = tg.train.predict(small, test_games.inputs)
moves = scores.argmax(axis=1)
small_right = float((moves == test_games.labels).mean())
lawful = float(legal[np.arange(len(moves)), moves].mean())
print(f"{small.count_parameters():,} parameters: {small_right:.1%} right, {lawful:.1%} legal")

assert small_right > 3 * rival_right
assert lawful > 0.95

# %% [markdown]
# More than one move in five, with 12 thousand parameters and one look at each position. Hardly a move is illegal, too: one
# plane marks what is legal, and it learned to heed it, though no loss asked for that by name. AlphaGo's network, with 3.9
# million parameters and some 29 million positions from games of strong players, predicted 57 %.
#
# One position: the stones (orange: the player to move; blue: the other), what the network thinks, in percent, and what was
# played. Often the move that was played is not its first choice, but among its first.

# %%
best_five = np.argsort(scores, axis=1)[:, -5:]
among_five = float((best_five == test_games.labels[:, None]).any(axis=1).mean())
print(f"{among_five:.0%} of the moves are among its five best")

assert among_five > 2 * small_right

shown = 30
planes = test_games.inputs[shown]
percent = 100 * tg.softmax(scores[shown], axis=0).reshape(9, 9)
played = np.zeros(81)
played[test_games.labels[shown]] = 1

assert np.isclose(percent.sum(), 100, atol=1e-3)

board_picture = viz.panels(
    {"stones": planes[0] - planes[1], "percent": np.round(percent), "played": played.reshape(9, 9)},
    columns=3, signed=True,
)  # fmt: skip
board_picture

# %% [markdown]
# ## Your turn
#
# Put your answers in place of the dots. The cell after each exercise says whether you are right, and if not, what is wrong.
# Solutions are in `solutions/10_one_two_three_dimensions.py`.
#
# **Exercise 1.** What is [1, 0, 2, 3, 1] ⊗ [1, −1]?

# %% Exercise 1
differences = ...

# %%
check("differences", differences, tg.conv1d(np.array([[[1.0, 0, 2, 3, 1]]]), [[[1.0, -1.0]]])[0, 0])

# %% [markdown]
# **Exercise 2.** Write a kernel for dots that move *down*, of 3 frames × 3 rows × 1 column.

# %% Exercise 2
downwards = ...

# %%
check("downwards", downwards, video((0, 0), (1, 0))[:, :3, :1])

# %% [markdown]
# **Exercise 3.** Zhang & Wallace's own network has vectors of 300 numbers, widths 3, 4 and 5, with 100 filters of each, and 2
# classes. How many parameters has it, its word vectors left out?

# %% Exercise 3
parameters = ...

# %%
large = tg.models.TextCNN(1000, dimensions=300, widths=(3, 4, 5), filters=100)
check("parameters", parameters, large.count_parameters() - 1000 * 300)

# %% [markdown]
# **Exercise 4.** How many layers (one of 5×5, the others of 3×3) does a policy network for 9×9 need at least, so that even a
# point in the corner sees the whole board?

# %% Exercise 4
enough = ...

# %%
needed = 1
while tg.receptive_field(tg.models.GoPolicy(9, 1, 1, needed), (1, 1, 9, 9), 0).size[0] < 17:
    needed += 1
check("enough", enough, needed)

# %% [markdown]
# ## What to take along
#
# - The same sum of products, over one, two or three directions. A kernel covers all channels and slides over the rest.
# - A network for sentences takes each filter's largest answer, wherever it is; a network for Go must not pool, since each point is another answer.
# - A result means something beside a simple rival. Against naive Bayes the network gains nothing here; against the most frequent move it gains much.
