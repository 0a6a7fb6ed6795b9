"""Tasks on all cores, or on a cluster: workers may die."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sim_tb.processes import alive, wait_until
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


@pytest.mark.slow
def test_a_task_of_a_dead_dask_worker_is_run_again(tmp_path: Path) -> None:
    from distributed import LocalCluster

    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        tasks = [(n, tmp_path) for n in range(6)]
        assert run_tasks(square, tasks, cluster.scheduler_address) == [n * n for n in range(6)]
    assert (tmp_path / "killed").exists()


@pytest.mark.slow
def test_workers_that_always_die() -> None:
    with pytest.raises(WorkerError, match=r"^workers died in each of 3 attempts"):
        run_tasks(fatal, [(1,)])


TASK = """
import os, pathlib, time

def task(seconds):
    pathlib.Path(str(os.getpid())).touch()
    time.sleep(seconds)
"""

PROGRAM = """
import os, signal, sys

def interrupt(*_):
    raise SystemExit

signal.signal(signal.SIGINT, interrupt)
sys.path.insert(0, os.getcwd())

import slow_task
from support.tasks import run_tasks

try:
    run_tasks(slow_task.task, [(60,), (60,)])
finally:
    os._exit(1)
"""


@pytest.mark.slow
def test_an_interrupt_ends_workers_without_a_word(tmp_path: Path) -> None:
    """All of them in their tasks: only the program that runs them says something."""
    (tmp_path / "slow_task.py").write_text(TASK)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        wait_until(lambda: len([*tmp_path.glob("[0-9]*")]) == min(2, os.cpu_count() or 1))
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)  # until the last of them has ended
    assert errors == ""
    assert process.returncode == 1


TASK_WITH_CHILD = """
import pathlib, subprocess

def task(number):
    with subprocess.Popen(["sleep", "60"]) as child:
        pathlib.Path(f"{child.pid}.pid").touch()
"""

COMMAND = """
import os, sys

sys.path.insert(0, os.getcwd())

import task_with_child
from support.signals import Endings
from support.tasks import run_tasks

endings = Endings("program")
with endings.within():
    endings.by_exception()
    run_tasks(task_with_child.task, [(0,), (1,)])
"""

ENDINGS = {
    signal.SIGINT: (1, "program: interrupted\n"),
    signal.SIGTERM: (143, "program: terminated\n"),
    signal.SIGHUP: (129, "program: hung up\n"),
    signal.SIGKILL: (-9, ""),
}


@pytest.mark.slow
@pytest.mark.parametrize("signum", ENDINGS, ids=lambda signum: signum.name)
def test_a_signal_to_the_program_ends_all_processes(signum: signal.Signals, tmp_path: Path) -> None:
    """Workers, what they have started, and trackers."""
    (tmp_path / "task_with_child.py").write_text(TASK_WITH_CHILD)
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        wait_until(lambda: len([*tmp_path.glob("*.pid")]) == min(2, os.cpu_count() or 1))
        assert len(alive(process.pid)) >= 3
        process.send_signal(signum)
        _, errors = process.communicate(timeout=30)  # until the last of them has ended
    assert (process.returncode, errors) == ENDINGS[signum]
    wait_until(lambda: not alive(process.pid), 5)


INTERRUPTED = """
import os, signal, sys
if any("popen_loky_posix" in word for word in sys.orig_argv):
    os.kill(os.getpid(), signal.SIGINT)
"""

DYING = """
from support.tasks import WorkerError, run_tasks

try:
    run_tasks(abs, [(-1,), (2,)])
except WorkerError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core has no workers")
def test_an_interrupt_while_workers_start_ends_them_without_a_word(tmp_path: Path) -> None:
    """As early as Python itself starts in them."""
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTED)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", DYING],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("workers died in each of 3 attempts")
