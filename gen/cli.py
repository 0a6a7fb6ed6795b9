"""The command line: ``sparq COMMAND``, and how every command ends."""

import os
import signal
import sys

from support.signals import Endings

ENDINGS = Endings("sparq")

if os.path.basename(sys.argv[0]).startswith("sparq"):
    # As a program, before anything that takes time is imported.
    ENDINGS.at_once()

from importlib import import_module  # noqa: E402

import click  # noqa: E402

from support.errors import InputError, RunError  # noqa: E402

BAD_ARGUMENT = 2
FAILED = 1

COMMANDS = {
    "area": "Map every unit onto a standard-cell library; report area, delay and energy.",
    "bench": "Time golden products, integer networks and the emission of arrays.",
    "compile": "Make a program and a memory image of a trained network.",
    "demo": "Take real images through the Verilog of the 8x8 and the SPARQ array, bit for bit.",
    "embeddings": "Measure a recommender with embedding tables of 8, 4 and 2 bits; run a batch on "
    "the RTL.",
    "evaluate": "Measure a trained network's accuracy in the integer arithmetic of the hardware.",
    "fpga": "Place and route elements, arrays, engines, accelerators on an ECP5 (LFE5U-85F-6).",
    "fusesoc": "Emit the Verilog that a core file asks FuseSoC for, as a core.",
    "graphs": "Measure two layers of message passing on the graph in FOLDER/cora.npz; run it on "
    "the RTL.",
    "methods": "Compare methods of `sparq quantize` on images that they have not seen.",
    "prove": "Prove the emitted Verilog for all inputs, on all cores.",
    "quantize": "Choose what a network's integers stand for, and write it to a file.",
    "run": "Run the program that `sparq compile` has written into DIR, and compare.",
    "simulate": "Run random tiles through the emitted array or engine, and compare with golden.",
    "tradeoff": "Set the area of processing elements against accuracy and noise of the network for "
    "MNIST.",
    "verilog": "Emit plain Verilog of a machine, of what is around one, or of a part, and what "
    "goes with it.",
}
"""All commands, each the function of its name in ``gen.commands``, and what they do.

A command is imported when it is asked for: what one of them needs may take a second to import.
"""


class Commands(click.Group):
    """The commands of :data:`COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in order."""
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that ``args`` begin with; an error that names all if there is none."""
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            raise click.UsageError(f"command must be one of {', '.join(COMMANDS)}, not {args[0]!r}")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, if there is one."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"gen.commands.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command does, without importing it."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
def cli() -> None:
    """SPARQ: sparsity-aware accelerator hardware, from a configuration to verified Verilog."""
    # The command is imported: from here on there is something to clean up.
    ENDINGS.by_exception()


def main() -> None:
    """Run the command line: exit 0 on success, 2 on a bad argument, 1 on a failed run.

    At SIGINT the status is 1, at SIGTERM 143, at SIGHUP 129.
    """
    with ENDINGS.within():
        try:
            cli.main(prog_name="sparq", standalone_mode=False)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            sys.exit(BAD_ARGUMENT)
        except click.ClickException as error:
            _fail(error.format_message(), BAD_ARGUMENT)
        except InputError as error:
            _fail(str(error), BAD_ARGUMENT)
        except RunError as error:
            _fail(str(error), FAILED)
        except (click.Abort, KeyboardInterrupt):
            ENDINGS.end(signal.SIGINT)


def _fail(message: str, status: int) -> None:
    click.echo(f"sparq: {' '.join(message.split())}", err=True)
    sys.exit(status)
