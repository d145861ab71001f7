"""Networks of PyTorch's, small ones, each with something that imports find hard."""

import pytest

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


class UNet(nn.Module):
    """Two levels; up by interpolation or transposed convolution, skips concatenated."""

    def __init__(self, up: str = "bilinear"):
        super().__init__()
        self.up = up
        self.down1 = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.down2 = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.GroupNorm(2, 6), nn.SiLU())
        self.bottom = nn.Conv2d(6, 8, 3, padding=1)
        self.raise2 = nn.ConvTranspose2d(8, 8, 2, stride=2) if up == "transposed" else None
        self.up2 = nn.Conv2d(14, 6, 3, padding=1)
        self.up1 = nn.Conv2d(10, 4, 3, padding=1)
        self.head = nn.Conv2d(4, 2, 1)

    def higher(self, x, layer):
        if layer is not None:
            return layer(x)
        if self.up == "bilinear":
            return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        return F.interpolate(x, scale_factor=2, mode="nearest")

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(F.max_pool2d(a, 2))
        c = F.relu(self.bottom(F.avg_pool2d(b, 2)))
        b = F.relu(self.up2(torch.cat([self.higher(c, self.raise2), b], 1)))
        a = F.relu(self.up1(torch.cat([self.higher(b, None), a], 1)))
        return self.head(a)


class Unbatched(nn.Module):
    """Layers on one image without a batch axis, with options that are seldom given."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding="same")
        self.back = nn.ConvTranspose2d(4, 2, 2, stride=2)
        self.low = nn.Parameter(torch.linspace(-1, 0, 4)[:, None, None])

    def forward(self, x):
        x = F.softplus(self.conv(x), beta=2.0, threshold=0.5)
        x = F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, divisor_override=5)
        x = F.max_pool2d(torch.clamp(x - 0.3, self.low, self.low + 0.5), 2, 1)
        return torch.std(F.adaptive_avg_pool2d(self.back(x), 3), 0, correction=0.5)


class WithLoss(nn.Module):
    """A network that gives its loss: of classes, of probabilities, and of one example."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.register_buffer("weight", torch.tensor([0.5, 1.0, 2.0]))

    def forward(self, x):
        x = self.layer(x)
        target = x.detach().argmax(1).roll(1)
        probabilities = F.cross_entropy(x, x.softmax(1), self.weight, label_smoothing=0.1)
        likelihood = F.nll_loss(x.log_softmax(1), target, self.weight, reduction="none").sum()
        return probabilities + likelihood + F.cross_entropy(x[0], target[0])


class Block(nn.Module):
    """A block of a language model: causal attention and an MLP, each behind a layer norm."""

    def __init__(self, width: int = 8, heads: int = 2):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(32, width))

    def forward(self, x):
        n, t, c = x.shape
        parts = self.attention(self.norm1(x)).view(n, t, 3, self.heads, c // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.project(y.transpose(1, 2).reshape(n, t, c))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """Tokens in, logits out; the embedding's weight is the last layer's, too."""

    def __init__(self, words: int = 11, width: int = 8, length: int = 6):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList([Block(width), Block(width)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, words, bias=False)
        self.head.weight = self.words.weight

    def forward(self, tokens):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.words(tokens) + self.places(places)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class Shared(nn.Module):
    """One convolution, used three times."""

    def __init__(self):
        super().__init__()
        self.first, self.again = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, padding=1)
        self.same = self.again

    def forward(self, x):
        x = self.first(x)
        for layer in (self.again, self.same, self.again):
            x = x + torch.tanh(layer(x))
        return x.mean((2, 3))


class Several(nn.Module):
    """Two inputs, and outputs of several kinds."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 5), nn.Linear(3, 5)

    def forward(self, x, *, other):
        y = self.a(x)
        z = self.b(other)
        return {"sum": y + z, "each": [y, (z, y * z)]}


class Writing(nn.Module):
    """Writes into parts of what it computed, and into a buffer."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3, padding=1)
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("passing", torch.ones(4), persistent=False)

    def forward(self, x):
        y = self.layer(x)
        y[:, 0] = 0.5
        y[:, 1:3, ::2].mul_(2)
        row = y[:, :, 1]
        y.mul_(0.5)
        y[:, 3, 0] += row[:, 3]
        self.seen.add_(1)
        mask = y > 1
        y = y.masked_fill(mask, 1.0)
        y[y < 0.1] = 0.0
        return (y * self.passing.view(1, -1, 1, 1)).flatten(1).sum(1)


class Odd(nn.Module):
    """Calls that are in no list, which PyTorch decomposes."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def forward(self, x):
        y = self.layer(x)
        y = (
            F.celu(y)
            + F.hardswish(y)
            + F.mish(y)
            + F.selu(y)
            + F.softsign(y)
            + F.huber_loss(y, torch.zeros_like(y), reduction="none")
        )
        y = torch.addcmul(y, y, y, value=0.5).clamp(-3, 3)
        y = torch.nn.functional.normalize(y, dim=1) + torch.logaddexp(y, y.roll(1, 1))
        return torch.stack([y.flip(1), y.cumsum(1), y.repeat_interleave(2, 1)[:, ::2]]).amax(0)


class Choosing(nn.Module):
    """What it computes depends on the values."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        y = self.layer(x)
        if y.sum() > 0:
            return y.relu()
        return -y


class Aliases(nn.Module):
    """Writes into copies and into views, which calls such as reshape may give either of."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        y = self.layer(x)
        copied = y.permute(0, 2, 1).contiguous()
        copied.mul_(2)
        y.view(len(y), -1).add_(1)
        y.reshape(len(y), -1).mul_(3)
        moved = y.permute(0, 2, 1).reshape(len(y), -1)
        moved.mul_(5)
        y.to(y.dtype).sub_(1)
        apart = y.clone().flatten(1)
        apart.add_(1)
        return y.flatten(1) + copied.flatten(1) + moved + apart


class ChoosingAndWriting(nn.Module):
    """What it writes depends on the values."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        y = self.layer(x)
        part = y[:, 1:3]
        if y.sum() < 1e9:
            part.mul_(2)
        return y


class Frozen(nn.Module):
    """Computes with values that gradients do not go through, and writes them into buffers."""

    def __init__(self):
        super().__init__()
        self.layer = nn.utils.parametrizations.spectral_norm(nn.Linear(6, 6))
        self.register_buffer("mean", torch.ones(6))

    def forward(self, x):
        y = self.layer(x)
        with torch.no_grad():
            scale = y.abs().amax(1, keepdim=True)
            self.mean.mul_(0.9).add_(y.mean(0), alpha=0.1)
            with torch.enable_grad():
                twice = y * 2
        return y / scale * self.mean + twice + y.detach()


class FrozenChoosing(nn.Module):
    """The same, where what is computed depends on the values."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def forward(self, x):
        y = self.layer(x)
        with torch.no_grad():
            scale = y.abs().max()
        return y / scale if scale > 0 else y


class Cell(nn.Module):
    """A recurrent cell, whose decomposition writes into the parts of what it splits."""

    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(6, 3)

    def forward(self, x):
        start = x.new_zeros(x.shape[0], 3)
        return torch.cat(self.cell(x, (start, start)), 1)


class Sampled(nn.Module):
    """An image read at places that are computed: decomposed twice, for a batch of any size."""

    def __init__(self):
        super().__init__()
        self.offsets = nn.Conv2d(2, 2, 3, padding=1)

    def forward(self, x):
        places = torch.linspace(-0.9, 0.8, 4, dtype=x.dtype)
        grid = torch.stack(torch.meshgrid(places, places, indexing="xy"), -1)
        moved = grid + 0.1 * self.offsets(x).permute(0, 2, 3, 1)
        return F.grid_sample(x, moved, align_corners=False)


class Distances(nn.Module):
    """How far rows are from prototypes and from each other; one row is a prototype."""

    def __init__(self):
        super().__init__()
        self.places = nn.Parameter(torch.arange(24.0).reshape(4, 6).sin())

    def forward(self, x):
        x = torch.cat([x[:-1], self.places[:1] + 0 * x[-1:]])
        y = torch.stack([torch.cdist(x, self.places, p) for p in (1.0, 2.0, 3.0)])
        z = F.pdist(x).sum() + F.cosine_similarity(x, self.places[:1]).sum()
        return y.sum(0) + z


class Rarer(nn.Module):
    """Calls that few networks make."""

    def __init__(self):
        super().__init__()
        self.product = nn.Bilinear(6, 6, 3)

    def forward(self, x):
        y = self.product(x.tanh(), x)
        half = x.tanh() / 2
        y = y + (half.asin() + half.acos() + half.atanh() + x.asinh() + (x * x + 2).acosh())[:, :3]
        y = y + torch.logcumsumexp(x, 1)[:, 3:] + torch.cross(x[:, :3], x[:, 3:], dim=1)
        groups = torch.tensor([[0, 1, 0, 2, 2, 2]]).expand(x.shape[0], -1)
        mean = torch.zeros_like(y).scatter_reduce(1, groups, x, "mean", include_self=False)
        return y + mean + F.rrelu(x, training=False)[:, :3]
