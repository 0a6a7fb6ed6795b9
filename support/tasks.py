"""Independent tasks on all cores of this machine, or on a Dask cluster."""

import os
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.backend.resource_tracker import ensure_running
from joblib.externals.loky.process_executor import BrokenProcessPool, TerminatedWorkerError

from support.errors import InputError, RunError
from support.processes import end_with_parent

ATTEMPTS = 3
CONNECT_SECONDS = 5
TRACKER_WARNINGS = "ignore:resource_tracker:UserWarning"


class WorkerError(RunError):
    """Tasks could not be run: one line that says why."""


class SchedulerError(InputError):
    """A scheduler cannot be reached: one line that names it."""


def run_tasks(
    function: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    scheduler: str | None = None,
    on_done: Callable[[], None] = lambda: None,
) -> list[Any]:
    """``function(*task)`` for each of ``tasks``, in their order; ``on_done`` is called after each.

    They run in processes of this machine, one per core, or on the Dask cluster at the address
    ``scheduler``; a task whose worker dies is run again. Raises :class:`SchedulerError` if the
    scheduler cannot be reached, :class:`WorkerError` if workers die again and again; what
    ``function`` raises passes.
    """
    results: dict[int, Any] = {}
    with _backend(scheduler):
        for _ in range(ATTEMPTS):
            left = [index for index in range(len(tasks)) if index not in results]
            try:
                calls = (delayed(_numbered)(index, function, *tasks[index]) for index in left)
                with _interrupts_held():
                    done = Parallel(return_as="generator_unordered")(calls)
                for index, result in done:
                    results[index] = result
                    on_done()
                return [results[index] for index in range(len(tasks))]
            except (BrokenProcessPool, TerminatedWorkerError):
                continue
            except Exception as error:
                # Dask's own errors, without importing Dask where it is not used.
                if type(error).__name__ not in ("KilledWorker", "CommClosedError"):
                    raise
                raise WorkerError(f"a worker of {scheduler} died in every attempt") from None
    raise WorkerError(f"workers died in each of {ATTEMPTS} attempts: is there enough memory?")


def _numbered(index: int, function: Callable[..., Any], *task: Any) -> tuple[int, Any]:
    return index, function(*task)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """SIGINT waits meanwhile, here and in the workers that are started: they inherit that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare_worker() -> None:
    """From here on, SIGINT ends a worker without a traceback; so does one that has waited.

    It ends with the program, too, whatever that ended by.
    """
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _start_trackers() -> None:
    """Trackers remove what an interrupt leaves behind, and need not warn of it.

    There is Loky's, and Python's own, which would let SIGINT pass when a worker starts it.
    """
    given = os.environ.get("PYTHONWARNINGS", "")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, (given, TRACKER_WARNINGS)))
    try:
        ensure_running()
        resource_tracker.ensure_running()
    finally:
        os.environ["PYTHONWARNINGS"] = given  # empty: as if there were none


@contextmanager
def _backend(scheduler: str | None) -> Iterator[None]:
    if scheduler is None:
        _start_trackers()
        with warnings.catch_warnings():
            # Workers grow by the buffers they keep, and are renewed for it; that is harmless.
            warnings.filterwarnings("ignore", "A worker stopped while some jobs were given")
            # One thread each: the tasks keep all cores busy.
            with parallel_config(
                "loky", n_jobs=-1, inner_max_num_threads=1, initializer=_prepare_worker
            ):
                yield
        return
    with connected(scheduler), parallel_config("dask", wait_for_workers_timeout=CONNECT_SECONDS):
        yield


def require_scheduler(scheduler: str | None) -> None:
    """Raise :class:`SchedulerError` for a scheduler that cannot be reached, if there is one."""
    if scheduler is not None:
        connected(scheduler).close()


def connected(scheduler: str) -> Any:
    """A client of the Dask scheduler at that address; :class:`SchedulerError` if there is none."""
    # Takes half a second, which only those pay who use it.
    from distributed import Client

    try:
        return Client(scheduler, timeout=CONNECT_SECONDS)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise SchedulerError(f"cannot reach the scheduler at {scheduler}: {reason}") from None
