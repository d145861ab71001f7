"""The command line: train, evaluate, predict; and one clear sentence for whatever is wrong."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tinygrad_cnn as tg
from tinygrad_cnn import train
from tinygrad_cnn.data import fashion_mnist
from tinygrad_cnn.train import checkpoint

from .running import run, said

COMMAND = [sys.executable, "-c", "from tinygrad_cnn.cli import main; main()"]


@pytest.fixture(scope="module")
def lenet(tmp_path_factory):
    """The file of a LeNet that was trained for one epoch."""
    path = tmp_path_factory.mktemp("trained") / "lenet.safetensors"
    assert "loss" in said("train", "lenet", "--epochs", 1, "--save", path, "--quiet")
    return path


@pytest.fixture
def image(tmp_path):
    """A boot, dark on a light ground, larger than the model's images, in colour."""
    data = fashion_mnist("test")
    boot = data.images[data.labels == 9][0, 0]
    large = np.kron(255 - 255 * boot, np.ones((3, 4))).astype(np.uint8)
    Image.fromarray(large).convert("RGB").save(tmp_path / "boot.png")
    return tmp_path / "boot.png"


def test_train_in_parts_is_train_at_once(tmp_path):
    options = ("train", "bn_lenet", "--data", "fashion_mnist", "--quiet", "--batch-size", 200,
               "--optimizer", "sgd", "--lr", 0.05, "--momentum", 0.5)  # fmt: skip
    once, parts = tmp_path / "once", tmp_path / "parts"
    printed = said(*options, "--epochs", 2, "--save", once)
    assert re.search(r"bn_lenet after 2 epochs: loss \d\.\d{4}, accuracy 0\.\d+ in", printed)
    assert printed.splitlines()[0].endswith(" on Fashion-MNIST validation")
    said(*options, "--epochs", 1, "--save", parts)
    assert (
        said(*options, "--epochs", 2, "--save", parts, "--resume").splitlines()[0]
        == (printed.splitlines()[0])
    )
    a, b = tg.models.build("bn_lenet"), tg.models.build("bn_lenet")
    for path, model in ((once, a), (parts, b)):
        checkpoint.load(path, model)
    np.testing.assert_equal(a.state_dict(), b.state_dict())


def test_evaluate_counts(lenet):
    model, data = tg.models.build("lenet"), fashion_mnist("test")
    checkpoint.load(lenet, model)
    right = round(400 * train.accuracy(model, data))
    logits = tg.Tensor(train.predict(model, data.inputs))
    loss = tg.cross_entropy(logits, data.labels).item()
    assert said("evaluate", "lenet", "--weights", lenet) == (
        f"lenet on Fashion-MNIST test: accuracy {right / 400:.4f} ({right} of 400 right), "
        f"loss {loss:.4f}\n"
    )


def test_predict_names_classes_and_draws(lenet, image, tmp_path):
    model, data = tg.models.build("lenet"), fashion_mnist("test")
    checkpoint.load(lenet, model)
    logits = train.predict(model, data.images[data.labels == 9][:1])
    expected = tg.softmax(logits[0])
    out = tmp_path / "boot.svg"
    printed = said(
        "predict", image, "--model", "lenet", "--weights", lenet, "--invert", "--top", 3,
        "--out", out,
    )  # fmt: skip
    best = np.argsort(-expected)[:3]
    assert re.findall(r"% +(.*)", printed) == [data.classes[i] for i in best]
    shown = [float(p) / 100 for p in re.findall(r"([\d.]+)%", printed)]
    np.testing.assert_allclose(shown, expected[best], atol=0.02)  # the image was resized
    svg = out.read_text()
    assert svg.startswith("<svg")
    assert all(data.classes[i] in svg for i in best)


@pytest.mark.parametrize("kind", ["L", "P", "RGB", "LA", "RGBA", "I;16"])
def test_an_image_is_the_same_in_every_kind_of_png(kind, lenet, tmp_path):
    pixels = (255 * fashion_mnist("test").images[0, 0]).astype(np.uint8)
    grey = Image.fromarray(pixels)
    if kind in ("LA", "RGBA"):  # on white, all that is not black shines through
        picture = Image.new(kind, grey.size, "black")
        picture.putalpha(Image.fromarray(255 - pixels))
    else:
        deep = Image.fromarray(pixels.astype(np.uint16) * 257)
        picture = deep if kind == "I;16" else grey.convert(kind)
    grey.save(tmp_path / "grey.png")
    picture.save(tmp_path / "other.png")
    as_grey, as_other = (
        said("predict", tmp_path / name, "-m", "lenet", "-w", lenet)
        for name in ("grey.png", "other.png")
    )
    assert as_other == as_grey


def test_help_says_all_it_has_to_say_and_is_what_no_words_give():
    told = said("--help")
    assert told == said()
    assert "\n  paths " in told
    assert "..." not in told.partition("Commands:")[2]
    assert said("--version") == f"tinygrad-cnn {tg.__version__}\n"


def test_models_lists_models_and_layers():
    listed = said("models")
    assert all(re.search(rf"^{name} ", listed, re.MULTILINE) for name in tg.models.MODELS)
    assert "61,706" in said("models", "lenet")


def test_weights_that_fit_another_network_are_not_taken_for_its_own(tmp_path):
    named, unnamed = tmp_path / "named", tmp_path / "unnamed"  # without shortcuts, the same tensors
    checkpoint.save(named, tg.models.build("resnet20"))
    checkpoint.save(unnamed, tg.models.resnet20())
    for words, message in (
        (("evaluate", "plain20", "-w", named), "named: holds a resnet20, not a plain20"),
        (("paths", "plain20", "-w", named), "named: holds a resnet20, not a plain20"),
        (("evaluate", "plain20", "-w", unnamed), "the model's BasicBlock(residual=False)"),
    ):
        result = run(*words)
        assert result.exit_code == 2
        assert message in result.stderr


def test_a_file_knows_its_models_options_and_small_images_are_enlarged(image, tmp_path):
    path = tmp_path / "alexnet.safetensors"
    options = ("-O", "image_size=84", "-O", "width=0.03", "--batch-size", 360)
    said("train", "alexnet", *options, "--epochs", 1, "--save", path, "--quiet")
    model = checkpoint.restore(path)
    assert (model.input_shape, model.features.conv1.out_channels) == ((1, 84, 84), 3)
    result = run("evaluate", "alexnet", "-w", path)
    assert "Fashion-MNIST test: images enlarged 3 times" in result.stderr
    large = fashion_mnist("test").inputs.repeat(3, axis=2).repeat(3, axis=3)
    right = (train.predict(model, large).argmax(axis=1) == fashion_mnist("test").labels).sum()
    assert f"({right} of 400 right)" in result.stdout
    assert len(said("predict", image, "-m", "alexnet", "-w", path).splitlines()) == 5


def test_a_training_that_learns_nothing_says_so():
    for model, options, learned in (("lenet", ("--lr", 1e9), False), ("mlp", (), True)):
        printed = said("train", model, "--quiet", "--epochs", 1, "--clip-norm", 1, *options)
        assert ("guessing has loss 2.3026: nothing is learned yet" in printed) is not learned


# --- in a process of its own -----------------------------------------------------------------


def test_a_real_process_trains_with_a_bar_and_ends_on_ctrl_c(tmp_path):
    path = tmp_path / "lenet.safetensors"
    command = [*COMMAND, "train", "lenet", "--epochs", "500", "--save", str(path)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        shown = ""
        while "epoch 2/500" not in shown:
            shown += os.read(process.stderr.fileno(), 1000).decode(errors="replace")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    shown += err
    assert process.returncode == 130
    assert "Traceback" not in shown
    assert re.search(r"loss \d\.\d{3}, accuracy 0\.\d{3}, [\d,]+ images/s", shown)
    assert re.match(r"interrupted in epoch \d+, step \d+\n", out)
    assert re.search(r"the model after epoch \d+; go on with --resume", out)
    model = tg.models.build("lenet")
    assert checkpoint.load(path, model).epochs


def test_a_real_process_says_one_sentence():
    process = subprocess.run(
        [*COMMAND, "train", "lenett"],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 2
    assert process.stdout == ""
    assert re.fullmatch(r"tinygrad-cnn: unknown model 'lenett'; there are .*\n", process.stderr)


# --- errors ----------------------------------------------------------------------------------

WRONG = {
    "train lenett": "unknown model 'lenett'; there are mlp, ",
    "train lenet --data cats": "unknown data 'cats'; there are fashion_mnist, ",
    "train lenet --optimizer lion": "unknown optimizer 'lion'; there are sgd, adam, adamw",
    "train lenet --schedule zigzag": "unknown schedule 'zigzag'; there are constant, step, cosine",
    "train lenet --lr fast": "Invalid value for '--lr': ",
    "train lenet --clip-norm 0": "fit: clip_norm must be above 0, got 0.0",
    "train resnet8 --lr 1e9 --optimizer sgd --quiet": "fit: the loss became nan in epoch 1, step ",
    "train lenet --lr -1": "Adam: lr must be ≥ 0, got -1.0",
    "train lenet --epochs 0": "Invalid value for '--epochs': ",
    "train lenet --batch-size 5000": "batch_size=5000 does not fit the 1440 items",
    "train lenet --data sentences": "lenet is made for inputs of shape (1, 28, 28), and",
    "train lenet --data mnist": "data 'mnist' needs --folder: where its files are",
    "train textcnn --full": "data 'sentences' comes whole, and takes no --full",
    "train go_policy": "go_policy has no data set of its own; name one by --data",
    "train lenet --folder {tmp}/none": "there is no such folder",
    "train lenet --resume": "--resume needs --save FILE",
    "train lenet --resume --save {tmp}/none": "none: there is no such file",
    "train lenet --save {tmp}/no/where": "there is no folder",
    "train lenet --resume --save {lenet} --lr 0.5": "lenet.safetensors: this training has "
        "lr 0.003, not 0.5; give the same options",
    "train lenet --resume --save {lenet} --seed 1": "the training had seed=0, and this loader",
    "train lenet --resume --save {lenet} --optimizer sgd": "SGD: this is the state of Adam",
    "train lenet --resume --save {lenet} --schedule cosine": "this is the state of Schedule",
    "trian lenet": "No such command 'trian'. Did you mean 'train'",
    "evaluate lenet": "Missing option '--weights' / '-w'.",
    "evaluate lenet -w {tmp}/none": "none: there is no such file",
    "evaluate lenet -w {boot}": "boot.png: damaged, or no safetensors file",
    "evaluate lenet -w {cut}": "cut.safetensors: damaged, or no safetensors file",
    "evaluate resnet8 -w {lenet}": "lenet.safetensors: holds a lenet, not a resnet8",
    "evaluate lenet -w {lenet} --split middle": "split='middle'",
    "predict {tmp}/none.png -m lenet -w {lenet}": "none.png: there is no such file",
    "predict {lenet} -m lenet -w {lenet}": "lenet.safetensors: cannot be read as an image",
    "predict {boot} -m textcnn -w {lenet}": "lenet.safetensors: holds a lenet, not a textcnn",
    "predict {boot} -m lenet -w {lenet} --out {tmp}/a.txt": "cannot write .txt",
    "predict {tmp} -m lenet -w {lenet}": "is a folder, and an image is needed",
    "predict {boot} -m lenet -w {lenet} --out {tmp}/no/a.svg": "no/a.svg: there is no folder",
    "train lenet --momentum 0.5": "--momentum is an option of sgd, and the optimizer is adam",
    "train textcnn -O vocabulary=9": "textcnn cannot take 'sentences train': embedding: index ",
    "models lenet -O activation": "--option: NAME=VALUE is needed, such as width=0.25, not 'activ",
    "models lenet -O colour=3": "model 'lenet': LeNet.__init__() got an unexpected keyword ",
    "models alexnet -O width=x": "alexnet: cannot be built with {'width': 'x'} (",
    "models lenett": "unknown model 'lenett'",
    "tutorial 1 --step --notebook": "--step and --notebook are two ways to go through it: give one",
    "draw lenett": "unknown model 'lenett'",
    "--hlep": "No such option",  # how the option is quoted depends on the version of typer
    "tutrial 1": "No such command 'tutrial'",
}  # fmt: skip


def test_an_image_is_nothing_for_a_model_of_texts(image, tmp_path):
    checkpoint.save(tmp_path / "text", tg.models.build("textcnn", vocabulary=9))
    result = run("predict", image, "-m", "textcnn", "-w", tmp_path / "text")
    assert "textcnn takes inputs of shape (64,), which no image has" in result.stderr


@pytest.mark.parametrize("words", WRONG)
def test_what_is_wrong_is_said_in_one_sentence(words, lenet, image, tmp_path):
    (tmp_path / "cut.safetensors").write_bytes(lenet.read_bytes()[:5000])
    places = {"tmp": tmp_path, "lenet": lenet, "boot": image, "cut": tmp_path / "cut.safetensors"}
    before = lenet.read_bytes()
    result = run(*(word.format(**places) for word in words.split()))
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert len(result.stderr) < 600
    assert result.stderr.startswith("tinygrad-cnn: ")
    assert WRONG[words] in result.stderr
    assert lenet.read_bytes() == before
