"""`from_torch`: imported networks agree with PyTorch's in values, gradients and state."""

import copy
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DataError, DtypeError, OptionError, ShapeError
from tinygrad_cnn.interop.aten import ATEN

torch = pytest.importorskip("torch")
networks = pytest.importorskip("tests.interop.networks")

TIGHT = 1e-9  # in float64, of the largest entry


def distance(ours, theirs, least: float = 1e-30) -> float:
    """The largest difference, as part of the largest entry, or of `least` if that is larger."""
    ours = np.asarray(ours.numpy() if isinstance(ours, tg.Tensor) else ours)
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max(initial=0) / max(np.abs(theirs).max(initial=0), least))


def disturbed(module):
    """Away from fresh statistics, and from zero biases."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in [*module.parameters(), *module.buffers()]:
            if tensor.dtype.is_floating_point and tensor.ndim == 1:
                tensor.add_(0.1 * torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype))
    return module


def check(module, x, training=False, tolerance=TIGHT, example=None):
    """Compare, and give the imported network."""
    return compare(module, x, training, tolerance, example)[0]


def compare(module, x, training=False, tolerance=TIGHT, example=None):
    """Values, gradient at the input and at each parameter, and state after the call.

    Gives the imported network, its input and its output.
    """
    module = disturbed(module).train(training)
    net = tg.from_torch(module, (x[:1] if example is None else example,), training=training)
    module = copy.deepcopy(module)
    floating = x.dtype.is_floating_point
    theirs_x = x.clone().requires_grad_(floating)
    theirs = module(theirs_x)
    theirs = theirs if isinstance(theirs, torch.Tensor) else theirs[0]
    cotangent = torch.randn(
        theirs.shape, generator=torch.Generator().manual_seed(1), dtype=theirs.dtype
    )
    theirs.backward(cotangent)
    ours_x = tg.Tensor(x.numpy(), requires_grad=floating)
    ours = net(ours_x)
    ours = ours if isinstance(ours, tg.Tensor) else ours[0]
    ours.backward(cotangent.numpy())
    assert distance(ours, theirs) < tolerance
    if floating:
        assert distance(ours_x.grad, theirs_x.grad) < tolerance
    parameters = dict(net.named_parameters())
    reached = {n: p.grad for n, p in module.named_parameters() if p.grad is not None}
    # Before batch norm in training a bias has no gradient but rounding: hence the other scale.
    largest = max(float(g.abs().max()) for g in reached.values())
    for name, gradient in reached.items():
        least = 1e-4 * largest
        assert distance(parameters[name].grad, gradient, least) < tolerance, name
    state = net.state_dict()
    assert state.keys() == module.state_dict().keys()
    for name, tensor in module.state_dict().items():
        assert distance(state[name], tensor) < tolerance, name
    return net, ours_x, ours


def images(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


# --- torchvision's -----------------------------------------------------------------------------

NETWORKS = {
    "alexnet": {},
    "vgg11_bn": {},
    "squeezenet1_1": {},
    "googlenet": {"aux_logits": True, "init_weights": False},
    "inception_v3": {"aux_logits": True, "init_weights": False},
    "resnet18": {},
    "resnet50": {},
    "resnext50_32x4d": {},
    "wide_resnet50_2": {},
    "densenet121": {},
    "mobilenet_v2": {},
    "mobilenet_v3_small": {},
    "shufflenet_v2_x1_0": {},
    "mnasnet1_0": {},
    "efficientnet_b0": {},
    "efficientnet_v2_s": {},
    "regnet_y_400mf": {},
    "convnext_tiny": {},
    "vit_b_16": {"image_size": 32},
    "swin_t": {},
    "maxvit_t": {},
}
SIDES = {"inception_v3": 75, "vit_b_16": 32, "maxvit_t": 224}
CHOICES = {  # additions h + f(h), and concatenations of that kind
    "alexnet": (0, 0),
    "vgg11_bn": (0, 0),
    "squeezenet1_1": (0, 8),
    "googlenet": (0, 9),
    "inception_v3": (0, 15),
    "resnet18": (8, 0),
    "resnet50": (16, 0),
    "resnext50_32x4d": (16, 0),
    "wide_resnet50_2": (16, 0),
    "densenet121": (0, 58),
    "mobilenet_v2": (10, 0),
    "mobilenet_v3_small": (6, 0),
    "shufflenet_v2_x1_0": (0, 16),
    "mnasnet1_0": (10, 0),
    "efficientnet_b0": (9, 0),
    "efficientnet_v2_s": (35, 0),
    "regnet_y_400mf": (16, 0),
    "convnext_tiny": (18, 0),
    "vit_b_16": (24, 0),
    "swin_t": (24, 0),
    "maxvit_t": (55, 0),
}
# PyTorch's gradient of hardsigmoid and hardswish multiplies by a 1/6 of float32 in float64, too.
LOOSE = {"mobilenet_v3_small": 1e-6}


def made(torchvision, name):
    torch.manual_seed(0)
    return getattr(torchvision.models, name)(weights=None, **NETWORKS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_torchvision_agrees(torchvision, name):
    side = SIDES.get(name, 64)
    module = made(torchvision, name).double()
    _, x, y = compare(module, images(2, 3, side, side), tolerance=LOOSE.get(name, TIGHT))
    kinds = Counter(choice.kind for choice in tg.gradient_paths(y, x).choices)
    assert (kinds.pop("residual add", 0), kinds.pop("concatenation", 0)) == CHOICES[name]
    assert not kinds


@pytest.mark.parametrize(("name", "side"), [("resnet18", 64), ("vit_b_16", 32)])
def test_in_float32_too(torchvision, name, side):
    module = made(torchvision, name)
    net = check(module, images(2, 3, side, side).float(), tolerance=1e-4)
    assert {p.dtype for p in net.parameters()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("name", ["resnet18", "shufflenet_v2_x1_0"])
def test_in_training_statistics_are_updated(torchvision, name):
    check(made(torchvision, name).double(), images(4, 3, 64, 64), training=True)


def test_a_network_imported_for_evaluation_trains_after_train(torchvision):
    module = made(torchvision, "resnet18").double()
    net = tg.from_torch(module, images(2, 3, 64, 64)).train()
    x = images(4, 3, 64, 64)
    module.train()
    assert distance(net(tg.Tensor(x.numpy())), module(x)) < TIGHT
    for name, tensor in module.state_dict().items():
        assert distance(net.state_dict()[name], tensor) < TIGHT
    module.eval(), net.eval()
    assert distance(net(tg.Tensor(x.numpy())), module(x)) < TIGHT


def test_paths_scopes_and_pictures_know_the_modules(torchvision):
    module = made(torchvision, "resnet18")
    net = tg.from_torch(module, torch.zeros(1, 3, 64, 64))
    x = tg.Tensor(np.ones((2, 3, 64, 64), np.float32), requires_grad=True)
    with tg.trace() as t:
        y = net(x)
    scopes = {event.scope for event in t.forward_events}
    assert {"conv1", "layer1.0.conv1", "layer4.1", "fc"} <= scopes
    lines = {event.source[0].rpartition("/")[2] for event in t.forward_events}
    assert lines == {"resnet.py"}
    paths = tg.gradient_paths(y.sum(), wrt=x)
    assert paths.n_blocks == 8
    assert sum(paths.count) == 2**8
    assert "layer1.0.conv1" in net.summary((1, 3, 64, 64))
    assert "Conv2d(64, 128, kernel_size=(1, 1), stride=(2, 2), bias=False)" in repr(net)


# --- our own -----------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("up", ["bilinear", "nearest", "transposed"])
def test_a_u_net(up, training):
    check(networks.UNet(up).double(), images(2, 3, 16, 16), training)


def test_a_language_model_whose_embedding_is_its_last_layer():
    tokens = torch.randint(0, 11, (3, 6), generator=torch.Generator().manual_seed(0))
    net = check(networks.GPT().double(), tokens)
    assert net.head.weight is net.words.weight
    assert len(list(net.parameters())) == len(list(networks.GPT().parameters()))


def test_shared_weights():
    check(networks.Shared().double(), images(2, 3, 8, 8))


def test_writing_into_parts_and_buffers():
    check(networks.Writing().double(), images(2, 3, 8, 8))


def test_a_copy_that_is_written_into_leaves_the_original():
    check(networks.Aliases().double(), images(2, 3, 4))
    with pytest.raises(DataError, match="ChoosingAndWriting decides by values, and writes into"):
        tg.from_torch(networks.ChoosingAndWriting().double(), images(3, 4))


def test_a_single_example_and_options_that_are_seldom_given():
    x = images(3, 9, 8)
    check(networks.Unbatched().double(), x, example=x)


def test_a_network_that_gives_its_loss():
    x = images(5, 4)
    check(networks.WithLoss().double(), x, example=x)


def test_calls_that_are_in_no_list_are_decomposed():
    check(networks.Odd().double(), images(4, 6))


@pytest.mark.parametrize("training", [False, True])
def test_no_gradient_goes_through_what_is_computed_without(training):
    check(networks.Frozen().double(), images(4, 6), training, example=images(4, 6))
    check(networks.FrozenChoosing().double(), images(4, 6), training, example=images(4, 6))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("Cell", (5, 6)),
        pytest.param("Sampled", (5, 2, 4, 4), marks=pytest.mark.slow),
        ("Distances", (5, 6)),
        ("Rarer", (5, 6)),
    ],
)
def test_calls_that_few_networks_make(name, shape):
    check(getattr(networks, name)().double(), images(*shape), example=images(2, *shape[1:]))


def test_random_numbers_are_drawn_anew_and_by_our_seed():
    class Noisy(torch.nn.Module):
        def forward(self, x):
            return x + torch.randn_like(x) * torch.rand(x.shape) + torch.bernoulli(x.sigmoid())

    net, x = tg.from_torch(Noisy(), images(2, 50).float()), tg.Tensor(np.zeros((3, 50), np.float32))
    results = []
    for seed in (0, 0, 1):
        tg.manual_seed(seed)
        results.append(net(x).numpy())
    assert np.array_equal(results[0], results[1])
    assert abs(results[0] - results[2]).mean() > 0.1


def test_several_inputs_and_outputs():
    module = networks.Several().double()
    x, other = images(5, 4), images(5, 3, seed=1)
    net = tg.from_torch(module, {"x": x[:2], "other": other[:2]})
    theirs = module(x, other=other)
    ours = net(x=tg.Tensor(x.numpy()), other=tg.Tensor(other.numpy()))
    assert ours.keys() == theirs.keys()
    assert distance(ours["sum"], theirs["sum"]) < TIGHT
    assert distance(ours["each"][1][1], theirs["each"][1][1]) < TIGHT
    with pytest.raises(ShapeError, match="the arguments x, other are needed, got x"):
        net(x=tg.Tensor(x.numpy()))


def test_what_depends_on_values_is_imported_for_the_example():
    module, x = networks.Choosing().double(), images(3, 4)
    net = tg.from_torch(module, x)
    assert "for the example" in repr(net)
    assert distance(net(tg.Tensor(x.numpy())), module(x)) < TIGHT
    with tg.trace() as t:
        net(tg.Tensor(x.numpy()))
    assert "layer" in {event.scope for event in t.forward_events}


def test_an_exported_program_and_its_file(tmp_path):
    module, x = networks.Shared().eval(), images(2, 3, 8, 8).float()
    program = torch.export.export(module, (x,))
    torch.export.save(program, tmp_path / "net.pt2")
    for source in (program, tmp_path / "net.pt2", str(tmp_path / "net.pt2")):
        net = tg.from_torch(source)
        assert distance(net(tg.Tensor(x.numpy())), module(x)) < 1e-4
        assert net.state_dict().keys() == module.state_dict().keys()


def test_what_is_unknown_is_listed_before_anything_runs():
    class Strange(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = networks.Shared()

        def forward(self, x):
            return (
                torch.linalg.eigh(x @ x.mT)[0] + torch.fft.fft(x).real.sum() + self.inner(x).sum()
            )

    with pytest.raises(
        DataError, match=r"(?s)nothing here computes.*fft_fft.*linalg_eigh"
    ) as error:
        tg.from_torch(Strange(), torch.zeros(2, 3, 8, 8))
    assert "the network itself (1)" in str(error.value)


def test_an_unknown_call_is_registered():
    class Spectrum(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch.nn.Linear(4, 4)

        def forward(self, x):
            return torch.linalg.matrix_exp(self.inner(x))

    module, name = Spectrum().double(), "linalg_matrix_exp.default"
    with pytest.raises(DataError, match=rf"aten\.{name}: in the network itself \(1\)"):
        tg.from_torch(module, images(2, 4, 4))
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (block,) = (b for b in re.findall(r"```python\n(.*?)```", readme, re.S) if "register(" in b)
    try:
        exec(block, {"tg": tg})
        check(module, images(3, 4, 4), example=images(2, 4, 4))
    finally:
        ATEN.pop(name, None)


def test_what_cannot_be_imported_is_refused(tmp_path):
    with pytest.raises(OptionError, match="example_inputs are needed"):
        tg.from_torch(networks.Shared())
    with pytest.raises(OptionError, match=r"a torch\.nn\.Module, an ExportedProgram or"):
        tg.from_torch(lambda x: x, images(1))
    with pytest.raises(DtypeError, match=r"first\.weight is torch\.bfloat16, which NumPy does not"):
        tg.from_torch(networks.Shared().bfloat16(), images(1, 3, 8, 8).bfloat16())
    torch.save({}, tmp_path / "net.pt")
    with pytest.raises(DataError, match="a pickle runs code when it is read"):
        tg.from_torch(tmp_path / "net.pt")
    (tmp_path / "net.pt2").write_bytes(b"PK\x03\x04 no")
    with pytest.raises(DataError, match="this is no exported program"):
        tg.from_torch(tmp_path / "net.pt2")


def test_a_frozen_parameter_stays_frozen():
    module = networks.Shared()
    module.first.weight.requires_grad_(False)
    net = tg.from_torch(module, images(2, 3, 8, 8).float())
    assert not net.first.weight.requires_grad
    net(tg.Tensor(np.ones((1, 3, 8, 8), np.float32))).sum().backward()
    assert net.first.weight.grad is None
