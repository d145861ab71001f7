"""Each network is its paper's table: output shapes and parameter counts, to the unit."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import models
from tinygrad_cnn.nn.summary import rows

COUNTS = {
    "mlp": (models.MLP, 784 * 512 + 512 + 512 * 10 + 10),
    "locally_connected": (models.LocallyConnectedNet, 423_038),
    "lenet": (models.LeNet, 156 + 2416 + 48_120 + 10_164 + 850),
    "bn_lenet": (models.BNLeNet, 44_878),
    "nin": (models.NiN, 1_992_166),
    "nin, CIFAR-10": (lambda: models.NiN(3, layout="small"), 966_986),
    "alexnet": (models.AlexNet, 46_764_746),
    "alexnet, paper": (lambda: models.AlexNet(3, 1000, paper=True), 60_965_224),
    "resnet18": (models.resnet18, 11_178_378),
    "resnet18, torchvision": (
        lambda: models.resnet18(3, 1000, shortcut="projection", bias=False),
        11_689_512,
    ),
    "resnet50": (lambda: models.resnet50(3, 1000), 25_557_032),
    "resnet152": (lambda: models.resnet152(3, 1000), 60_192_808),
    "resnet20": (lambda: models.resnet20(3), 269_722),
    "resnet56": (lambda: models.resnet56(3), 853_018),
    "resnet110": (lambda: models.resnet110(3), 1_727_962),
    "textcnn, figure 1": (lambda: models.TextCNN(1000, 5, (2, 3, 4), 2), 5 * 1000 + 110),
    "go_policy": (models.GoPolicy, 3_882_793),
}


@pytest.mark.parametrize("name", COUNTS)
def test_parameters(name):
    make, count = COUNTS[name]
    assert make().count_parameters() == count


def outputs(model, shape) -> dict[str, tuple[int, ...]]:
    """Output shapes by module, without the batch."""
    return {row.name: row.output[1:] for row in rows(model, (1, *shape))}


SHAPES = {
    "lenet": (
        models.LeNet,
        {
            "features.conv1": (6, 28, 28), "features.pool1": (6, 14, 14),
            "features.conv2": (16, 10, 10), "features.pool2": (16, 5, 5),
            "classifier.dense1": (120,), "classifier.dense2": (84,), "classifier.dense3": (10,),
        },
    ),
    "bn_lenet": (
        models.BNLeNet,
        {
            "features.conv1": (6, 24, 24), "features.pool1": (6, 12, 12),
            "features.conv2": (16, 8, 8), "features.pool2": (16, 4, 4),
            "classifier.flatten": (256,), "classifier.dense3": (10,),
        },
    ),
    "alexnet": (
        lambda: models.AlexNet(width=1 / 8),
        {
            "features.conv1": (12, 54, 54), "features.pool1": (12, 26, 26),
            "features.conv2": (32, 26, 26), "features.pool2": (32, 12, 12),
            "features.conv3": (48, 12, 12), "features.conv4": (48, 12, 12),
            "features.conv5": (32, 12, 12), "features.pool5": (32, 5, 5),
            "classifier.flatten": (6400 // 8,), "classifier.dense2": (4096 // 8,),
        },
    ),
    "nin": (
        models.NiN,
        {
            "features.block1.conv1": (96, 54, 54), "features.pool1": (96, 26, 26),
            "features.block2.conv3": (256, 26, 26), "features.pool2": (256, 12, 12),
            "features.block3.conv3": (384, 12, 12), "features.pool3": (384, 5, 5),
            "features.block4.conv3": (10, 5, 5), "pool": (10,),
        },
    ),
    "nin, small": (
        lambda: models.NiN(layout="small", width=1 / 8),
        {"features.pool1": (12, 16, 16), "features.pool2": (24, 8, 8), "pool": (10,)},
    ),
    "resnet18": (
        models.resnet18,
        {
            "conv1": (64, 48, 48), "maxpool": (64, 24, 24), "layer1.1": (64, 24, 24),
            "layer2.1": (128, 12, 12), "layer3.1": (256, 6, 6), "layer4.1": (512, 3, 3),
            "avgpool": (512,), "fc": (10,),
        },
    ),
    "resnet50": (
        lambda: models.ResNet((3, 4, 6, 3), (8, 16, 32, 64), stem="large", block="bottleneck"),
        {
            "conv1": (8, 112, 112), "layer1.2": (32, 56, 56), "layer2.3": (64, 28, 28),
            "layer3.5": (128, 14, 14), "layer4.2": (256, 7, 7), "fc": (10,),
        },
    ),
    "resnet20": (
        models.resnet20,
        {"layer1.2": (16, 28, 28), "layer2.2": (32, 14, 14), "layer3.2": (64, 7, 7)},
    ),
    "go_policy": (
        lambda: models.GoPolicy(width=8),
        {"features.conv1": (8, 19, 19), "features.conv12": (8, 19, 19), "head.conv": (1, 19, 19),
         "head.position": (361,)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_output_shapes(name):
    make, expected = SHAPES[name]
    model = make()
    found = outputs(model, model.input_shape)
    assert {module: found[module] for module in expected} == expected


def test_textcnn_has_the_maps_of_the_papers_figure():
    model = models.TextCNN(1000, dimensions=5, widths=(2, 3, 4), filters=2)
    found = outputs(model, (7,))
    assert [found[f"convs.{i}"] for i in range(3)] == [(2, 6), (2, 5), (2, 4)]
    assert found["decoder"] == (2,)
    assert model.decoder.in_features == 6


HEAVY = {"alexnet", "resnet34", "plain34", "resnet50", "plain50", "resnet152", "plain152"}


@pytest.mark.parametrize("name", sorted(models.MODELS.keys() - HEAVY))
def test_every_listed_model_runs_on_the_shape_it_is_listed_with(name):
    entry = models.MODELS[name]
    model = models.build(name)
    assert model.input_shape == entry.input_shape
    classes = {"sentences": 2, "go_games": 81, "none": 361}.get(entry.data, 10)
    assert rows(model, (1, *entry.input_shape))[-1].output == (1, classes)


def test_every_listed_model_names_its_data():
    assert {entry.data for entry in models.MODELS.values()} <= {*tg.data.DATASETS, "none"}


def test_an_unknown_model_or_option_is_refused():
    with pytest.raises(tg.errors.OptionError, match=r"unknown model 'lenat'; there are mlp, "):
        models.build("lenat")
    with pytest.raises(tg.errors.OptionError, match=r"model 'lenet': .*'colour'"):
        models.build("lenet", colour=3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: models.LeNet(activation="gelu"), "LeNet: activation 'gelu' is not one of relu, s"),
        (lambda: models.LeNet(pooling="min"), "LeNet: pooling 'min' is not one of average, max"),
        (lambda: models.AlexNet(image_size=28, width=0.1), "AlexNet: images of 28×28 are too sm"),
        (lambda: models.NiN(layout="tiny"), "NiN: layout 'tiny' is not one of large, small"),
        (lambda: models.ResNet((1, 1), (4,)), r"blocks=\(1, 1\) and channels=\(4,\) must have one"),
        (lambda: models.resnet8(block="basics"), "block 'basics' is not one of basic, bottleneck"),
        (lambda: models.resnet8(shortcut="none"), "shortcut 'none' is not one of projection, conv"),
        (lambda: models.MLP((784,)), r"MLP: sizes must name input and output, got \(784,\)"),
        (lambda: models.GoPolicy(layers=0), "GoPolicy: layers must be ≥ 1, got 0"),
        (lambda: models.TextCNN(widths=()), "TextCNN: widths must name at least one"),
        (lambda: models.TextCNN(9, 2, vectors=np.ones((9, 3))), r"= \(9, 2\), got \(9, 3\)"),
    ],
)
def test_options_that_mean_nothing_are_refused(make, message):
    with pytest.raises(tg.errors.TinygradError, match=message):
        make()


def test_a_sentence_shorter_than_the_widest_filter_is_refused():
    model = models.TextCNN(10, 4, (2, 5), 3)
    with pytest.raises(tg.errors.ShapeError, match=r"sentences of 4 words are shorter than .* 5"):
        model(tg.Tensor(np.ones((1, 4), np.int64)))
