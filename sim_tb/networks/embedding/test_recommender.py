"""The recommender in floating point: what it computes, and its training."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from networks.embedding.batch import Batch
from networks.embedding.metrics import log_losses
from networks.embedding.recommender import Dense, Recommender
from networks.samples.flights import training
from networks.samples.flights.training import Adagrad, train
from sim_tb.oracle.small_recommenders import BAG, SIZES, small_batch, small_recommender

Floats = npt.NDArray[np.float64]


def logit(model: Recommender, batch: Batch, sample: int) -> float:
    """One logit, as the model is described."""

    def dense(x: Floats, layer: Dense) -> Floats:
        result: Floats = np.array([x @ column for column in layer.weights.T]) + layer.bias
        return result

    x = batch.dense[sample]
    for layer in model.bottom:
        x = np.maximum(dense(x, layer), 0)
    rows = [model.tables[kind][batch.ids[sample, kind]] for kind in range(len(SIZES))]
    bag = sum((model.bag[member] for member in batch.bags[sample] if member >= 0), np.zeros(6))
    x = np.concatenate([*rows, np.maximum(bag, 0), x])
    for layer in model.top[:-1]:
        x = np.maximum(dense(x, layer), 0)
    return float(dense(x, model.top[-1])[0])


def test_forward() -> None:
    model, batch = small_recommender(), small_batch(9)
    expected = [logit(model, batch, sample) for sample in range(9)]
    np.testing.assert_allclose(model.forward(batch), expected, atol=1e-3)


def test_gradients() -> None:
    """Against differences: Adagrad's first step keeps the square of each gradient."""
    model, batch = small_recommender(), small_batch(16)
    arrays = [*model.tables, model.bag]
    arrays += [each for layer in (*model.bottom, *model.top) for each in layer]

    def loss() -> float:
        logits = [logit(model, batch, sample) for sample in range(16)]
        return float(log_losses(np.array(logits), batch.labels).mean())

    places = [(array, np.unravel_index(array.size // 2, array.shape)) for array in arrays]
    slopes = []
    for array, place in places:
        before = array[place]
        array[place] = before + 1e-5
        above = loss()
        array[place] = before - 1e-5
        slopes.append((above - loss()) / 2e-5)
        array[place] = before
    start = [array[place] for array, place in places]
    optimizer = Adagrad(model)
    optimizer.step(batch, rate=0.1)
    assert sum(slope != 0 for slope in slopes) > len(slopes) / 2
    for (array, place), slope, before in zip(places, slopes, start, strict=True):
        assert np.sqrt(optimizer._squares[id(array)][place]) == pytest.approx(abs(slope), abs=1e-4)
        if abs(slope) > 1e-3:
            assert array[place] - before == pytest.approx(-0.1 * np.sign(slope), rel=1e-3)


def test_training_learns_and_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels by the category of the second kind; twice the same bits."""
    monkeypatch.setattr(training, "BATCH", 32)
    data = small_batch(1024)
    data = data._replace(labels=data.ids[:, 1] % 2 == 0)
    steps = []
    model = train(data, SIZES, BAG, 6, lambda: steps.append(1))
    assert len(steps) == 1024 // 32
    assert log_losses(model.forward(data), data.labels).mean() < 0.3
    again = train(data, SIZES, BAG, 6)
    np.testing.assert_array_equal(model.bag, again.bag)
    np.testing.assert_array_equal(model.top[0].weights, again.top[0].weights)


def test_rows_that_no_sample_has_stay() -> None:
    model = small_recommender()
    batch = small_batch(8)
    batch = batch._replace(ids=np.zeros_like(batch.ids), bags=np.full_like(batch.bags, 2))
    before = replace(model, tables=tuple(t.copy() for t in model.tables), bag=model.bag.copy())
    Adagrad(model).step(batch, 0.1)
    for table, old in zip(model.tables, before.tables, strict=True):
        np.testing.assert_array_equal(table[1:], old[1:])
        assert (table[0] != old[0]).any()
    changed = (model.bag != before.bag).any(axis=1)
    assert changed.tolist() == [row == 2 for row in range(BAG)]
