"""Scalars alone, as in micrograd: a network of 337 parameters learns two half moons."""

import math
import random

import pytest

import tinygrad_cnn as tg


def moons(count):
    """Points of two half circles that reach into each other, and ±1 for each."""
    points = []
    for i in range(count):
        angle = math.pi * (i // 2) / (count // 2 - 1)
        if i % 2:
            points.append(((1 - math.cos(angle), 0.5 - math.sin(angle)), -1))
        else:
            points.append(((math.cos(angle), math.sin(angle)), 1))
    return points


def neuron(weights, inputs, bends):
    *slopes, bias = weights
    total = sum((w * x for w, x in zip(slopes, inputs, strict=True)), bias)
    return total.relu() if bends else total


@pytest.mark.slow
def test_two_moons_are_told_apart_by_337_numbers():
    chance = random.Random(1)
    layers = [
        [[tg.Scalar(chance.gauss(0, math.sqrt(2 / n_in))) for _ in range(n_in)] + [tg.Scalar(0.0)]
         for _ in range(n_out)]
        for n_in, n_out in ((2, 16), (16, 16), (16, 1))
    ]  # fmt: skip
    parameters = [w for layer in layers for weights in layer for w in weights]
    assert len(parameters) == 337

    def score(x):
        for layer in layers:
            x = [neuron(weights, x, layer is not layers[-1]) for weights in layer]
        return x[0]

    def right():
        with tg.no_grad():
            return sum((score(x) > 0) == (label > 0) for x, label in data)

    data = moons(20)
    speeds = [0.0] * len(parameters)
    for step in range(1, 101):
        batch = chance.sample(data, 16)
        loss = sum((1 - label * score(x)).relu() for x, label in batch) / len(batch)
        for p in parameters:
            p.grad = 0.0
        loss.backward()
        for i, p in enumerate(parameters):
            speeds[i] = 0.5 * speeds[i] - 0.5 * p.grad
            p.data += speeds[i]
        if step % 5 == 0 and right() == len(data):
            break
    assert right() == len(data)
