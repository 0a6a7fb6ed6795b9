"""Tasks on all cores, or on a cluster: workers may die."""

import os
from pathlib import Path

import pytest

from support.tasks import WorkerError, run_tasks


def square(value: int, marks: Path) -> int:
    """The square of ``value``; the first attempt at 3 kills its process."""
    mark = marks / "killed"
    if value == 3 and not mark.exists():
        mark.touch()
        os._exit(1)
    return value * value


def fatal(value: int) -> int:
    os._exit(value)


def test_a_task_of_a_dead_worker_is_run_again(tmp_path: Path) -> None:
    done: list[int] = []
    results = run_tasks(square, [(n, tmp_path) for n in range(8)], None, lambda: done.append(1))
    assert results == [n * n for n in range(8)]
    assert len(done) == 8
    assert (tmp_path / "killed").exists()


def test_a_task_of_a_dead_dask_worker_is_run_again(tmp_path: Path) -> None:
    from distributed import LocalCluster

    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        tasks = [(n, tmp_path) for n in range(6)]
        assert run_tasks(square, tasks, cluster.scheduler_address) == [n * n for n in range(6)]
    assert (tmp_path / "killed").exists()


def test_workers_that_always_die() -> None:
    with pytest.raises(WorkerError, match=r"^workers died in each of 3 attempts"):
        run_tasks(fatal, [(1,)])
