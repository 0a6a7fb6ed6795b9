"""How a program ends at SIGINT, SIGTERM and SIGHUP.

Nothing that takes time is imported here: a program calls it before all else.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

GRACE_SECONDS = 3
"""For what a command cleans up."""

ENDINGS = {
    signal.SIGINT: ("interrupted", 1),
    signal.SIGTERM: ("terminated", 128 + signal.SIGTERM),
    signal.SIGHUP: ("hung up", 128 + signal.SIGHUP),
}
"""What is said, and the exit status."""


class Ended(BaseException):
    """One of these signals, which nothing below the command line catches."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class Endings:
    """How ``program`` ends at a signal: with one line, and nothing that it started lives on."""

    def __init__(self, program: str) -> None:
        self.program = program

    def at_once(self) -> None:
        """End at once from here on: nothing has been started, and there is nothing to clean up."""
        for signum in self._signals():
            signal.signal(signum, self._say_and_exit)

    @contextmanager
    def within(self) -> Iterator[None]:
        """End at once meanwhile, unless :meth:`by_exception` is called; as before afterwards."""
        before = {signum: signal.getsignal(signum) for signum in ENDINGS}
        self.at_once()
        try:
            yield
        except Ended as ended:
            self.end(ended.signum)
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

    def by_exception(self) -> None:
        """End by :class:`Ended` from here on; if that is lost, after a while or at the next signal.

        Whatever this process has started has ended before. Without effect outside :meth:`within`.
        """
        if signal.getsignal(signal.SIGINT) != self._say_and_exit:
            return
        # Takes a moment, while a signal must end the program already.
        import support.processes  # noqa: F401

        for signum in self._signals():
            signal.signal(signum, self._raise)

    def end(self, signum: int) -> NoReturn:
        """End now, with everything that this process has started."""
        from support.processes import end_descendants

        self._ignore()
        end_descendants()
        self._say_and_exit(signum)

    def _raise(self, signum: int, frame: object) -> NoReturn:
        from support.processes import end_descendants

        for each in (*self._signals(), signal.SIGALRM):
            signal.signal(each, lambda *_: self.end(signum))
        end_descendants()
        signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
        raise Ended(signum)

    def _say_and_exit(self, signum: int, frame: object = None) -> NoReturn:
        """Without waiting for anything."""
        self._ignore()
        text, status = ENDINGS[signal.Signals(signum)]
        with suppress(OSError):  # of a terminal that has gone
            sys.stderr.write(f"{self.program}: {text}\n")
            sys.stderr.flush()
        os._exit(status)

    @staticmethod
    def _signals() -> list[signal.Signals]:
        """Those that end the program: not SIGHUP under ``nohup``."""
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        return [signum for signum in ENDINGS if not (ignored and signum == signal.SIGHUP)]

    def _ignore(self) -> None:
        for signum in (*ENDINGS, signal.SIGALRM):
            signal.signal(signum, signal.SIG_IGN)
