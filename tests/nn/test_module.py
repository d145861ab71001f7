"""`Module`: what it finds under which names, saving and loading, modes."""

import copy

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2)
        self.scale = nn.Parameter([2.0])

    def forward(self, x):
        return self.norm(self.conv(x)) * self.scale


def model():
    return nn.Sequential(body=Block(), flat=nn.Flatten(), head=nn.Linear(8, 3, bias=False))


def images(*shape):
    return tg.Tensor(np.random.default_rng(0).normal(size=shape).astype(np.float32))


def test_names_are_the_attributes_dotted():
    assert {name: p.shape for name, p in model().named_parameters()} == {
        "body.scale": (1,),
        "body.conv.weight": (2, 1, 3, 3),
        "body.conv.bias": (2,),
        "body.norm.weight": (2,),
        "body.norm.bias": (2,),
        "head.weight": (3, 8),
    }
    assert dict(model().named_buffers()).keys() == {
        "body.norm.running_mean",
        "body.norm.running_var",
        "body.norm.num_batches_tracked",
    }
    assert [name for name, _ in model().named_modules()] == [
        "", "body", "body.conv", "body.norm", "flat", "head",
    ]  # fmt: skip


def test_a_state_takes_a_model_to_where_another_is():
    trained, fresh = model(), model()
    x = images(5, 1, 4, 4)
    trained(x)  # moves the running statistics
    fresh.load_state_dict(trained.state_dict())
    np.testing.assert_array_equal(trained.eval()(x).numpy(), fresh.eval()(x).numpy())


def test_a_state_is_a_copy():
    net = model()
    state = net.state_dict()
    state["head.weight"][:] = 7
    assert not (net.head.weight.numpy() == 7).any()
    net.load_state_dict(state)
    state["head.weight"][:] = 8
    assert (net.head.weight.numpy() == 7).all()


def test_a_state_that_does_not_fit_is_listed_and_changes_nothing():
    net = model()
    before = net.state_dict()
    state = {name: value + 1 for name, value in before.items()}
    del state["body.scale"]
    state["head.bias"] = np.zeros(3)
    state["head.weight"] = np.zeros((8, 3))
    with pytest.raises(ShapeError) as caught:
        net.load_state_dict(state)
    for problem in (
        "missing: body.scale",
        "unexpected: head.bias",
        "of another shape: head.weight (8, 3), the model has (3, 8)",
    ):
        assert problem in str(caught.value)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_shared_parameter_counts_once_and_gets_both_gradients():
    net = nn.Sequential(a=nn.Linear(2, 2, bias=False), b=nn.Linear(2, 2, bias=False))
    net.b.weight = net.a.weight
    assert net.count_parameters() == 4
    assert len(list(net.parameters())) == 1
    net.a.weight.data = 2 * np.eye(2)
    net(tg.Tensor([[1.0, 1.0]])).sum().backward()
    assert net.a.weight.grad.numpy().tolist() == [[4.0, 4.0], [4.0, 4.0]]


def test_modes_reach_all_modules_inside():
    net = model()
    assert all(m.training for _, m in net.named_modules())
    assert net.eval() is net
    assert not any(m.training for _, m in net.named_modules())
    assert all(m.training for _, m in net.train().named_modules())


def test_dropout_drops_in_training_only():
    net, x = nn.Sequential(nn.Dropout(0.5)), tg.Tensor(np.ones((10, 10)))
    assert 0 in net(x).numpy()
    assert net.eval()(x) is x


def test_gradients_of_all_parameters_are_forgotten():
    net = model()
    net(images(2, 1, 4, 4)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_another_dtype():
    net = model().astype(np.float64)
    assert {p.dtype for p in net.parameters()} == {np.dtype(np.float64)}
    assert net(tg.Tensor(np.zeros((2, 1, 4, 4)))).dtype == np.float64


def test_a_copy_shares_nothing():
    net = model()
    twin = copy.deepcopy(net)
    twin.head.weight.data = np.zeros((3, 8))
    assert net.head.weight.numpy().any()
    twin(images(2, 1, 4, 4)).sum().backward()
    assert net.head.weight.grad is None


def test_apply_calls_the_outermost_last():
    seen = []
    model().apply(lambda m: seen.append(type(m).__name__))
    assert sorted(seen) == ["BatchNorm2d", "Block", "Conv2d", "Flatten", "Linear", "Sequential"]
    assert seen[-1] == "Sequential"
    assert seen.index("Conv2d") < seen.index("Block")


def test_one_seed_makes_the_same_model():
    def weights():
        tg.manual_seed(3)
        return model().state_dict()

    first, second = weights(), weights()
    assert all((first[name] == second[name]).all() for name in first)


def test_the_default_dtype_is_the_parameters():
    tg.set_default_dtype(np.float64)
    try:
        assert {p.dtype for p in model().parameters()} == {np.dtype(np.float64)}
    finally:
        tg.set_default_dtype(np.float32)


@pytest.mark.parametrize("module", [nn.Module, nn.Sequential])
def test_parameters_need_the_base_class_to_be_ready(module):
    class Forgetful(module):
        def __init__(self):
            self.weight = nn.Parameter([1.0])

    with pytest.raises(
        OptionError, match=r"Forgetful: call super\(\).__init__\(\) before .*weight"
    ):
        Forgetful()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.Linear(0, 2), OptionError, "Linear: in_features must be an int ≥ 1, got 0"),
        (lambda: nn.Conv2d(1, 2.5, 3), OptionError, r"Conv2d: out_channels .* got 2\.5"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), OptionError, "Conv2d: groups=2 must divide"),
        (lambda: nn.Conv2d(1, 1, (1, 2, 3)), OptionError, "Conv2d: kernel_size must be an int"),
        (
            lambda: nn.BatchNorm2d(2, momentum=2), OptionError,
            "BatchNorm2d: momentum must be a number in 0 … 1, got 2",
        ),
        (
            lambda: nn.BatchNorm2d(2, momentum=0.1, decay=0.9), OptionError,
            "BatchNorm2d: give momentum or decay",
        ),
        (lambda: nn.Dropout(1.5), OptionError, "Dropout: p must be a number in 0 … 1, got 1.5"),
        (lambda: nn.Sequential(nn.ReLU(), tg.relu), DtypeError, "Sequential: 1 must be a Module"),
        (lambda: nn.Flatten()(np.zeros((2, 3))), DtypeError, r"Flatten: .* use tg\.Tensor\(x\)"),
        (lambda: nn.BatchNorm2d(2)(images(1, 3, 2, 2)), ShapeError, r"BatchNorm2d: .* 2 channels"),
        (lambda: nn.Linear(3, 2)(images(4, 5)), ShapeError, r"input \(4, 5\) must end in 3"),
        (lambda: nn.Linear(6, 2)(images(4, 2, 3)), ShapeError, "flatten it first"),
    ],
)  # fmt: skip
def test_what_a_layer_refuses(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_state_that_counts_no_batches_is_taken():
    net = tg.nn.Sequential(tg.nn.Conv2d(1, 2, 1), tg.nn.BatchNorm2d(2))
    state = {name: value + 1 for name, value in net.state_dict().items() if "num" not in name}
    net.load_state_dict(state)
    assert net.state_dict()["1.num_batches_tracked"] == 0
    np.testing.assert_array_equal(net.state_dict()["1.running_mean"], [1, 1])


def test_a_long_list_of_names_is_cut():
    net = tg.nn.Sequential(*[tg.nn.Linear(1, 1) for _ in range(30)])
    with pytest.raises(ShapeError, match=r"missing: 0\.weight, .*4\.bias … \(60 in all\)$"):
        net.load_state_dict({})
