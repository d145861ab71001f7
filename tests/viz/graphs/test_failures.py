"""Pictures of programs that raised an error: as far as they came, the op in red, its shapes."""

import pytest

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.errors import GraphError, ShapeError


def stopped(program):
    with pytest.raises((ShapeError, ZeroDivisionError)), tg.trace() as t:
        program()
    return t


def boxes(picture):
    return {box["title"]: box for box in picture.data["boxes"]}


def test_the_op_that_raised_is_red_and_says_what_clashed():
    x = tg.Tensor([[1.0, 2.0]], requires_grad=True, name="x")
    w = tg.nn.Parameter([[1.0], [2.0], [3.0]])
    t = stopped(lambda: x.exp() @ w)
    picture = viz.draw(t)
    failed = boxes(picture)["matmul"]
    assert failed["kind"] == "failed"
    assert "✗ ShapeError on (1,2) and (3,1)" in failed["lines"]
    assert " ".join(failed["lines"]).endswith("the first has 2 columns, the second 3 rows")
    assert "#b3261e" in picture.svg
    assert (boxes(picture)["exp"]["id"], failed["id"]) in {
        (arrow["source"], arrow["target"]) for arrow in picture.data["arrows"]
    }
    with pytest.raises(GraphError, match="raised an error before: ShapeError: matmul"):
        viz.gradient_flow(t)


def test_a_closed_module_says_what_raised_inside_it():
    inner = tg.nn.Sequential(tg.nn.ReLU(), tg.nn.Linear(2, 3), tg.nn.Linear(2, 3))
    model = tg.nn.Sequential(net=inner)
    t = stopped(lambda: model(tg.Tensor([[1.0, 2.0]], requires_grad=True)))
    lines = boxes(viz.draw(t, depth=1))["net"]["lines"]
    assert any(line.startswith("✗ ShapeError on (1,3) and (3,2)") for line in lines)


@pytest.mark.parametrize("draw", [viz.draw, viz.gradient_flow])
def test_an_op_whose_vjp_raised_is_red(draw):
    wrong = tg.op("wrong", lambda x: x * 1.0, lambda g, y, x: 1 / 0)
    t = stopped(lambda: wrong(tg.Tensor([1.0], requires_grad=True)).exp().sum().backward())
    failed = boxes(draw(t))["wrong"]
    assert failed["kind"] == "failed"
    assert failed["lines"][-2:] == ("✗ ZeroDivisionError in backward", "division by zero")
